"""A classifier made of a PyTorch module: a frozen copy, so that the module it came from stays as it was."""

import copy
import hashlib
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unveil.classifiers.base import Classifier, check_labels, numbered
from unveil.classifiers.preparation import Preparation
from unveil.errors import ClassifierError
from unveil.predictions import Output


class TorchClassifier(Classifier):
    """A frozen, evaluating copy of a module, asked for logits and for gradients with respect to pixels.

    The copy is what makes sure that mode, hooks, `.grad` and `requires_grad` of the module given stay untouched, also
    after an error and while a run is half done.
    """

    def __init__(
        self,
        module: nn.Module,
        preparation: Preparation,
        labels: Sequence[str] | None = None,
        *,
        output: Output = Output.SOFTMAX,
        name: str | None = None,
        device: torch.device | None = None,
        precision: str = "fp32",
    ) -> None:
        """Freeze a copy on `device` (where the module is, if not given); `precision` is `fp32` or `bf16`.

        Raises `ClassifierError` for a module that can't be copied or doesn't give a row of logits an image.
        """
        self.name = name or type(module).__name__
        self.preparation, self.output = preparation, output
        self.device = device or _device_of(module)
        self.precision = precision
        self._module = _frozen_copy(module).to(self.device)
        # A network of volumes has weights that this layout isn't made for, whatever the preparation says.
        if len(preparation.crop) == 2 and all(weight.ndim < 5 for weight in self._module.parameters()):
            # Convolutions on the CPU and on tensor cores are faster with channels next to each other.
            self._module = self._module.to(memory_format=torch.channels_last)
        self.fingerprint = fingerprint(module)
        count = self._count_logits()
        self.labels = check_labels(labels) if labels is not None else numbered(count)
        if len(self.labels) != count:
            raise ClassifierError(
                f"{count} labels for {self.name}", f"{len(self.labels)}", "give one name for each logit"
            )

    def logits(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n k"]:
        """Logits of a batch, in float32 (float64 for a float64 module); differentiable."""
        inputs = self.normalised(pixels)
        if inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits = self._module(inputs)
        if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(pixels):
            raise ClassifierError(
                f"one row of logits an image from {self.name}",
                f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__,
                "wrap the model so that it returns a tensor (images, labels)",
            )
        return logits if logits.dtype is torch.float64 else logits.float()

    def normalised(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n c *grid"]:
        """What the module itself is given: `(x − mean) / std` in the precision of its weights."""
        return self.preparation.normalise(pixels.to(self._dtype))

    def copy_of_module(self) -> nn.Module:
        """A copy of the frozen module, for methods that take a network apart."""
        return copy.deepcopy(self._module)

    @property
    def _dtype(self) -> torch.dtype:
        parameter = next((p for p in self._module.parameters() if p.is_floating_point()), None)
        return torch.float32 if parameter is None else parameter.dtype

    def _count_logits(self) -> int:
        blank = torch.zeros(1, self.preparation.channels, *self.preparation.crop, device=self.device)
        try:
            with torch.no_grad():
                return self.logits(blank).shape[1]
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            shape = "x".join(map(str, blank.shape[1:]))
            got = f"{type(error).__name__}: {_first_line(error)}"
            raise ClassifierError(
                f"{self.name} to take images of {shape}",
                got,
                "give a preparation with the model's own size and channels",
            ) from error


def fingerprint(module: nn.Module) -> str:
    """SHA-256 of all parameters and buffers with their names, whatever file they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _frozen_copy(module: nn.Module) -> nn.Module:
    try:
        copied = copy.deepcopy(module)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ClassifierError(
            "a module that can be copied",
            f"{type(module).__name__}: {_first_line(error)}",
            "detach the tensors it keeps",
        ) from error
    for part in copied.modules():
        # Forward hooks may be part of the model (weight norms); backward hooks would change the gradients asked for.
        part._backward_hooks.clear()
        part._backward_pre_hooks.clear()
    copied.eval()
    copied.zero_grad(set_to_none=True)
    return copied.requires_grad_(False)


def _device_of(module: nn.Module) -> torch.device:
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
