"""LIME over superpixels: Captum's LIME and scikit-image's segments. scikit-image is imported only here."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from unveil.attribution import Captum
from unveil.errors import MissingLibraryError
from unveil.evaluation.coalitions.base import BATCH, CoalitionGame, CoalitionMethod, fixed_random, quiet


@dataclass(frozen=True)
class SuperpixelLime(CoalitionMethod):
    """LIME (Ribeiro et al. 2016) with Captum's defaults: a lasso over superpixels that are kept with probability ½.

    Superpixels are those of quickshift with the settings of the authors' code. Needs `unveil[rivals]`.

    Attributes:
        kernel_px: The width of quickshift's kernel in px.
        max_dist: The largest distance of a segment's pixels, in color and place.
        ratio: The weight of color against place.
    """

    kernel_px: int = 4
    max_dist: int = 200
    ratio: float = 0.2
    name: ClassVar[str] = "LIME"

    @property
    def settings(self) -> dict:
        """The settings of quickshift."""
        return {"kind": "lime", "kernel_px": self.kernel_px, "max_dist": self.max_dist, "ratio": self.ratio}

    def maps(self, game: CoalitionGame, passes: int) -> Float[np.ndarray, "labels h w"]:
        """The weight of each superpixel."""
        segments = torch.from_numpy(self.segments(game))[None, None]
        lime, ones = Captum("Lime").look_up(), torch.ones(1, 1, *game.grid)
        maps = []
        for number in range(len(game.labels)):

            def value(kept: Tensor, number: int = number) -> Tensor:
                return torch.from_numpy(game.values(kept[:, 0].numpy() > 0)[:, number])

            # Each label gets the same samples, so that they are predicted once.
            with quiet(), fixed_random(game.stream):
                weights = lime(value).attribute(
                    ones, baselines=0, feature_mask=segments, n_samples=passes, perturbations_per_eval=BATCH
                )
            maps.append(weights[0, 0].double().numpy())
        return np.stack(maps)

    def segments(self, game: CoalitionGame) -> Int[np.ndarray, "h w"]:
        """The number of each pixel's superpixel, from 0 on."""
        segmentation = _library()
        with quiet():
            return segmentation.quickshift(
                game.image, kernel_size=self.kernel_px, max_dist=self.max_dist, ratio=self.ratio
            ).astype(np.int64)


def _library() -> Any:
    try:
        import sklearn  # noqa: F401, PLC0415 (optional; Captum's lasso)
        from skimage import segmentation  # noqa: PLC0415
    except ImportError as error:
        raise MissingLibraryError("scikit-image and scikit-learn", "rivals", "LIME over superpixels") from error
    return segmentation
