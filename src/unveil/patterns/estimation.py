"""Estimates patterns from batches of images: memory doesn't grow with their number, and estimations can be resumed."""

from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unveil.classifiers import TorchClassifier
from unveil.patterns.estimators import Estimator, Sums, TwoComponent
from unveil.patterns.files import Patterns, read_tensors, write_tensors
from unveil.patterns.network import PatternError, linear_layers, trace_and_fold, unfold_inputs, watch_inputs

STATE = "unveil pattern sums 1"


@dataclass(eq=False)
class Estimation:
    """The sums of every linear layer of a classifier, to which batches of images are added.

    The network is traced and copied once, and batch norms that follow a linear layer are folded into it. Sums are in
    float64 and take the memory of four copies of the weights.

    Attributes:
        classifier: The classifier whose patterns are estimated.
        estimator: How patterns are computed from the sums.
        images: The number of images added so far.

    Raises `PatternError` for a network that patterns aren't defined for.
    """

    classifier: TorchClassifier
    estimator: Estimator = field(default_factory=TwoComponent)
    images: int = 0

    def __post_init__(self) -> None:
        self._traced = trace_and_fold(self.classifier.copy_of_module())
        self._layers = linear_layers(self._traced)
        self._sums: dict[str, list[Sums]] = {}

    def add(self, pixels: Float[Tensor, "n c h w"]) -> None:
        """Add a batch of prepared images, `pixels` in [0, 1]."""
        batch: dict[str, list[Sums]] = {}

        def add_layer(name: str, layer: nn.Module, inputs: Tensor) -> None:
            batch[name] = self._sums_of(layer, inputs)

        with torch.no_grad(), watch_inputs(self._traced, add_layer):
            self._traced(self.classifier.normalized(pixels))
        # Added only after the whole batch: an error leaves the sums unchanged.
        for name, groups in batch.items():
            old = self._sums.get(name)
            self._sums[name] = [a + b for a, b in zip(old, groups, strict=True)] if old else groups
        self.images += len(pixels)

    def patterns(self) -> Patterns:
        """Compute the patterns of all images so far, in the shapes of the layers' (folded) weights.

        Raises `PatternError` if no images were added.
        """
        if not self.images:
            raise PatternError("at least one image", "none", "add images first")
        by_layer = {}
        for name, layer in self._layers.items():
            parts = zip(self._sums[name], _per_group(layer), strict=True)
            rows = torch.cat([self.estimator.patterns(sums, weights) for sums, weights in parts])
            by_layer[name] = rows.reshape(layer.weight.shape).float()
        return Patterns(by_layer, type(self.estimator).__name__, self.images, self.classifier.fingerprint)

    def weights(self) -> dict[str, Tensor]:
        """The weights w that the patterns a belong to, with batch norms folded in, so that w·a = 1."""
        return {name: layer.weight.detach().clone() for name, layer in self._layers.items()}

    def save(self, path: Path, position: int = 0) -> None:
        """Save the sums to `path`, so that `resume` can continue; `position` counts the caller's images.

        The file is replaced in one step.
        """
        tensors = {
            f"{name}/{group}/{item.name}": getattr(sums, item.name)
            for name, groups in self._sums.items()
            for group, sums in enumerate(groups)
            for item in fields(sums)
        }
        about = {
            "state": STATE,
            "images": str(self.images),
            "position": str(position),
            "fingerprint": self.classifier.fingerprint,
        }
        write_tensors(path, tensors, {**about, "estimator": type(self.estimator).__name__})

    def resume(self, path: Path) -> int:
        """Load the sums saved at `path`, and return the position saved with them.

        Raises `PatternError` for sums of another classifier or estimator, and for a damaged file.
        """
        tensors, about = read_tensors(path)
        expected = {
            "state": STATE,
            "fingerprint": self.classifier.fingerprint,
            "estimator": type(self.estimator).__name__,
        }
        has_counts = all(about.get(key, "").isdecimal() for key in ("images", "position"))
        if any(about.get(key) != value for key, value in expected.items()) or not has_counts:
            raise PatternError("sums of this classifier and estimator", str(path), "delete the file to start again")
        try:
            groups = {name: layer.groups if isinstance(layer, nn.Conv2d) else 1 for name, layer in self._layers.items()}
            self._sums = {
                name: [
                    Sums(*(tensors[f"{name}/{group}/{item.name}"] for item in fields(Sums))) for group in range(count)
                ]
                for name, count in groups.items()
            }
        except KeyError as error:
            raise PatternError(
                "sums of every layer", f"{path} without {error}", "delete the file to start again"
            ) from error
        self.images = int(about["images"])
        return int(about["position"])

    def _sums_of(self, layer: nn.Module, inputs: Tensor) -> list[Sums]:
        assert isinstance(layer, nn.Conv2d | nn.Linear)  # noqa: S101 (only these are watched)
        groups = []
        bias = torch.zeros(len(layer.weight)) if layer.bias is None else layer.bias.detach().cpu()
        biases = bias.double().chunk(layer.groups if isinstance(layer, nn.Conv2d) else 1)
        for samples, weights, offset in zip(unfold_inputs(layer, inputs), _per_group(layer), biases, strict=True):
            x = samples.cpu().double()
            y = x @ weights.T
            groups.append(Sums.of(x, y, self.estimator.active(y + offset)))
        return groups


def _per_group(layer: nn.Conv2d | nn.Linear) -> list[Float[Tensor, "units inputs"]]:
    flat = layer.weight.detach().cpu().double().flatten(1)
    return list(flat.chunk(layer.groups if isinstance(layer, nn.Conv2d) else 1))
