"""Time, memory and speed of this machine, for the benchmarks of speed."""

import ctypes
import gc
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torchvision
from torch import nn


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak(digits: torch.dtype) -> float:
    """GFLOP/s of a product of two 2048 x 2048 matrices, the best of six: by PyTorch's product or as a convolution of
    1 x 1, whichever is faster (the libraries behind them differ, by a factor of two in fp32 on some processors)."""
    one = torch.randn(2048, 2048).to(digits)
    layer = nn.Conv2d(2048, 2048, 1, bias=False).to(digits).to(memory_format=torch.channels_last)
    grid = one.T[None, :, :, None].contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        ways = (lambda: one @ one, lambda: layer(grid))
        return max(2 * 2048**3 / timed(way) / 1e9 for way in ways for _ in range(6))


def high_water_mib() -> int:
    """Largest resident memory of this process so far. Not ru_maxrss, which a child takes over from its parent."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def rss_mib() -> int:
    """Resident memory now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() // 2**20


def kept_mib() -> int:
    """Resident memory without what the allocator holds for later."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return rss_mib()


def machine() -> dict:
    """What the times belong to."""
    lines = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
    first = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in reversed(lines))}
    return {
        "processor": first.get("model name") or platform.processor(),
        "family": first.get("cpu family"),  # where a machine hides its model: 25 is AMD's Zen 3 and 4, 26 is Zen 5
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "python": platform.python_version(),
    }
