"""The probe finds the batch size after which doubling gains nothing, on a simulated clock."""

import pytest
import torch

from unveil.classifiers.engine import batch_size
from unveil.classifiers.engine.batch_size import probe


class Device:
    """Simulates `fixed` seconds per batch, `each` seconds per image, and memory for `memory` images."""

    def __init__(self, fixed: float, each: float, memory: int = 10**9) -> None:
        self.fixed, self.each, self.memory = fixed, each, memory
        self.now, self.batches = 0.0, []

    def run(self, count: int) -> None:
        self.batches.append(count)
        if count > self.memory:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.now += self.fixed + self.each * count

    def clock(self) -> float:
        return self.now


def rate(device: Device, size: int) -> float:
    return size / (device.fixed + device.each * size)


@pytest.mark.parametrize(
    ("fixed", "each"), [(0.0, 0.01), (0.01, 0.0), (0.005, 0.0002), (0.02, 0.001), (1e-4, 1e-4)], ids=str
)
def test_doubling_further_would_not_pay(fixed, each):
    device = Device(fixed, each)
    size = probe(device.run, device.clock)
    assert size == 8 or rate(device, size) >= 1.1 * rate(device, size // 2)
    assert size == 256 or rate(device, 2 * size) < 1.1 * rate(device, size)


def test_the_probe_ends_when_memory_runs_out():
    device = Device(0.01, 0.0, memory=40)
    assert probe(device.run, device.clock) == 32


def test_a_slow_device_runs_two_batches_only():
    device = Device(0.0, 0.1)
    assert probe(device.run, device.clock) == 8
    assert device.batches == [8, 8]


def test_a_batch_that_takes_long_is_large_enough():
    device = Device(0.2, 0.01)
    assert probe(device.run, device.clock) == 8


def test_other_errors_are_raised():
    def run(count):
        raise RuntimeError("no such kernel")

    with pytest.raises(RuntimeError, match="no such kernel"):
        probe(run)


def test_a_cpu_is_not_probed(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 48)
    assert batch_size.size_for_cpu() == 48
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert batch_size.size_for_cpu() == 8
