"""The one place around every forward and backward pass of a stranger's network."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from unveil.batching import is_out_of_memory
from unveil.errors import ClassifierError, UnveilError, named_line

WRAP = "wrap the model in a module whose forward takes images (n, c, h, w) alone and returns logits (n, labels)"
SIZE = "give a preprocessing with the model's own size and channels"
WRONG_CALLS = (TypeError, KeyError, AttributeError, NotImplementedError)


@contextmanager
def guarded(name: str, expected: str) -> Iterator[None]:
    """Whatever a network raises becomes one `ClassifierError` with its first line; `expected` completes "`name` to …".

    Running out of memory passes through, because batches can be halved; so do errors of `unveil` itself.
    """
    try:
        yield
    except UnveilError:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            raise
        do = WRAP if isinstance(error, WRONG_CALLS) else SIZE
        raise ClassifierError(f"{name} to {expected}", named_line(error), do) from error


@contextmanager
def recording() -> Iterator[None]:
    """Autograd records, also where the caller has switched it off by `torch.no_grad` or `torch.inference_mode`."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def as_leaf(pixels: Tensor) -> Tensor:
    """The pixels as a leaf of a new graph: gradients with respect to them can be computed."""
    # A tensor that was made in inference mode never has gradients; a copy that is made outside of it has.
    return (pixels.clone() if pixels.is_inference() else pixels.detach()).requires_grad_()


def gradient_of(score: Tensor, inputs: Tensor, *, keep_graph: bool = False) -> Tensor:
    """∂score/∂inputs for a leaf `inputs`; zero where the score doesn't depend on it.

    By `backward` and not by `torch.autograd.grad`, which refuses networks with reentrant checkpoints.
    """
    inputs.grad = None
    score.backward(retain_graph=keep_graph)
    gradient, inputs.grad = inputs.grad, None
    return torch.zeros_like(inputs) if gradient is None else gradient
