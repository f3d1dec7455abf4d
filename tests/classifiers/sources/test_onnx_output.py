"""Which output is taken, and what its rows are."""

import numpy as np
import pytest

from unveil.classifiers.black_box import Returns
from unveil.classifiers.sources.onnx_output import choose_output, output_rows, read_meaning
from unveil.errors import ClassifierError
from unveil.predictions import Output

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(6, 4)) * 3
SOFTMAX = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
SIGMOID = 1 / (1 + np.exp(-LOGITS))
ROWS = {"a": np.zeros((2, 4)), "b": np.zeros((2, 3)), "one": np.zeros((2, 1)), "map": None}


@pytest.mark.parametrize(
    ("values", "count", "expected"),
    [
        (np.arange(6.0).reshape(2, 3), 2, [[0, 1, 2], [3, 4, 5]]),
        (np.arange(6.0).reshape(2, 3, 1, 1), 2, [[0, 1, 2], [3, 4, 5]]),
        (np.arange(2.0), 2, [[0], [1]]),
        (np.arange(3.0), 1, [[0, 1, 2]]),
        (np.arange(3.0), 2, None),
        (np.arange(6.0).reshape(3, 2), 2, None),
        (np.arange(12.0).reshape(2, 3, 2), 2, None),
        (np.arange(2), 2, None),
        (np.float32(1), 1, None),
        (np.zeros((0, 3)), 0, None),
        ([{"cat": 0.5}], 1, None),
    ],
)
def test_rows(values, count, expected):
    rows = output_rows(values, count)
    assert (None if rows is None else rows.tolist()) == expected


@pytest.mark.parametrize(
    ("names", "labels", "expected"),
    [
        (("map", "a"), None, "a"),
        (("a", "b"), 3, "b"),
        (("a", "b", "one"), 2, "one"),  # two names of one logit
        (("a", "logits:b"), None, "logits:b"),
        (("a", "logits"), None, "logits"),
        (("aux_logits", "logits"), None, "logits"),
        (("features", "class_logits"), None, "class_logits"),
        (("features", "output"), None, "output"),
        (("output1", "output2"), None, None),
        (("probabilities", "logits"), None, "logits"),
        (("a", "b"), 7, None),
    ],
)
def test_the_output_that_is_taken(names, labels, expected):
    rows = {name: ROWS.get(name, np.zeros((2, 5))) for name in names}
    given = None if labels is None else tuple("abcdefg"[:labels])
    if expected is None:
        with pytest.raises(ClassifierError, match=f"name the one .* with {names[0]} or {names[1]}"):
            choose_output(rows, "", given, "a file")
    else:
        assert choose_output(rows, "", given, "a file") == expected
        assert choose_output(rows, names[-1], given, "a file") == names[-1]


@pytest.mark.parametrize(
    ("rows", "operations", "output", "expected"),
    [
        (LOGITS, {"Gemm"}, None, (Returns.LOGITS, Output.SOFTMAX)),
        (LOGITS, set(), Output.SIGMOID, (Returns.LOGITS, Output.SIGMOID)),
        (LOGITS[:, :1], {"Gemm"}, None, (Returns.LOGITS, Output.SIGMOID)),
        # Small logits behind a linear layer stay logits.
        (SIGMOID, {"Gemm"}, None, (Returns.LOGITS, Output.SOFTMAX)),
        (SIGMOID, {"Div"}, Output.SOFTMAX, (Returns.LOGITS, Output.SOFTMAX)),
        (np.log(SOFTMAX), {"LogSoftmax"}, None, (Returns.LOGITS, Output.SOFTMAX)),
        # Written out with exponentials.
        (SOFTMAX, {"Exp"}, None, (Returns.PROBABILITIES, Output.SOFTMAX)),
        (SOFTMAX, set(), Output.SOFTMAX, (Returns.PROBABILITIES, Output.SOFTMAX)),
        (SOFTMAX.astype(np.float16), set(), None, (Returns.PROBABILITIES, Output.SOFTMAX)),
        (np.round(SOFTMAX * 255) / 255, {"Softmax"}, None, (Returns.PROBABILITIES, Output.SOFTMAX)),
        (SIGMOID, {"Sigmoid"}, None, (Returns.PROBABILITIES, Output.SIGMOID)),
        (SIGMOID, {"Sigmoid", "Clip"}, Output.SIGMOID, (Returns.PROBABILITIES, Output.SIGMOID)),
        # One of two labels' probabilities.
        (SOFTMAX[:, :1], {"Softmax"}, None, (Returns.PROBABILITIES, Output.SIGMOID)),
    ],
)
def test_what_rows_mean(rows, operations, output, expected):
    returns, meaning, reason = read_meaning(rows, frozenset(operations), output, "a file")
    assert (returns, meaning) == expected
    assert bool(reason) == (returns is Returns.PROBABILITIES)


@pytest.mark.parametrize(
    ("rows", "operations", "output", "message"),
    [
        (SOFTMAX, {"Softmax"}, Output.SIGMOID, "the output softmax; got sigmoid"),
        (np.log(SOFTMAX), {"LogSoftmax"}, Output.SIGMOID, "the output softmax; got sigmoid .* logarithms"),
        (SIGMOID, {"Sigmoid"}, Output.SOFTMAX, "the output sigmoid; got softmax"),
        (SIGMOID, {"Div"}, None, r"may be probabilities \(last: Div\)"),
        (SIGMOID, set(), Output.SIGMOID, r"may be probabilities \(last: \?\)"),
        (SIGMOID, {"Gemm", "Sigmoid"}, None, r"may be probabilities \(last: Gemm, Sigmoid\)"),
    ],
)
def test_what_rows_cannot_mean(rows, operations, output, message):
    with pytest.raises(ClassifierError, match=message):
        read_meaning(rows, frozenset(operations), output, "a file")
