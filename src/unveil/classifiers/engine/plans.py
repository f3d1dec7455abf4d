"""Execution plans: a network with the precision that it runs in."""

import copy
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

# So much depends on how a batch is summed, as a share of a logit's size.
FP32_ROUNDING, BF16_ROUNDING = 1e-5, 2**-8
# Their weights stay in fp32: a running variance rounded to three digits would shift a whole channel.
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm)


@dataclass(frozen=True, eq=False)
class ExecutionPlan:
    """A network, and the precision and memory format of its computations.

    Attributes:
        network: The network, which maps normalized pixels to what holds the logits.
        dtype: The type of its inputs and weights.
        autocast: Whether PyTorch runs operations in bf16 where it supports that; inputs and weights keep their type.
        memory_format: Memory format of images; channels last is faster for convolutions on CPUs and tensor cores.
    """

    network: nn.Module
    dtype: torch.dtype
    autocast: bool = False
    memory_format: torch.memory_format = torch.channels_last

    def __call__(self, inputs: Tensor) -> object:
        """Compute the output of the network: logits, for a classifier."""
        inputs = inputs.to(self.dtype)
        if inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=self.memory_format)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.autocast), self._script_mode():
            return self.network(inputs)

    def _script_mode(self) -> AbstractContextManager[None]:
        # TorchScript's optimizer changes a network after its first calls: other rounding, and an autograd graph of
        # whole pieces, in which backward rules can't be applied.
        if not self._is_scripted:
            return nullcontext()
        return torch.jit.optimized_execution(False)  # pyright: ignore[reportPrivateImportUsage]

    @cached_property
    def _is_scripted(self) -> bool:
        return any(isinstance(part, torch.jit.ScriptModule) for part in self.network.modules())

    @property
    def rounding(self) -> float:
        """Logits that differ by less than this share of their size count as equal."""
        return BF16_ROUNDING if self.autocast or self.dtype is torch.bfloat16 else FP32_ROUNDING

    def in_bf16(self, blank: Tensor) -> "ExecutionPlan":
        """Make the plan in bf16: a copy with bf16 weights, or autocast for a network that can't run with these.

        `blank` is an input to try.
        """
        plan = ExecutionPlan(_copy_in_bf16(self.network), torch.bfloat16, memory_format=self.memory_format)
        try:
            with torch.no_grad():
                plan(blank)
        except Exception:  # noqa: BLE001 (a stranger's network may raise anything)
            # The network creates tensors in fp32, or has an operation that doesn't accept mixed precisions.
            return ExecutionPlan(self.network, self.dtype, autocast=True, memory_format=self.memory_format)
        return plan


def _copy_in_bf16(network: nn.Module) -> nn.Module:
    """A copy with bf16 weights, made without a second copy in fp32, which would be the peak memory of a run."""
    converted: dict[int, object] = {}
    for part in network.modules():
        if not _is_norm(part):
            for weight in part.parameters(recurse=False):
                if weight.is_floating_point():
                    converted[id(weight)] = nn.Parameter(weight.detach().to(torch.bfloat16), requires_grad=False)
            for buffer in part.buffers(recurse=False):
                if buffer.is_floating_point():
                    converted[id(buffer)] = buffer.to(torch.bfloat16)
    # Entries of the memo are used in place of copies.
    return copy.deepcopy(network, converted)


def _is_norm(part: nn.Module) -> bool:
    # Norms of exported and scripted networks are known by their statistics alone.
    return isinstance(part, NORMS) or any(name == "running_var" for name, _ in part.named_buffers(recurse=False))
