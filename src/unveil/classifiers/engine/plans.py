"""The forms in which a network runs: as it is, folded, and in half the digits."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# Their weights stay in fp32: a running variance with three digits would shift a whole channel.
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm)


@dataclass(frozen=True, eq=False)
class ExecutionPlan:
    """A network with the digits it computes in. `autocast`: inputs and weights stay as they are, and every operation
    takes bf16 where PyTorch says that it may."""

    network: nn.Module
    dtype: torch.dtype
    autocast: bool = False

    def __call__(self, inputs: Tensor) -> object:
        """What the network answers: logits, if it is a classifier."""
        inputs = inputs.to(self.dtype)
        if inputs.ndim == 4:
            # Convolutions on the CPU and on tensor cores are faster with channels next to each other.
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.autocast):
            return self.network(inputs)

    def in_bf16(self, blank: Tensor) -> "ExecutionPlan":
        """The form in bf16: a copy with bf16 weights, or autocast where the network doesn't run so; `blank` is an input
        to try."""
        form = ExecutionPlan(_in_bf16(self.network), torch.bfloat16)
        try:
            with torch.no_grad():
                form(blank)
        except RuntimeError:
            # It makes tensors of its own in fp32, or has an operation without mixed digits.
            return ExecutionPlan(self.network, self.dtype, autocast=True)
        return form


def _in_bf16(network: nn.Module) -> nn.Module:
    """A copy with bf16 weights; never are there two in fp32, which would be the most memory that a run takes."""
    halves: dict[int, object] = {}
    for part in network.modules():
        if not isinstance(part, NORMS):
            for weight in part.parameters(recurse=False):
                if weight.is_floating_point():
                    halves[id(weight)] = nn.Parameter(weight.detach().to(torch.bfloat16), requires_grad=False)
            for buffer in part.buffers(recurse=False):
                if buffer.is_floating_point():
                    halves[id(buffer)] = buffer.to(torch.bfloat16)
    # What stands in the memo is taken in place of a copy.
    return copy.deepcopy(network, halves)
