"""The output of an ONNX file that holds one row of numbers per image, and whether they are logits or probabilities."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from unveil.classifiers.black_box import Returns
from unveil.errors import ClassifierError
from unveil.predictions import Output

# Where several outputs have one row per image: these names, in this order.
NAMES = (r"logits", r".*logits", r"(output|logits|scores?|prob).*")
LINEAR = {"Gemm", "MatMul", "Conv", "Sub", "GlobalAveragePool", "AveragePool", "Einsum", "BatchNormalization"}
LINEAR |= {"FusedMatMul", "MatMulInteger", "QLinearMatMul", "QLinearConv", "QGemm", "LayerNormalization"}
# How far sums of probabilities are from 1; more in 8 bits, which is known by the file's last operations alone.
ROUNDING, HALF_ROUNDING, QUANTIZED_TOLERANCE = 1e-3, 1e-2, 0.05
RANGE_TOLERANCE = 1e-6


def output_rows(values: Any, count: int) -> np.ndarray | None:
    """One row of floating-point numbers for each of `count` images: (n, k), (n, k, 1, 1), (n), or (k) for one image.

    None for whatever is something else, such as the numbers of labels, or a map.

    >>> output_rows(np.zeros((2, 3, 1, 1)), 2).shape, output_rows(np.zeros((2, 3, 7, 7)), 2)
    ((2, 3), None)
    """
    if not isinstance(values, np.ndarray) or not np.issubdtype(values.dtype, np.floating) or not values.size:
        return None
    if values.ndim == 1:
        return values[:, None] if len(values) == count else values[None] if count == 1 else None
    if values.ndim == 0 or len(values) != count or any(side != 1 for side in values.shape[2:]):
        return None
    return values.reshape(values.shape[:2])


def choose_output(
    rows: Mapping[str, np.ndarray | None], wanted: str, labels: tuple[str, ...] | None, source: str
) -> str:
    """The name of the output to use, of those that give `rows` (None: something else than one row per image).

    It is the one called `wanted`; if that is empty, the only one with rows; of several, the only one that fits
    `labels`, else one whose name says so (`NAMES`). Raises `ClassifierError` where none or several are left.
    """
    if wanted:
        if rows.get(wanted) is None:
            do = "name one of its outputs: onnx/FILE:OUTPUT"
            raise ClassifierError("an output with one row of numbers per image", f"{wanted} of {source}", do)
        return wanted
    sizes = {name: values.shape[1] for name, values in rows.items() if values is not None}
    if not sizes:
        raise ClassifierError("an output with one row of numbers per image", source, "export the classifier alone")
    if len(sizes) > 1 and labels is not None:
        kept = [name for name, size in sizes.items() if size == len(labels)]
        if not kept and len(labels) == 2:  # two names may belong to one logit
            kept = [name for name, size in sizes.items() if size == 1]
        sizes = {name: sizes[name] for name in kept} or sizes
    if len(sizes) == 1:
        return next(iter(sizes))
    for pattern in NAMES:
        named = [name for name in sizes if re.fullmatch(pattern, name, re.IGNORECASE)]
        if len(named) == 1:
            return named[0]
    do = f"name the one with the logits: onnx/FILE:OUTPUT, with {' or '.join(sizes)}"
    raise ClassifierError("one output with one row of numbers per image", source, do)


def read_meaning(
    rows: Float[np.ndarray, "n k"], operations: frozenset[str], output: Output | None, source: str
) -> tuple[Returns, Output, str]:
    """What rows for several different images are, how they become probabilities, and why (empty for plain logits).

    Rows in [0, 1] that add up to 1 are probabilities. So are those in [0, 1] behind a sigmoid, by the file's last
    `operations`. Raises `ClassifierError` where rows may be either, and for an `output` that they contradict.
    """
    usual = output if output is not None else Output.SIGMOID if rows.shape[1] == 1 else Output.SOFTMAX
    values = rows.astype(np.float64)
    inside = bool(((values >= -RANGE_TOLERANCE) & (values <= 1 + RANGE_TOLERANCE)).all())
    tolerance = HALF_ROUNDING if rows.dtype == np.float16 else ROUNDING
    if not inside:
        if output is Output.SIGMOID and rows.shape[1] > 1 and _add_up(np.exp(values.clip(max=1)), tolerance):
            got = f"{output} for {source}, whose rows are logarithms of probabilities that add up to 1"
            raise ClassifierError("the output softmax", got, "leave --output out")
        return Returns.LOGITS, usual, ""
    bare = operations - {"Clip"}
    if rows.shape[1] > 1 and _add_up(values, tolerance if bare != {"Softmax"} else QUANTIZED_TOLERANCE):
        if output is Output.SIGMOID:
            got = f"{output} for {source}, whose rows lie in [0, 1] and add up to 1"
            raise ClassifierError("the output softmax", got, "leave --output out")
        return Returns.PROBABILITIES, Output.SOFTMAX, "in [0, 1] and add up to 1"
    if bare and bare <= {"Sigmoid", "HardSigmoid", "Softmax"}:
        if output is Output.SOFTMAX:
            got = f"{output} for {source}, which ends in {' and '.join(sorted(bare))}"
            raise ClassifierError("the output sigmoid", got, "leave --output out")
        return Returns.PROBABILITIES, Output.SIGMOID, f"in [0, 1] and come from {' and '.join(sorted(bare))}"
    if output is Output.SOFTMAX or (operations and operations <= LINEAR):
        return Returns.LOGITS, usual, ""
    got = f"{source}, whose rows are in [0, 1] and may be probabilities (last: {', '.join(sorted(operations)) or '?'})"
    do = "export it without its last step, or call it in a BlackBox that says what it returns"
    raise ClassifierError("logits, or probabilities behind a softmax or sigmoid", got, do)


def _add_up(values: np.ndarray, tolerance: float) -> bool:
    return bool((np.abs(values.sum(1) - 1) <= tolerance).all())
