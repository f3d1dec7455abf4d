"""Execution plans: a network with the precision that it runs in."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# Their weights stay in fp32: a running variance rounded to three digits would shift a whole channel.
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm)


@dataclass(frozen=True, eq=False)
class ExecutionPlan:
    """A network and the precision of its computations.

    Attributes:
        network: The network, which maps normalized pixels to logits.
        dtype: The type of its inputs and weights.
        autocast: Whether PyTorch runs operations in bf16 where it supports that; inputs and weights keep their type.
    """

    network: nn.Module
    dtype: torch.dtype
    autocast: bool = False

    def __call__(self, inputs: Tensor) -> object:
        """Compute the output of the network: logits, for a classifier."""
        inputs = inputs.to(self.dtype)
        if inputs.ndim == 4:
            # Convolutions on the CPU and on tensor cores are faster with channels next to each other.
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.autocast):
            return self.network(inputs)

    def in_bf16(self, blank: Tensor) -> "ExecutionPlan":
        """Make the plan in bf16: a copy with bf16 weights, or autocast for a network that can't run with these.

        `blank` is an input to try.
        """
        plan = ExecutionPlan(_copy_in_bf16(self.network), torch.bfloat16)
        try:
            with torch.no_grad():
                plan(blank)
        except RuntimeError:
            # The network creates tensors in fp32, or has an operation that doesn't accept mixed precisions.
            return ExecutionPlan(self.network, self.dtype, autocast=True)
        return plan


def _copy_in_bf16(network: nn.Module) -> nn.Module:
    """A copy with bf16 weights, made without a second copy in fp32, which would be the peak memory of a run."""
    converted: dict[int, object] = {}
    for part in network.modules():
        if not isinstance(part, NORMS):
            for weight in part.parameters(recurse=False):
                if weight.is_floating_point():
                    converted[id(weight)] = nn.Parameter(weight.detach().to(torch.bfloat16), requires_grad=False)
            for buffer in part.buffers(recurse=False):
                if buffer.is_floating_point():
                    converted[id(buffer)] = buffer.to(torch.bfloat16)
    # Entries of the memo are used in place of copies.
    return copy.deepcopy(network, converted)
