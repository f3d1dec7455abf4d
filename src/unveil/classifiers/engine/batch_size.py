"""How many images to ask about at a time."""

import time
from collections.abc import Callable

import torch

from unveil.batching import is_out_of_memory

SMALLEST, LARGEST = 8, 256
GAIN = 1.1  # a batch twice as large has to do so much more a second to be worth its memory
ENOUGH_S = 0.25  # a batch that takes longer keeps any device busy

Ask = Callable[[int], None]


def size_for_cpu() -> int:
    """8, or one image a thread if there are more.

    Measured and not probed: on two cores batches of 8 are as fast as any (docs/speed.md), and a number that depends on
    the clock would make two runs differ in their last bits.
    """
    return max(SMALLEST, torch.get_num_threads())


def probe(ask: Ask, clock: Callable[[], float] = time.perf_counter) -> int:
    """The smallest batch after which doubling doesn't pay: less than `GAIN` more images a second, out of memory, or
    `ENOUGH_S` a batch. `ask(n)` asks about n images and waits for the answer."""
    ask(SMALLEST)  # The first call pays for what is made once.
    best, size, seconds = 0.0, SMALLEST, 0.0
    while size <= LARGEST and seconds < ENOUGH_S:
        try:
            started = clock()
            ask(size)
            seconds = clock() - started
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            break
        if size / seconds < GAIN * best:
            break
        best, size = size / seconds, 2 * size
    return max(SMALLEST, size // 2)
