"""Counts the images that networks are given, forward and backward, so that methods can be compared at equal cost."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from torch import Tensor


@dataclass
class PassCount:
    """Images that went through networks, added up over batches.

    Attributes:
        forward: Images whose logits were computed.
        backward: Images whose gradient was computed: one for each image and each score it was computed for.
    """

    forward: int = 0
    backward: int = 0

    @property
    def total(self) -> int:
        """Forward and backward passes together."""
        return self.forward + self.backward


_COUNTS: ContextVar[tuple[PassCount, ...]] = ContextVar("counts", default=())


@contextmanager
def counting_passes() -> Iterator[PassCount]:
    """Count all passes of all classifiers in this block, also inside of an outer block that counts.

    >>> import torch
    >>> from unveil import load_classifier
    >>> classifier = load_classifier("planted/demo")
    >>> with counting_passes() as count:
    ...     _ = classifier.predict(torch.rand(3, 3, 128, 128))
    >>> count
    PassCount(forward=3, backward=0)
    """
    count = PassCount()
    token = _COUNTS.set((*_COUNTS.get(), count))
    try:
        yield count
    finally:
        _COUNTS.reset(token)


def count_passes(logits: Tensor) -> Tensor:
    """Count the images of a batch, and again each time that a gradient of its logits is computed; returns `logits`."""
    counts = _COUNTS.get()
    if not counts:
        return logits
    images = len(logits)

    def count_backward(_: Tensor) -> None:
        for count in counts:
            count.backward += images

    for count in counts:
        count.forward += images
    if logits.requires_grad:
        logits.register_hook(count_backward)
    return logits
