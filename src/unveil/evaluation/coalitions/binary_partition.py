"""Adapter for shap-bpt: Owen values over a tree of the image's own segments. shap_bpt is imported only here."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from unveil.errors import MissingLibraryError
from unveil.evaluation.coalitions.base import BATCH, CoalitionGame, CoalitionMethod, quiet


@dataclass(frozen=True)
class ShapBpt(CoalitionMethod):
    """Owen values over a binary partition tree (`shap_bpt.Explainer`; Rashid et al. 2026).

    The tree joins pixels of similar color, so that regions follow objects; segments are split in the same order as by
    the partition explainer. Needs `unveil[shap-bpt]`, which is compiled when it is installed.
    """

    name: ClassVar[str] = "ShapBPT"

    @property
    def settings(self) -> dict:
        """The batch, because segments of one batch are chosen together."""
        return {"kind": "shap-bpt", "batch": BATCH}

    def maps(self, game: CoalitionGame, passes: int) -> Float[np.ndarray, "labels h w"]:
        """The Owen values of all pixels."""
        explainer = _library().Explainer(game.values, game.image, len(game.labels))
        with quiet():
            # The two passes of the whole image and of the blank one come on top of `max_evals`.
            values = explainer.explain_instance(max(passes - 2, 0), batch_size=BATCH)
        maps = np.zeros(values.shape)
        maps[explainer.output_indexes] = values  # the library sorts labels by their values
        return maps


def _library() -> Any:
    try:
        with quiet():
            import shap_bpt  # noqa: PLC0415  # pyright: ignore[reportMissingImports] (optional)
    except ImportError as error:
        raise MissingLibraryError("shap-bpt", "shap-bpt", "its Owen values") from error
    return shap_bpt
