"""The labels that images truly have, where a data set says so, by the names of the classifier."""

import numpy as np
from jaxtyping import Bool

from unveil.batch.summary.columns import ArchiveColumns


def same_name(label: str) -> str:
    """What is compared of a `label`: neither case nor the kind of space between words.

    >>> same_name("Pleural_Thickening") == same_name("pleural thickening")
    True
    """
    return " ".join(label.replace("_", " ").replace("-", " ").split()).casefold()


def truth_of(columns: ArchiveColumns, label: int) -> Bool[np.ndarray, "images"] | None:
    """Which images truly have the `label`; None where the data set has no label of its name."""
    if columns.true is None:
        return None
    name = same_name(columns.labels[label])
    named = np.array([same_name(other) == name for other in columns.labels], dtype=bool)
    rows = columns.true.image[named[columns.true.label]]
    if not len(rows):
        return None
    truly = np.zeros(len(columns.images), bool)
    truly[rows] = True
    return truly
