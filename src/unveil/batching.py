"""Batches: of what comes one by one, and of work, smaller where the memory doesn't hold them."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import torch

Item = TypeVar("Item")


class AdaptiveBatches:
    """How many items are worked on at a time: `size` at most, and half of it from the first time that the memory
    doesn't hold them."""

    def __init__(self, size: int) -> None:
        self.size = size

    def over(self, first: int, stop: int, work: Callable[[int, int], None]) -> None:
        """`work(start, end)` for items from `first` on to before `stop`, in their order.

        Work that runs out of memory is tried again with half as many items, so it must change nothing before it is
        done. What doesn't fit for a single item is raised.
        """
        start = first
        while start < stop:
            end = min(start + self.size, stop)
            if self._fits(start, end, work):
                start = end

    def _fits(self, start: int, end: int, work: Callable[[int, int], None]) -> bool:
        try:
            work(start, end)
        except RuntimeError as error:
            if end - start == 1 or not out_of_memory(error):
                raise
        else:
            return True
        # Here the error is gone, and with it the frames that kept the tensors of the attempt.
        self.size = max(1, (end - start) // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return False


def out_of_memory(error: RuntimeError) -> bool:
    """True for what PyTorch raises when an allocation fails, on a device or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def batched(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """`size` items at a time, in their order, the last batch with what is left; no more than a batch is held.

    As `itertools.batched`, which Python 3.11 doesn't have.
    """
    waiting = iter(items)
    while batch := tuple(islice(waiting, size)):
        yield batch
