"""Forks of a `MaskedClassifier`: what they share, and what they don't."""

import numpy as np
import pytest
import torch

from toys import Additive, square, toy
from unveil.fills import Mean
from unveil.masked import MaskedClassifier


@pytest.fixture
def masked() -> MaskedClassifier:
    """Two squares, one per label, seen through two classifiers: one for scores, one for comparisons."""
    weights = [[1.0, 0.0], [0.0, 1.0]]
    one, other = (toy(Additive([(4, 4, 8), (30, 30, 8)], weights, [offset, 0.0])) for offset in (0.0, 5.0))
    return MaskedClassifier(one, torch.ones(3, 48, 48), Mean(), "stream", 2, other)


def views(masked: MaskedClassifier, *corners: int) -> list:
    return [masked.view(square(corner, corner, 4)) for corner in corners]


def test_a_fork_knows_what_was_predicted_and_predicts_nothing_twice(masked):
    before = masked.predict(views(masked, 4, 30))
    fork = masked.fork()
    again = fork.predict(views(masked, 4, 30))
    assert fork.passes == masked.passes == 2
    for one, other in zip(before, again, strict=True):
        np.testing.assert_array_equal(one.logits, other.logits)


def test_neither_knows_what_the_other_predicts_later(masked):
    fork = masked.fork()
    fork.predict(views(masked, 4, 30, 10))
    fork.compared.predict(views(masked, 4))
    masked.predict(views(masked, 4))
    assert (fork.passes, masked.passes) == (4, 1)
    masked.compared.predict(views(masked, 4))
    assert (fork.passes, masked.passes) == (4, 2)


def test_the_classifier_for_comparisons_is_forked_too(masked):
    (prediction,) = masked.compared.predict(views(masked, 20))
    fork = masked.fork()
    (same,) = fork.compared.predict(views(masked, 20))
    assert fork.compared is not masked.compared
    # 8 x 8 pixels of three channels, and the other classifier's offset.
    assert prediction.logits[0] == same.logits[0] == pytest.approx(3 * 64 + 5)
    assert fork.passes == 1


def test_without_one_for_comparisons_the_fork_compares_by_itself(masked):
    alone = MaskedClassifier(masked.classifier, masked.pixels, Mean(), "stream", 2)
    assert alone.compared is alone
    fork = alone.fork()
    assert fork.compared is fork


def test_the_hook_is_called_before_every_batch_and_may_leave(masked):
    calls = []

    def hook() -> None:
        calls.append(len(calls))
        if len(calls) == 3:
            raise KeyboardInterrupt

    fork = masked.fork(hook)
    fork.predict(views(masked, 0, 2, 4))
    assert len(calls) == 2, "3 views in batches of 2"
    with pytest.raises(KeyboardInterrupt):
        fork.compared.predict(views(masked, 0))
    assert fork.passes == 3, "nothing was predicted after the hook left"
    masked.predict(views(masked, 0))
    assert len(calls) == 3, "the original has no hook"
