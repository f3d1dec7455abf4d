"""Probabilities and what is predicted, against the formulas in exact or slow arithmetic."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unveil.predictions import Output, Prediction, ProbeOutput

LOGITS = st.lists(st.floats(-300, 300), min_size=1, max_size=8).map(np.array)


@given(LOGITS)
def test_softmax(logits):
    probabilities = Prediction(logits, Output.SOFTMAX).probabilities
    expected = [1 / math.fsum(math.exp(min(700.0, other - one)) for other in logits) for one in logits]
    np.testing.assert_allclose(probabilities, expected, rtol=1e-9, atol=1e-300)
    assert probabilities.sum() == pytest.approx(1)


@given(LOGITS)
def test_sigmoid(logits):
    expected = [1 / (1 + math.exp(-one)) for one in logits]
    np.testing.assert_allclose(Prediction(logits, Output.SIGMOID).probabilities, expected, rtol=1e-12)


def test_large_logits_do_not_overflow():
    assert Prediction(np.array([1e30, 0.0]), Output.SOFTMAX).probabilities.tolist() == [1, 0]
    assert Prediction(np.array([1e30, -1e30]), Output.SIGMOID).probabilities.tolist() == [1, 0]


@given(LOGITS, st.floats(0.01, 0.99))
def test_what_is_predicted(logits, threshold):
    softmax, sigmoid = (Prediction(logits, output) for output in Output)
    assert softmax.predicted(threshold) == (max(range(len(logits)), key=lambda i: (logits[i], -i)),)
    order = sorted(range(len(logits)), key=lambda i: (-logits[i], i))
    assert softmax.leading(3) == tuple(order[:3])
    p = sigmoid.probabilities
    assert sigmoid.predicted(threshold) == tuple(i for i in order if p[i] >= threshold)


MANY = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)


@given(MANY, st.floats(-4e-4, 4e-4), st.integers(0, 39))
def test_a_probe_is_matched_by_rounding_and_not_by_another_output(values, rounding, place):
    logits = np.array(values)
    probe = ProbeOutput.from_logits(logits)
    assert probe.logits == tuple(values[:16])
    assert probe.matches(ProbeOutput.from_logits(logits * (1 + rounding)))
    other = logits.copy()
    other[place % len(other)] += 1 + 3 * np.linalg.norm(logits)
    assert not probe.matches(ProbeOutput.from_logits(other))


def test_a_probe_of_another_number_of_logits_never_matches():
    assert not ProbeOutput((1.0, 0.0), 1.0).matches(ProbeOutput((1.0,), 1.0))
    assert ProbeOutput((0.0, 0.0), 0.0).matches(ProbeOutput((0.0, -0.0), 0.0))
