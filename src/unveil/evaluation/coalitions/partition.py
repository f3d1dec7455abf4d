"""Adapter for shap: its partition explainer for images. shap is imported only here."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from unveil.errors import MissingLibraryError
from unveil.evaluation.coalitions.base import BATCH, CoalitionGame, CoalitionMethod, fixed_random, quiet


@dataclass(frozen=True)
class PartitionShap(CoalitionMethod):
    """Owen values over a tree of rectangles (`shap.PartitionExplainer`; Lundberg and Lee 2017).

    The tree halves the longer side of each rectangle. The explainer splits the rectangle first whose values change the
    logits most, until the passes are used. Needs `unveil[rivals]`.
    """

    name: ClassVar[str] = "PartitionSHAP"

    @property
    def settings(self) -> dict:
        """The batch, because rectangles of one batch are chosen together."""
        return {"kind": "partition-shap", "batch": BATCH}

    def maps(self, game: CoalitionGame, passes: int) -> Float[np.ndarray, "labels h w"]:
        """The Owen values of all pixels."""
        library, shape = _library(), (*game.grid, 1)
        # The explainer sets pixels of an image of ones to zero; the remaining ones are the pixels that are kept.
        masker = library.maskers.Image(np.zeros(shape), shape)
        explainer = library.explainers.PartitionExplainer(lambda ones: game.values(ones[..., 0] > 0), masker)
        outputs = list(range(len(game.labels)))
        # It breaks ties with numpy's global random numbers.
        with quiet(), fixed_random(game.stream):
            explained: Any = explainer(
                np.ones((1, *shape)), max_evals=passes, batch_size=BATCH, outputs=outputs, silent=True
            )
        return np.moveaxis(np.asarray(explained.values, float).reshape(*game.grid, len(game.labels)), -1, 0)


def _library() -> Any:
    try:
        with quiet():
            import shap  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise MissingLibraryError("shap", "rivals", "its partition explainer") from error
    return shap
