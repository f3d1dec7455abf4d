"""A classifier made of a PyTorch module: a frozen copy, so that the module it came from stays as it was."""

import copy
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unveil.classifiers.base import Classifier, check_labels
from unveil.classifiers.engine.batch_size import probe, size_for_cpu
from unveil.classifiers.engine.behavior import Behavior, Observer
from unveil.classifiers.engine.faster_form import make_faster
from unveil.classifiers.engine.freezing import check_initialized, copy_module, fingerprint, freeze, unwrap
from unveil.classifiers.engine.guard import gradient_of, guarded, recording
from unveil.classifiers.engine.kept_checks import check_key, keep_check, recall_check
from unveil.classifiers.engine.plans import ExecutionPlan
from unveil.classifiers.engine.precision import has_fast_bf16, probe_precisions
from unveil.classifiers.options import ClassifierOptions
from unveil.classifiers.outputs import Returns, parse_output, parse_returns
from unveil.classifiers.preprocessing import Preprocessing
from unveil.predictions import Output

Derived = TypeVar("Derived")


class TorchClassifier(Classifier):
    """A frozen copy of a module in evaluation mode, with gradients with respect to pixels.

    The copy keeps mode, hooks, `.grad` and `requires_grad` of the given module untouched, also after an error and
    during a run. A module that nothing else uses needs no copy: `copied=False`.
    """

    # Weights that are moved or converted in inference mode would never have gradients.
    @torch.inference_mode(False)
    def __init__(  # noqa: PLR0913 (an option is an argument)
        self,
        module: nn.Module,
        preprocessing: Preprocessing,
        labels: Sequence[str] | None = None,
        *,
        output: Output | str | None = None,
        head: str | None = None,
        returns: Returns | str | None = None,
        name: str | None = None,
        device: torch.device | None = None,
        precision: str = "fp32",
        copied: bool = True,
    ) -> None:
        """Freeze a copy of `module`.

        Args:
            module: The network, from normalized images to logits of shape (images, labels).
            preprocessing: How images become inputs.
            labels: The names of the outputs; None numbers them.
            output: Whether exactly one label applies (softmax) or each label independently (sigmoid).
            name: The name in records and messages; None for the module's class.
            device: Where the copy is; None for the device of the module.
            precision: `fp32`, `bf16`, or `auto`: predictions in fp32, and gradients that are averaged over noise, and
                predictions that are only compared, in bf16 where the processor is fast at it and regions and logits
                stay nearly the same.
            copied: False freezes the module itself, which saves the memory of its weights; don't use it any further.

        `output`: softmax if not given, but sigmoid for a network with one logit per image or with a sigmoid at its
        end. Two labels for one logit z name −z and z. `head`: the output to explain, for a network that returns
        several. `returns`: logits or probabilities; if not given, rows in [0, 1] that add up to 1 count as
        probabilities, with a `ClassifierWarning`.

        The network is run on two synthetic images to learn how it has to be run (`unveil.classifiers.engine.behavior`).
        Raises `ClassifierError` for a module that can't be copied, doesn't return one row of logits per image, or
        returns other logits for the same image at each call.
        """
        module = unwrap(module)
        self.name = type(module).__name__ if name is None else name
        self.preprocessing = preprocessing
        self.device = _device_of(module) if device is None else device
        self.precision = precision
        labels = None if labels is None else check_labels(labels)
        self._said = ClassifierOptions(
            labels=labels, output=parse_output(output), head=head, returns=parse_returns(returns)
        )
        check_initialized(module)
        self.fingerprint = fingerprint(module)
        self._module = freeze(copy_module(module) if copied else module).to(self.device)
        self._behavior = self._observe()
        self.output, self.differentiable = self._behavior.reader.output, self._behavior.differentiable
        self.labels = self._behavior.reader.name_labels(labels)
        self._layer_plan = ExecutionPlan(self._module, self._dtype, precision == "bf16", self._behavior.memory_format)
        self._averaging: AveragingClassifier | None = None
        self._cache: dict[str, tuple[Hashable, Any]] = {}
        self._batch_size: int | None = None

    def logits(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n k"]:
        """Logits of a batch, in float32 (float64 for a float64 module); differentiable."""
        return self.logits_of(self._plan, pixels)

    def logits_by_layers(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n k"]:
        """Logits computed by the module's own layers, not by folded ones, so that hooks on them are called."""
        return self.logits_of(self._layer_plan, pixels)

    @torch.inference_mode(False)
    def for_averaging(self) -> Classifier:
        """The classifier that computes gradients to be averaged over noise.

        With the precision `auto` it runs in bf16 if the processor is fast at it and, on fixed synthetic images, the
        regions of bf16 gradients match those of fp32 or differ far less than they do by noise, and logits differ little
        (`unveil.classifiers.engine.precision`). No image of the user enters the decision, so it doesn't depend on what
        ran before. It is made at the first call and kept. Raises `AttributionError` for a network without gradients.
        """
        if self.precision != "auto":
            return self
        if self._averaging is None:
            self._averaging = AveragingClassifier.choose(self)
        return self._averaging

    @property
    def batch_size(self) -> int:
        """On a CPU by its number of threads; on other devices measured at first use, then kept."""
        if self._batch_size is None:
            self._batch_size = size_for_cpu() if self.device.type == "cpu" else probe(self._time_batch)
        return self._batch_size

    @property
    def rounding(self) -> float:
        """That of the precision that logits are computed in."""
        return self._plan.rounding

    @property
    def averaging_precision(self) -> str:
        """Precision of gradients that are averaged over noise, and why; decided here if it wasn't before."""
        return self.precision if self.precision != "auto" else self.for_averaging().averaging_precision

    @torch.inference_mode(False)
    def cached(self, key: str, version: Hashable, make: Callable[[], Derived]) -> Derived:
        """What `make()` returns, kept under `key` until another `version` is asked for.

        Methods keep networks that they derive from this one here and not in a global cache, so that everything is
        freed together with the classifier.
        """
        if key not in self._cache or self._cache[key][0] != version:
            self._cache[key] = version, make()
        return self._cache[key][1]

    def in_bf16(self) -> ExecutionPlan:
        """The execution plan in bf16."""
        return self._plan.in_bf16(self.normalized(self._blank()))

    def logits_of(self, plan: ExecutionPlan, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n k"]:
        """Logits that an execution plan of this network computes.

        Raises `ClassifierError` if it doesn't return one row of logits per image.
        """
        with guarded(self.name, f"take images of {'x'.join(map(str, pixels.shape[1:]))}"):
            return self.read_logits(plan, self.normalized(pixels))

    def read_logits(self, network: Callable[[Tensor], object], inputs: Tensor) -> Float[Tensor, "n k"]:
        """Logits of a network in this one's place for inputs that are normalized already; one image at a time where
        this network needs it."""
        return self._behavior.read(network, inputs, self.name)

    def normalized(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n c *grid"]:
        """Inputs of the module itself: `(x − mean) / std` in the precision of its weights."""
        return self.preprocessing.normalize(pixels.to(self._dtype))

    @torch.inference_mode(False)
    def copy_of_module(self) -> nn.Module:
        """A copy of the frozen module, for methods that change a network."""
        return copy.deepcopy(self._module)

    @torch.inference_mode(False)
    def with_network(self, module: nn.Module, name: str) -> "TorchClassifier":
        """Another network of the same architecture in this one's place, frozen itself and not a copy: the same
        preprocessing, labels, output, device and precision, and run in the same way."""
        other = copy.copy(self)
        for name_of_cache in ("_plan", "probe"):
            vars(other).pop(name_of_cache, None)
        other.name, other.fingerprint = name, fingerprint(module)
        other._module = freeze(module).to(self.device)
        other._layer_plan = replace(self._layer_plan, network=other._module)
        other._averaging, other._cache = None, {}
        return other

    def with_options(self, options: ClassifierOptions, module: nn.Module | None = None) -> "TorchClassifier":
        """A new classifier with what `options` say, and what was said here where they say nothing.

        `module`: a network to take in place of this one's, which is then frozen itself; `options.weights` must be in
        it already.
        """
        said = options.over(self._said)
        return TorchClassifier(
            self.copy_of_module() if module is None else module,
            said.preprocessing_over(self.preprocessing),
            said.labels,
            output=said.output,
            head=said.head,
            returns=said.returns,
            name=self.name,
            device=self.device if said.device is None else said.device,
            precision=self.precision if said.precision is None else said.precision,
            copied=False,
        )

    @cached_property
    def _plan(self) -> ExecutionPlan:
        """The plan that computes logits. Built at first use: a classifier that only serves its layers needs none."""
        # The first caller may be in inference mode; weights created in it would never have gradients.
        with torch.inference_mode(False), torch.no_grad():
            blank = self.normalized(self._blank())
            memory_format = self._behavior.memory_format
            contiguous = memory_format is torch.contiguous_format
            network = make_faster(self._module, blank, contiguous=contiguous)
            plan = ExecutionPlan(network, self._dtype, memory_format=memory_format)
            return plan.in_bf16(blank) if self.precision == "bf16" else plan

    @property
    def _dtype(self) -> torch.dtype:
        parameter = next((p for p in self._module.parameters() if p.is_floating_point()), None)
        return torch.float32 if parameter is None else parameter.dtype

    def _time_batch(self, count: int) -> None:
        """Run a forward and a backward pass, and wait until both are done."""
        pixels = self._blank().expand(count, *(-1,) * (len(self.preprocessing.crop) + 1)).clone().requires_grad_()
        if not self.differentiable:
            float(self.logits(pixels.detach()).sum())
            return
        with recording(), guarded(self.name, "compute gradients"):
            gradient = gradient_of(self.for_averaging().logits(pixels)[:, 0].sum(), pixels)
        float(gradient.sum())

    def _blank(self) -> Float[Tensor, "one c *grid"]:
        return torch.zeros(1, self.preprocessing.channels, *self.preprocessing.crop, device=self.device)

    def _observe(self) -> Behavior:
        observer = Observer(
            self._module, self._dtype, self.preprocessing, self.device, self.name, self.normalized, self._said
        )
        # A network of volumes has weights that channels last isn't made for, whatever the preprocessing says.
        flat = len(self.preprocessing.crop) == 2 and all(weight.ndim < 5 for weight in self._module.parameters())
        return observer.observe(channels_last=flat)


class AveragingClassifier(Classifier):
    """A classifier whose logits come from another execution plan of its network; everything else is the same."""

    def __init__(self, classifier: TorchClassifier, plan: ExecutionPlan, reason: str) -> None:
        self._classifier, self._plan, self._reason = classifier, plan, reason
        self.name, self.fingerprint, self.precision = classifier.name, classifier.fingerprint, classifier.precision
        self.preprocessing, self.labels, self.output = classifier.preprocessing, classifier.labels, classifier.output
        self.device, self.differentiable = classifier.device, classifier.differentiable

    @classmethod
    def choose(cls, classifier: TorchClassifier) -> "AveragingClassifier":
        """In bf16 if that is fast on the device and gives the same regions on all probe images, else unchanged.

        Whether it does is known already if an earlier process checked the same network on the same machine
        (`unveil.classifiers.engine.kept_checks`).
        """
        exact = classifier._plan
        if not classifier.differentiable:
            return cls(classifier, exact, "fp32: the network has no gradients to average")
        if exact.dtype is not torch.float32:
            own = str(exact.dtype).removeprefix("torch.")
            return cls(classifier, exact, f"{own}: the precision of the network's own weights")
        if not has_fast_bf16(classifier.device):
            return cls(classifier, exact, "fp32: this processor isn't fast at bf16")
        half = classifier.in_bf16()
        key = check_key(classifier)
        check = recall_check(key)
        if check is None:
            check = probe_precisions(
                classifier.logits, lambda x: classifier.logits_of(half, x), classifier.preprocessing, classifier.device
            )
            keep_check(key, check)
        if not check.passed:
            return cls(classifier, exact, f"fp32: {check.difference}")
        ious = f"IoU {check.precision_iou:.2f}; with other noise {check.noise_iou:.2f}"
        return cls(classifier, half, f"bf16: on synthetic images the region is that of fp32 ({ious})")

    @property
    def rounding(self) -> float:
        """That of this classifier's plan."""
        return self._plan.rounding

    @property
    def averaging_precision(self) -> str:
        """Precision of this classifier's gradients, and why it was chosen."""
        return self._reason

    def logits(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n k"]:
        """Logits of a batch; differentiable."""
        return self._classifier.logits_of(self._plan, pixels)


def _device_of(module: nn.Module) -> torch.device:
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
