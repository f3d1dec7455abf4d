"""Batches of items, and of work that is split further when memory runs out."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import torch

from unveil.errors import ClassifierError, named_line

BatchItem = TypeVar("BatchItem")


class AdaptiveBatches:
    """Process items in batches, with half the batch size from the first time that memory runs out.

    Attributes:
        size: The largest number of items per batch.
    """

    def __init__(self, size: int) -> None:
        """Begin with batches of at most `size` items."""
        self.size = size

    def over(self, first: int, stop: int, work: Callable[[int, int], None]) -> None:
        """Call `work(start, end)` for consecutive ranges that cover `first <= item < stop`, in order.

        A call that runs out of memory is repeated with half as many items, so `work` must not change anything
        before it has succeeded. Raises `ClassifierError` if a single item needs more memory than there is.
        """
        start = first
        while start < stop:
            end = min(start + self.size, stop)
            if self._try(start, end, work):
                start = end

    def _try(self, start: int, end: int, work: Callable[[int, int], None]) -> bool:
        try:
            work(start, end)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if end - start == 1:
                raise ClassifierError(
                    "enough memory for one image", named_line(error), "use a smaller model"
                ) from error
        else:
            return True
        # The error is deleted here, and with it the frames that kept the tensors of the attempt.
        self.size = max(1, (end - start) // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return False


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether PyTorch raised `error` because an allocation failed, on a device or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def batched(items: Iterable[BatchItem], size: int) -> Iterator[tuple[BatchItem, ...]]:
    """Yield batches of `size` items in order; the last one may be shorter. At most one batch is held in memory.

    Equivalent to `itertools.batched`, which needs Python 3.12.

    >>> list(batched("abcde", 2))
    [('a', 'b'), ('c', 'd'), ('e',)]
    """
    iterator = iter(items)
    while batch := tuple(islice(iterator, size)):
        yield batch
