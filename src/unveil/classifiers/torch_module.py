"""A classifier made of a PyTorch module: a frozen copy, so that the module it came from stays as it was."""

import copy
import hashlib
from collections.abc import Sequence
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unveil.classifiers.base import Classifier, check_labels, numbered_labels
from unveil.classifiers.engine.batch_size import probe, size_for_cpu
from unveil.classifiers.engine.folding import fold_network
from unveil.classifiers.engine.plans import ExecutionPlan
from unveil.classifiers.engine.precision import compare_precisions, has_fast_bf16
from unveil.classifiers.engine.rearranging import rearranged
from unveil.classifiers.preprocessing import Preprocessing
from unveil.errors import ClassifierError
from unveil.predictions import Output


class TorchClassifier(Classifier):
    """A frozen, evaluating copy of a module, asked for logits and for gradients with respect to pixels.

    The copy is what makes sure that mode, hooks, `.grad` and `requires_grad` of the module given stay untouched, also
    after an error and while a run is half done. A module that nobody else holds needs none: `copied=False`.
    """

    def __init__(
        self,
        module: nn.Module,
        preprocessing: Preprocessing,
        labels: Sequence[str] | None = None,
        *,
        output: Output = Output.SOFTMAX,
        name: str | None = None,
        device: torch.device | None = None,
        precision: str = "fp32",
        copied: bool = True,
    ) -> None:
        """Freeze a copy on `device` (where the module is, if not given).

        `precision`: `fp32`, `bf16`, or `auto`: answers in fp32, and gradients that are averaged over noise in bf16
        where the processor is fast at it and the regions stay the same. `copied`: False freezes the module itself,
        which saves the memory of its weights; don't use it any further.

        Raises `ClassifierError` for a module that can't be copied or doesn't give a row of logits an image.
        """
        self.name = name or type(module).__name__
        self.preprocessing, self.output = preprocessing, output
        self.device = device or _device_of(module)
        self.precision = precision
        self.fingerprint = fingerprint(module)
        self._module = _frozen(_copy_of(module) if copied else module).to(self.device)
        # A network of volumes has weights that this layout isn't made for, whatever the preparation says.
        if len(preprocessing.crop) == 2 and all(weight.ndim < 5 for weight in self._module.parameters()):
            # Convolutions on the CPU and on tensor cores are faster with channels next to each other.
            self._module = self._module.to(memory_format=torch.channels_last)
        self._by_layers = ExecutionPlan(self._module, self._dtype)
        self._quick: AveragingClassifier | None = None
        self._batch_size: int | None = None
        count = self._count_logits()
        self.labels = check_labels(labels) if labels is not None else numbered_labels(count)
        if len(self.labels) != count:
            raise ClassifierError(
                f"{count} labels for {self.name}", f"{len(self.labels)}", "give one name for each logit"
            )
        if precision == "bf16":
            self._by_layers = ExecutionPlan(self._module, self._dtype, autocast=True)

    def logits(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n k"]:
        """Logits of a batch, in float32 (float64 for a float64 module); differentiable."""
        return self.answers(self._form, pixels)

    def logits_by_layers(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n k"]:
        """The same, by the layers that the module has and not by folded ones: so that hooks on them are called."""
        return self.answers(self._by_layers, pixels)

    def for_averaging(self, pixels: Float[Tensor, "c *grid"]) -> Classifier:
        """This classifier in the form for gradients that are averaged over noise.

        With the precision `auto` the first image asked about decides: bf16, if the processor is fast at it and the
        region of this image stays the same as in fp32, or differs far less than it does by the noise. The decision is
        kept for all later images.
        """
        if self.precision != "auto":
            return self
        if self._quick is None:
            self._quick = AveragingClassifier.choose(self, pixels)
        return self._quick

    @property
    def batch_size(self) -> int:
        """On a CPU by its number of threads; on other devices by a probe when it is first asked for, then kept."""
        if self._batch_size is None:
            self._batch_size = size_for_cpu() if self.device.type == "cpu" else probe(self._ask_about)
        return self._batch_size

    @property
    def averaging_precision(self) -> str:
        """In which digits averaged gradients are computed, and why."""
        if self.precision != "auto":
            return self.precision
        return "fp32: no averaged gradient was asked for" if self._quick is None else self._quick.why

    def in_bf16(self) -> ExecutionPlan:
        """The form in bf16."""
        return self._form.in_bf16(self.normalized(self._blank()))

    def answers(self, form: ExecutionPlan, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n k"]:
        """What a form of this network says. Raises `ClassifierError` for anything but a row of logits an image."""
        logits = form(self.normalized(pixels))
        if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(pixels):
            raise ClassifierError(
                f"one row of logits an image from {self.name}",
                f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__,
                "wrap the model so that it returns a tensor (images, labels)",
            )
        return logits if logits.dtype is torch.float64 else logits.float()

    def normalized(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n c *grid"]:
        """What the module itself is given: `(x − mean) / std` in the precision of its weights."""
        return self.preprocessing.normalize(pixels.to(self._dtype))

    def copy_of_module(self) -> nn.Module:
        """A copy of the frozen module, for methods that take a network apart."""
        return copy.deepcopy(self._module)

    def with_network(self, module: nn.Module, name: str) -> "TorchClassifier":
        """Another network in this one's place, frozen itself and not a copy: the same preparation, labels, output,
        device and precision."""
        return TorchClassifier(
            module,
            self.preprocessing,
            self.labels,
            output=self.output,
            name=name,
            device=self.device,
            precision=self.precision,
            copied=False,
        )

    @cached_property
    def _form(self) -> ExecutionPlan:
        """The form that answers. Made when it is first asked for: a classifier whose layers alone are wanted needs
        none."""
        # Whoever asks first may be in inference mode; weights made in it would never have gradients again.
        with torch.inference_mode(False), torch.no_grad():
            blank = self.normalized(self._blank())
            form = ExecutionPlan(rearranged(fold_network(self._module, blank), blank), self._dtype)
            return form.in_bf16(blank) if self.precision == "bf16" else form

    @property
    def _dtype(self) -> torch.dtype:
        parameter = next((p for p in self._module.parameters() if p.is_floating_point()), None)
        return torch.float32 if parameter is None else parameter.dtype

    def _ask_about(self, count: int) -> None:
        """A forward and a backward pass, and its answer waited for."""
        pixels = self._blank().expand(count, *(-1,) * (len(self.preprocessing.crop) + 1)).clone().requires_grad_()
        form = self._quick or self
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(form.logits(pixels)[:, 0].sum(), pixels)
        float(gradient.sum())

    def _blank(self) -> Float[Tensor, "one c *grid"]:
        return torch.zeros(1, self.preprocessing.channels, *self.preprocessing.crop, device=self.device)

    def _count_logits(self) -> int:
        blank = self._blank()
        try:
            with torch.no_grad():
                return self.logits_by_layers(blank).shape[1]
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            shape = "x".join(map(str, blank.shape[1:]))
            got = f"{type(error).__name__}: {_first_line(error)}"
            raise ClassifierError(
                f"{self.name} to take images of {shape}",
                got,
                "give a preparation with the model's own size and channels",
            ) from error


class AveragingClassifier(Classifier):
    """A classifier whose logits come from another form of its network; all else is the classifier's own."""

    def __init__(self, classifier: TorchClassifier, form: ExecutionPlan, why: str) -> None:
        self._classifier, self._form, self.why = classifier, form, why
        self.name, self.fingerprint, self.precision = classifier.name, classifier.fingerprint, classifier.precision
        self.preprocessing, self.labels, self.output = classifier.preprocessing, classifier.labels, classifier.output
        self.device = classifier.device

    @classmethod
    def choose(cls, classifier: TorchClassifier, pixels: Float[Tensor, "c *grid"]) -> "AveragingClassifier":
        """In bf16 if that is fast here and shows the same region in `pixels`; else in fp32."""
        exact = classifier._form
        if exact.dtype is not torch.float32 or not has_fast_bf16(classifier.device):
            return cls(classifier, exact, "fp32: this processor isn't fast at bf16")
        half = classifier.in_bf16()
        found = compare_precisions(classifier.logits, lambda x: classifier.answers(half, x), pixels)
        if not found.enough:
            return cls(classifier, exact, f"fp32: in bf16 the region would differ (IoU {found.same:.2f})")
        why = f"bf16: the region is that of fp32 (IoU {found.same:.2f}; with other noise {found.noise:.2f})"
        return cls(classifier, half, why)

    def logits(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n k"]:
        """Logits of a batch; differentiable."""
        return self._classifier.answers(self._form, pixels)


def fingerprint(module: nn.Module) -> str:
    """SHA-256 of all parameters and buffers with their names, whatever file they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _copy_of(module: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(module)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ClassifierError(
            "a module that can be copied",
            f"{type(module).__name__}: {_first_line(error)}",
            "detach the tensors it keeps",
        ) from error


def _frozen(module: nn.Module) -> nn.Module:
    for part in module.modules():
        # Forward hooks may be part of the model (weight norms); backward hooks would change the gradients asked for.
        part._backward_hooks.clear()
        part._backward_pre_hooks.clear()
    module.eval()
    module.zero_grad(set_to_none=True)
    return module.requires_grad_(False)


def _device_of(module: nn.Module) -> torch.device:
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
