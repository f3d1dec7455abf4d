"""Classifier: a frozen model with its preprocessing, labels and output meaning."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unveil.batching import AdaptiveBatches
from unveil.classifiers.engine.batch_size import SMALLEST
from unveil.classifiers.engine.plans import FP32_ROUNDING
from unveil.classifiers.engine.precision import probe_pixels
from unveil.classifiers.options import ClassifierOptions
from unveil.classifiers.preprocessing import Preprocessing
from unveil.classifiers.sources.label_files import order_labels
from unveil.errors import ClassifierError
from unveil.images import Geometry, Image
from unveil.predictions import Output, Prediction, ProbeOutput


@dataclass(frozen=True, eq=False)
class PreparedImage:
    """An image on the model's grid.

    Attributes:
        pixels: The image, (c, *grid), in [0, 1], before normalization.
        geometry: The geometry between the source and the grid.
    """

    pixels: Float[Tensor, "c *grid"]
    geometry: Geometry


class Classifier(ABC):
    """A frozen model that maps pixels on its grid to logits, one per label.

    A subclass only has to define `logits`. Pixels live in [0, 1]: normalization belongs to
    the classifier. All kinds have `preprocessing`, `labels`, `output`, a `name`, and a `fingerprint` (SHA-256 of the
    weights).
    """

    name: str
    fingerprint: str
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    output: Output
    device: torch.device
    precision: str = "fp32"
    # Whether gradients of the logits reach the pixels.
    differentiable: bool = True

    @abstractmethod
    def logits(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n k"]:
        """Logits of a batch; differentiable if the classifier is."""

    def for_averaging(self) -> "Classifier":
        """The classifier that computes gradients to be averaged over noise; here the classifier itself."""
        return self

    @property
    def batch_size(self) -> int:
        """Default number of images per batch."""
        return SMALLEST

    @property
    def averaging_precision(self) -> str:
        """Precision of gradients that are averaged over noise, and why it was chosen."""
        return self.precision

    @property
    def rounding(self) -> float:
        """Logits that differ by less than this share of their size count as equal."""
        return FP32_ROUNDING

    @cached_property
    def probe(self) -> ProbeOutput | None:
        """The output for one fixed synthetic image, for records: code that changed shows here, where weights don't.

        Computed at first use. None for a classifier that fails on this image or has no finite logits for it.
        """
        try:
            pixels = probe_pixels(self.preprocessing, 0).to(self.device)
            (prediction,) = self.predict(pixels[None], 1)
        except Exception:  # noqa: BLE001 (the run itself reports what a network raises)
            return None
        return ProbeOutput.from_logits(prediction.logits)

    def with_options(self, options: ClassifierOptions) -> "Classifier":
        """A new classifier with what `options` say and the rest as here.

        Raises `ClassifierError` for a kind of classifier that doesn't define it.
        """
        got = f"{' and '.join(options.given)} for {self.name}, a {type(self).__name__}"
        raise ClassifierError("a finished classifier alone", got, "leave it out, or build the classifier with it")

    def __repr__(self) -> str:
        """Name, number of labels, output, grid, device and precision, in one line."""
        grid = " × ".join(map(str, self.preprocessing.crop))
        return (
            f"{type(self).__name__}({self.name}: {len(self.labels)} labels, {self.output.value}, "
            f"{grid} px, {self.device}, {self.precision})"
        )

    def prepare(self, image: Image) -> PreparedImage:
        """Bring an image onto the model's grid, on the model's device."""
        pixels, geometry = self.preprocessing.apply(image)
        return PreparedImage(pixels.to(self.device), geometry)

    def predict(self, pixels: Float[Tensor, "n c *grid"], batch_size: int = 8) -> list[Prediction]:
        """Predictions of all labels for every image. Raises `ClassifierError` for logits that aren't finite."""
        rows: list[Float[Tensor, "n k"]] = []
        with torch.no_grad():
            AdaptiveBatches(batch_size).over(
                0, len(pixels), lambda start, stop: rows.append(self.logits(pixels[start:stop]))
            )
        return [self._prediction(row) for row in torch.cat(rows).double().cpu().numpy()] if rows else []

    def _prediction(self, row: Float[np.ndarray, "k"]) -> Prediction:
        if row.shape != (len(self.labels),):
            raise ClassifierError(
                f"{len(self.labels)} logits, one per label",
                f"{row.shape[-1]} from {self.name}",
                "give a matching label list",
            )
        if not np.isfinite(row).all():
            bad = [self.labels[index] for index in np.flatnonzero(~np.isfinite(row))[:3]]
            raise ClassifierError(
                f"finite logits from {self.name}",
                f"NaN or infinity for {', '.join(bad)}" + (" and more" if (~np.isfinite(row)).sum() > len(bad) else ""),
                "check the weights; try --precision fp32",
            )
        return Prediction(row, self.output)


def check_labels(labels: Sequence[str] | Mapping[Any, Any]) -> tuple[str, ...]:
    """The labels in the order of their indices; raises `ClassifierError` if there are none or one is empty."""
    return order_labels(labels)
