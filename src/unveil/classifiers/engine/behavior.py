"""How a stranger's network has to be run: observed once, on two fixed synthetic images, when a classifier is made.

- **Memory format.** Convolutions are faster with channels last; a network with `x.view(len(x), -1)` behind
  convolutions needs them contiguous.
- **Batches.** A network that takes one image at a time, or whose logits depend on the rest of the batch (batch norm
  without statistics), gets one image at a time.
- **Randomness.** A network that gives the same image other logits at the next call is refused.
- **Gradients.** Quantized networks have none; they can be explained as a black box.
- **Outputs.** Where the logits are in what it returns, and whether they are logits: `LogitReader`.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unveil.batching import is_out_of_memory
from unveil.classifiers.engine.guard import as_leaf, gradient_of, guarded, recording
from unveil.classifiers.engine.passes import count_passes
from unveil.classifiers.engine.plans import ExecutionPlan
from unveil.classifiers.engine.precision import probe_pixels
from unveil.classifiers.options import ClassifierOptions
from unveil.classifiers.outputs import ClassifierWarning, LogitReader, choose_reader
from unveil.classifiers.preprocessing import Preprocessing
from unveil.errors import ClassifierError, UnveilError

# Largest difference of one image's logits in two calls, relative to the largest logit: rounding stays far below.
SAME, SAME_IN_HALF = 1e-3, 5e-2
SIDES = (32, 28, 64, 96, 128, 224, 256, 299, 384, 48, 160, 192, 320, 336, 448, 512)  # px, tried for an error's advice


@dataclass(frozen=True)
class Behavior:
    """How a network has to be run, and how its logits are read."""

    reader: LogitReader
    memory_format: torch.memory_format
    one_by_one: bool
    differentiable: bool

    def read(self, network: Callable[[Tensor], object], inputs: Tensor, name: str) -> Float[Tensor, "n k"]:
        """Logits of a network for normalized inputs, one image at a time where it needs that."""
        if not self.one_by_one or len(inputs) < 2:
            return count_passes(self.reader(network(inputs), len(inputs), name))
        # Slices and not Tensor.split, whose views can't be changed in place as networks do.
        logits = [self.reader(network(inputs[at : at + 1]), 1, name) for at in range(len(inputs))]
        return count_passes(torch.cat(logits))


@dataclass(frozen=True, eq=False)
class Observer:
    """What is needed to run a network for the first time.

    `normalize`: pixels in [0, 1] to inputs of the network. `said`: what the caller says about the outputs.
    """

    network: nn.Module
    dtype: torch.dtype
    preprocessing: Preprocessing
    device: torch.device
    name: str
    normalize: Callable[[Tensor], Tensor]
    said: ClassifierOptions

    def observe(self, *, channels_last: bool) -> Behavior:
        """The behavior of the network. `channels_last`: whether that memory format is worth a try.

        Raises `ClassifierError` for a network that doesn't take images of the preprocessing's size, doesn't return
        logits, or answers at random. The state of the global random numbers is left as it was.
        """
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices), warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="torch")
            return self._observe(channels_last=channels_last)

    def _observe(self, *, channels_last: bool) -> Behavior:
        blank = torch.zeros(self.preprocessing.channels, *self.preprocessing.crop)
        images = torch.stack([blank, probe_pixels(self.preprocessing, 0)]).to(self.device)
        attempt, answers = self._first_that_works(images, channels_last=channels_last)
        count = 1 if attempt.one_by_one else len(images)
        rows = torch.cat([attempt.reader.rows(answer, count, self.name).detach() for answer in answers])
        plan = ExecutionPlan(self.network, self.dtype, memory_format=attempt.memory_format)
        depends = self._depends_on_batch(plan, attempt.reader, images, rows)
        return replace(attempt, one_by_one=attempt.one_by_one or depends)

    def _first_that_works(self, images: Tensor, *, channels_last: bool) -> tuple[Behavior, list[object]]:
        """The fastest way in which the network takes the images, and what it returns for them."""
        formats = [torch.channels_last] if channels_last else []
        formats.append(torch.contiguous_format)
        error = None
        for layout, one_by_one in [*((layout, False) for layout in formats), (torch.contiguous_format, True)]:
            if channels_last:
                # Weights decide the format of what convolutions return, as inputs do.
                self.network.to(memory_format=layout)
            plan = ExecutionPlan(self.network, self.dtype, memory_format=layout)
            try:
                answers, reader, differentiable = self._ask(plan, images, one_by_one=one_by_one)
            except UnveilError as raised:
                error = raised
            else:
                return Behavior(reader, layout, one_by_one, differentiable), answers
        assert error is not None  # noqa: S101 (there is at least one way to try)
        # The last way is that of PyTorch's own call with one image.
        raise self._with_advice(error) from error

    def _ask(self, plan: ExecutionPlan, images: Tensor, *, one_by_one: bool) -> tuple[list[object], LogitReader, bool]:
        """What the network returns for all images or for each, its reader, and whether gradients reach the pixels."""
        batches = list(images.split(1)) if one_by_one else [images]
        count = len(batches[0])
        with recording():
            leaves = [as_leaf(batch) for batch in batches]
            try:
                answers = [self._run(plan, leaf) for leaf in leaves]
            except UnveilError:
                if plan.memory_format is not torch.contiguous_format:
                    raise
                return self._ask_without_gradients(plan, batches)
            reader = self._choose(answers, count)
            rows = reader(answers[0], count, self.name)
            if not rows.requires_grad or _has_silent_operations(rows):
                return answers, reader, False
            try:
                with guarded(self.name, "compute gradients"):
                    gradient_of(rows[:, 0].sum(), leaves[0])
            except UnveilError:
                if plan.memory_format is not torch.contiguous_format:
                    raise
                return answers, reader, False
            return answers, reader, True

    def _ask_without_gradients(
        self, plan: ExecutionPlan, batches: Sequence[Tensor]
    ) -> tuple[list[object], LogitReader, bool]:
        # Some quantized layers refuse inputs that require gradients.
        with torch.inference_mode(False), torch.no_grad():
            answers = [self._run(plan, batch) for batch in batches]
        return answers, self._choose(answers, len(batches[0])), False

    def _choose(self, answers: Sequence[object], count: int) -> LogitReader:
        """The reader for the answers to several batches of `count` images each."""
        said = self.said
        labels = None if said.labels is None else len(said.labels)
        return choose_reader(
            answers, count, self.name, head=said.head, returns=said.returns, output=said.output, labels=labels
        )

    def _run(self, plan: ExecutionPlan, pixels: Tensor) -> object:
        shape = "x".join(map(str, pixels.shape[1:]))
        with guarded(self.name, f"take images of {shape}"):
            return plan(self.normalize(pixels))

    def _depends_on_batch(
        self, plan: ExecutionPlan, reader: LogitReader, images: Tensor, rows: Float[Tensor, "n k"]
    ) -> bool:
        """Whether the logits of an image change with the rest of the batch; raises if they change by themselves."""
        before = torch.get_rng_state()
        alone = self._alone(plan, reader, images)
        differs = not self._same(alone, rows)
        if not differs and torch.equal(before, torch.get_rng_state()):
            return False
        if not self._same(alone, self._alone(plan, reader, images)):
            raise ClassifierError(
                f"the same logits from {self.name} whenever it is given the same image",
                "other logits at the second call",
                "remove what is random in forward, such as dropout that ignores eval()",
            )
        if differs:
            text = (
                f"the logits of {self.name} depend on the rest of a batch: it gets one image at a time, which is slow"
            )
            warnings.warn(text, ClassifierWarning, stacklevel=2)
        return differs

    def _alone(self, plan: ExecutionPlan, reader: LogitReader, images: Tensor) -> Float[Tensor, "n k"]:
        with torch.inference_mode(False), torch.no_grad():
            return torch.cat([reader.rows(self._run(plan, image), 1, self.name) for image in images.split(1)])

    def _same(self, one: Float[Tensor, "n k"], other: Float[Tensor, "n k"]) -> bool:
        if one.shape != other.shape:
            return False
        tolerance = SAME_IN_HALF if self.dtype in (torch.float16, torch.bfloat16) else SAME
        one, other = one.double(), other.double()
        finite = torch.isfinite(one) & torch.isfinite(other)
        if not bool(finite.any()):
            return True
        scale = one[finite].abs().max().clamp(min=1e-6)
        return bool(((one - other)[finite].abs() <= tolerance * scale).all())

    def _with_advice(self, error: UnveilError) -> UnveilError:
        """The error, with the size that the network takes, where one of the usual sizes works."""
        if len(self.preprocessing.crop) != 2 or not error.expected.startswith(f"{self.name} to take images"):
            return error
        channels = self.preprocessing.channels
        if self._takes(channels, *self.preprocessing.crop):
            return error
        for number in dict.fromkeys((channels, 3, 1)):
            for side in SIDES:
                if number == channels and (side, side) == self.preprocessing.crop:
                    continue
                if self._takes(number, side, side):
                    do = f"it takes images of {number}x{side}x{side}: give a preprocessing with this size and channels"
                    return type(error)(error.expected, error.got, do)
        return error

    def _takes(self, channels: int, height: int, width: int) -> bool:
        plan = ExecutionPlan(self.network, self.dtype, memory_format=torch.contiguous_format)
        blank = torch.zeros(1, channels, height, width, dtype=self.dtype, device=self.device)
        try:
            with torch.no_grad():
                self._choose([plan(blank)], 1)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            return False
        except (Exception, SystemExit):  # noqa: BLE001 (a stranger's network may raise anything)
            return False
        return True


def _has_silent_operations(rows: Tensor) -> bool:
    """Whether the graph has operations without a derivative, which PyTorch passes with a warning (int8 layers)."""
    seen, waiting = set(), [rows.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        if "NotImplemented" in node.name():
            return True
        seen.add(node)
        waiting.extend(parent for parent, _ in node.next_functions)
    return False
