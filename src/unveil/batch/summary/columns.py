"""What a summary is computed from: the tables of an archive as plain arrays, one entry per image or region."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8

from unveil.records import Verdict

VERDICTS = (*map(str, Verdict),)  # a verdict is its place in this list; -1 for a region without a trust card
NO_VERDICT, NO_GROUP = -1, -1


@dataclass(frozen=True)
class ImageLabels:
    """Pairs of an image and one of its labels, such as "predicted for".

    Attributes:
        image: The row of the image.
        label: The number of the label in `ArchiveColumns.labels`.
    """

    image: Int[np.ndarray, "n"]
    label: Int[np.ndarray, "n"]


@dataclass(frozen=True)
class ImageColumns:
    """One entry per image that is done or failed.

    Attributes:
        index: The index of the item in the archive.
        samples: The names.
        error_kinds: The kind of the error of a failed image, empty for one that is done.
        groups: A number for each group, such as a patient, or -1 where the data set has none.
    """

    index: Int[np.ndarray, "images"]
    samples: Shaped[np.ndarray, "images"]
    error_kinds: Shaped[np.ndarray, "images"]
    groups: Int[np.ndarray, "images"]

    def __len__(self) -> int:
        """The number of images."""
        return len(self.samples)


@dataclass(frozen=True)
class RegionColumns:
    """One entry per region; regions of an image are in the order in which they were found.

    Attributes:
        image: The row of its image.
        label: The number of the label that the region shows, or else that it was found for.
        round: The number of its round, from 1.
        verdict: The place in `VERDICTS`, or -1 for a region without a trust card.
        drop: What erasing it took from the score, in logits.
        suspicion: See `region_suspicion`.
        places: Which places of the image it covers, see `place_bits`; zeros where that is unknown.
    """

    image: Int[np.ndarray, "regions"]
    label: Int[np.ndarray, "regions"]
    round: Int[np.ndarray, "regions"]
    verdict: Int[np.ndarray, "regions"]
    drop: Float[np.ndarray, "regions"]
    suspicion: Float[np.ndarray, "regions"]
    places: UInt8[np.ndarray, "regions 128"]

    def __len__(self) -> int:
        """The number of regions."""
        return len(self.image)

    def take(self, rows: Int[np.ndarray, "n"] | Bool[np.ndarray, "regions"]) -> "RegionColumns":
        """The regions of some `rows`."""
        return RegionColumns(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})


@dataclass(frozen=True)
class ArchiveColumns:
    """The tables of an archive.

    Attributes:
        labels: The names of all labels that occur.
        images: What is known of each image.
        regions: What is known of each region.
        predicted: The labels that were predicted for whole images.
        later: The labels that were predicted only after regions were erased.
        true: The labels that images truly have; None where the data set says nothing.
        waiting: The number of images of the plan that aren't done yet.
    """

    labels: tuple[str, ...]
    images: ImageColumns
    regions: RegionColumns
    predicted: ImageLabels
    later: ImageLabels
    true: ImageLabels | None
    waiting: int = 0
