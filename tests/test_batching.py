"""Batches become smaller when the memory is full, and every item is worked on once, in order."""

import pytest
import torch

from unveil.attribution import AttributionRequest, SmoothGrad
from unveil.batching import AdaptiveBatches, batched, is_out_of_memory
from unveil.classifiers import BlackBox, Preprocessing, TorchClassifier
from unveil.errors import ClassifierError
from unveil.targets import TargetScore

MESSAGES = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to ..."),
]


@pytest.mark.parametrize("error", MESSAGES, ids=["device", "cpu"])
@pytest.mark.parametrize(("size", "fits", "left"), [(8, 3, 2), (8, 8, 8), (20, 1, 1), (3, 2, 1)])
def test_all_items_once_in_their_order(error, size, fits, left):
    done, tried = [], []

    def work(start, stop):
        tried.append(stop - start)
        if stop - start > fits:
            raise error
        done.extend(range(start, stop))

    batches = AdaptiveBatches(size)
    batches.over(2, 25, work)
    assert done == list(range(2, 25))
    assert batches.size == left
    assert max(tried[-3:]) <= fits, "what didn't fit isn't tried again"


def test_an_image_that_does_not_fit_alone_raises():
    def work(start, stop):
        raise MESSAGES[0]

    with pytest.raises(ClassifierError, match="enough memory for one image; got OutOfMemoryError: CUDA out of memory"):
        AdaptiveBatches(4).over(0, 4, work)


def test_other_errors_are_raised():
    def work(start, stop):
        raise RuntimeError("size mismatch")

    with pytest.raises(RuntimeError, match="size mismatch"):
        AdaptiveBatches(4).over(0, 4, work)
    assert not is_out_of_memory(RuntimeError("out of range"))


class Hungry(torch.nn.Module):
    """Has memory for two images at a time."""

    most = 100

    def forward(self, x):
        if len(x) > type(self).most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return x.square().sum((2, 3))


def test_gradients_and_logits_do_not_change_with_less_memory(monkeypatch):
    classifier = TorchClassifier(Hungry(), Preprocessing.square(8, (0.0,) * 3, (1.0,) * 3))
    requested = AttributionRequest(classifier, torch.rand(3, 8, 8), [TargetScore("red", ((0, 1.0),))], "key", 8)
    images = torch.rand(5, 3, 8, 8)
    before, text = SmoothGrad(samples=10).attribute(requested), classifier.predict(images)
    monkeypatch.setattr(Hungry, "most", 2)
    after, again = SmoothGrad(samples=10).attribute(requested), classifier.predict(images)
    assert torch.allclose(before.all.total, after.all.total, rtol=1e-6)
    for one, other in zip(text, again, strict=True):
        assert one.logits == pytest.approx(other.logits)


def test_a_black_box_that_is_too_large_for_a_batch_gets_one_image_at_a_time():
    def function(pixels):
        if len(pixels) > 1:
            raise MemoryError("no room")
        return pixels.mean((2, 3))

    pixels = torch.rand(2, 3, 8, 8)
    box = BlackBox(function, Preprocessing.square(8, (0.0,) * 3, (1.0,) * 3))
    expected = pixels.double().mean((2, 3))
    assert [list(row.logits) for row in box.predict(pixels)] == [pytest.approx(row.tolist()) for row in expected]


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (3, [3]), (7, [3, 3, 1])])
def test_batches_contain_every_item_once_and_are_lazy(count, sizes):
    taken = []
    batches = batched((taken.append(item) or item for item in range(count)), 3)
    assert taken == []
    result = list(batches)
    assert [len(batch) for batch in result] == sizes
    assert [item for batch in result for item in batch] == taken == list(range(count))
