"""What a network returns, and how it becomes logits: one row per image, one column per label.

Networks return tensors, tuples, dictionaries or dataclasses; logits or probabilities; several heads; one logit for two
classes. `LogitReader` is decided once, from the first answers of a network, and is the same for every later call.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from unveil.classifiers.output_heads import Head, as_rows, choose_head, follow, head_name, not_rows
from unveil.errors import ClassifierError, UnveilWarning
from unveil.predictions import Output

SUM_TOLERANCE = 1e-3  # of rows of probabilities in fp32; half precision rounds their sum to 1e-2
HALF_SUM_TOLERANCE = 2e-2
POSITIVE = "positive"  # the label of a single logit without a name


class Returns(StrEnum):
    """What a network returns for each label."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"


class ClassifierWarning(UnveilWarning):
    """A classifier works, but in another way than it may be expected to."""


@dataclass(frozen=True)
class LogitReader:
    """How the logits are read from what a network returns.

    - `head`: keys and positions that lead to the tensor; empty for a network that returns it directly.
    - `returns`: probabilities p become logits: log p for softmax, log p − log(1 − p) for sigmoid.
    - `columns`: the number of logits per image that the network returns.
    - `two_sided`: a single logit z of a network with two labels becomes (−z, z).

    >>> reader = LogitReader(("logits",))
    >>> reader({"logits": torch.tensor([[1.0, 2.0]])}, 1, "a network")
    tensor([[1., 2.]])
    """

    head: Head = ()
    returns: Returns = Returns.LOGITS
    output: Output = Output.SOFTMAX
    columns: int = 0
    two_sided: bool = False

    def name_labels(self, labels: Sequence[str] | None) -> tuple[str, ...]:
        """The given labels, or `class 0`, `class 1`, …; `positive` for a single logit without a name."""
        if labels is not None:
            return tuple(labels)
        return (POSITIVE,) if self.columns == 1 else tuple(f"class {index}" for index in range(self.columns))

    def __call__(self, returned: object, count: int, name: str) -> Float[Tensor, "n k"]:
        """Logits of `count` images; differentiable. Raises `ClassifierError` for anything but one row per image."""
        rows = self.rows(returned, count, name)
        # Half precision has too few digits for a logarithm, and for sums of logits.
        rows = rows if rows.dtype is torch.float64 else rows.float()
        if self.returns is Returns.PROBABILITIES:
            rows = probabilities_to_logits(rows, self.output)
        return torch.cat([-rows, rows], dim=1) if self.two_sided else rows

    def rows(self, returned: object, count: int, name: str) -> Float[Tensor, "n k"]:
        """The tensor of the head, one row per image, as the network returns it."""
        try:
            tensor = follow(returned, self.head)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            got = f"{type(returned).__name__} without {head_name(self.head)}"
            raise ClassifierError(f"the same kind of output from {name} for every image", got, "fix forward") from error
        rows = as_rows(tensor, count)
        if rows is None:
            raise not_rows(name, tensor, count)
        return rows


def choose_returns(
    rows: Sequence[Float[Tensor, "n k"]], name: str, returns: Returns | None, output: Output | None
) -> Returns:
    """Whether rows are logits or probabilities, from the answers to several different images.

    Rows in [0, 1] that add up to 1 for all of them are the result of a softmax, and a result of `torch.sigmoid` is
    known by its autograd node. Says so with a `ClassifierWarning`, unless `returns` says it already. Raises
    `ClassifierError` for probabilities whose kind contradicts `output`.
    """
    if returns is not None:
        return returns
    if all(map(_adds_up_to_one, rows)):
        if output is Output.SIGMOID:
            raise ClassifierError(
                f"independent labels (sigmoid) from {name}",
                "rows that lie in [0, 1] and add up to 1, as those of softmax",
                "use output softmax, or returns logits if these are logits",
            )
        _warn(f"{name} returns probabilities (rows add up to 1): their logarithms are taken as logits")
        return Returns.PROBABILITIES
    if all(map(_is_sigmoid, rows)):
        if output is Output.SOFTMAX:
            raise ClassifierError(
                f"logits or softmax probabilities from {name}",
                "values after a sigmoid, one probability per label",
                "use output sigmoid, or returns logits if these are logits",
            )
        _warn(f"{name} ends in a sigmoid: log p − log(1 − p) is taken as logit")
        return Returns.PROBABILITIES
    return Returns.LOGITS


def infer_output(
    rows: Float[Tensor, "n k"], returns: Returns, output: Output | None, otherwise: Output, name: str
) -> Output:
    """Softmax or sigmoid: what the caller says; sigmoid for a single logit and behind a sigmoid; else `otherwise`.

    Raises `ClassifierError` for the softmax of a single logit, which is 1 for every image.
    """
    single = rows.shape[1] == 1
    if output is Output.SOFTMAX and single:
        got = f"one logit per image from {name}: its softmax is 1 for every image"
        raise ClassifierError("two or more logits for softmax", got, "use output sigmoid")
    if output is not None:
        return output
    behind_sigmoid = returns is Returns.PROBABILITIES and not _adds_up_to_one(rows) and _is_sigmoid(rows)
    return Output.SIGMOID if single or behind_sigmoid else otherwise


def choose_reader(
    answers: Sequence[object],
    count: int,
    name: str,
    *,
    head: str | None = None,
    returns: Returns | None = None,
    output: Output | None = None,
    otherwise: Output = Output.SOFTMAX,
    labels: int | None = None,
) -> LogitReader:
    """The reader for a network that gave these `answers` to several batches of `count` images each.

    `head`, `returns`, `output`: what the caller says; None decides by the answers, with `otherwise` as the output of
    logits that say nothing. `labels`: the number of labels, if known.

    Raises `ClassifierError` for answers that can't be logits, and for a number of labels that doesn't fit.
    """
    reader = LogitReader(choose_head(answers[0], count, name, head, labels))
    rows = [reader.rows(answer, count, name) for answer in answers]
    kind = choose_returns(rows, name, returns, output)
    meaning = infer_output(rows[0], kind, output, otherwise, name)
    columns = rows[0].shape[1]
    two_sided = columns == 1 and labels == 2
    if labels is not None and labels != columns and not two_sided:
        raise ClassifierError(f"{columns} labels for {name}", f"{labels}", "give one name per logit (--labels)")
    return replace(reader, returns=kind, output=meaning, columns=columns, two_sided=two_sided)


def parse_returns(returns: Returns | str | None) -> Returns | None:
    """`logits` or `probabilities`; None stays None. Raises `ClassifierError` for anything else."""
    try:
        return None if returns is None else Returns(returns)
    except ValueError as error:
        raise ClassifierError("returns logits or probabilities", repr(returns), "choose one of them") from error


def parse_output(output: Output | str | None) -> Output | None:
    """`softmax` or `sigmoid`; None stays None. Raises `ClassifierError` for anything else."""
    try:
        return None if output is None else Output(output)
    except ValueError as error:
        raise ClassifierError("an output softmax or sigmoid", repr(output), "choose one of them") from error


def probabilities_to_logits(probabilities: Float[Tensor, "n k"], output: Output) -> Float[Tensor, "n k"]:
    """log p for softmax, log p − log(1 − p) for sigmoid, with p no smaller than the smallest number of its precision.

    Raises `ClassifierError` for values outside of [0, 1].
    """
    values = probabilities.detach()
    if bool((values < -1e-6).any()) or bool((values > 1 + 1e-6).any()):
        got = f"{float(values.min()):.4g} to {float(values.max()):.4g}"
        raise ClassifierError("probabilities in [0, 1]", got, "say that the model returns logits")
    smallest = torch.finfo(probabilities.dtype).tiny
    log = probabilities.clamp(smallest, 1).log()
    if output is Output.SOFTMAX:
        return log
    # 1 − p has no digits below the resolution at 1, which bounds the logit of a saturated sigmoid.
    return log - (1 - probabilities).clamp(torch.finfo(probabilities.dtype).eps / 2, 1).log()


def _adds_up_to_one(rows: Float[Tensor, "n k"]) -> bool:
    values = rows.detach()
    if values.shape[1] < 2 or not bool(((values >= 0) & (values <= 1)).all()):
        return False
    tolerance = HALF_SUM_TOLERANCE if values.dtype in (torch.float16, torch.bfloat16) else SUM_TOLERANCE
    return bool(((values.double().sum(1) - 1).abs() <= tolerance).all())


def _is_sigmoid(rows: Float[Tensor, "n k"]) -> bool:
    node: Any = rows.grad_fn
    # Views and changes of precision after the sigmoid don't matter.
    passing = ("View", "Reshape", "Unsqueeze", "Squeeze", "ToCopy", "Alias", "Clone", "Slice")
    while node is not None and node.name().startswith(passing):
        node = node.next_functions[0][0] if node.next_functions else None
    return node is not None and node.name().startswith("SigmoidBackward")


def _warn(text: str) -> None:
    warnings.warn(text, ClassifierWarning, stacklevel=2)
