"""Chooses the batch size: how many images are predicted at a time."""

import time
from collections.abc import Callable

import torch

from unveil.batching import is_out_of_memory

SMALLEST, LARGEST = 8, 256
GAIN = 1.1  # images per second that a batch twice as large has to gain, as a factor, to be worth its memory
ENOUGH_S = 0.25  # s; a batch that takes longer keeps any device busy

RunBatch = Callable[[int], None]


def size_for_cpu() -> int:
    """Return 8, or the number of threads if that is larger.

    It isn't probed: on two cores batches of 8 are as fast as any other (docs/speed.md), and a size that depends on the
    clock would make two runs differ in their last bits.
    """
    return max(SMALLEST, torch.get_num_threads())


def probe(run_batch: RunBatch, clock: Callable[[], float] = time.perf_counter) -> int:
    """Find the smallest batch after which doubling doesn't pay.

    Doubling doesn't pay if the gain in images per second is below `GAIN`, if memory runs out, or if a batch takes
    `ENOUGH_S`. `run_batch(n)` predicts n images and waits until they are done; `clock` returns seconds.
    """
    run_batch(SMALLEST)  # The first call includes the cost of building the execution plan.
    best, size, seconds = 0.0, SMALLEST, 0.0
    while size <= LARGEST and seconds < ENOUGH_S:
        try:
            started = clock()
            run_batch(size)
            seconds = clock() - started
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            break
        if size / seconds < GAIN * best:
            break
        best, size = size / seconds, 2 * size
    return max(SMALLEST, size // 2)
