"""How many outputs the weights in a file have, by the name of the network's last layer."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from unveil.classifiers.sources.weights import count_outputs
from unveil.errors import ClassifierError, UnveilError

# A number of outputs that no other dimension of a network has.
UNUSUAL = 1009


def count_file_outputs(tensors: dict[str, Tensor] | None, build: Callable[[int], nn.Module]) -> int | None:
    """The number of outputs of weights for the network that `build(outputs)` makes; None without weights, or if it
    can't be told.

    The network is built with an unusual number of outputs, and without memory where that is possible: the layer of
    that size is the last one.

    >>> count_file_outputs({"1.bias": torch.zeros(5)}, lambda n: nn.Sequential(nn.Linear(8, 4), nn.Linear(4, n)))
    5
    """
    if tensors is None:
        return None
    try:
        with torch.device("meta"):
            module = build(UNUSUAL)
    except (RuntimeError, NotImplementedError, TypeError, ValueError, UnveilError):
        module = build(UNUSUAL)  # RegNet computes its widths with tensors
    heads = [name.rpartition(".")[0] for name, t in module.state_dict().items() if t.shape[:1] == (UNUSUAL,)]
    # A network with auxiliary outputs has its own last.
    return count_outputs(tensors, heads[-1], 0) or None if heads else None


def choose_labels(
    count: int | None, given: Sequence[str] | None, own: Sequence[str] | None, source: str
) -> tuple[str, ...] | None:
    """The labels given, else the network's own if their number fits, else None: outputs are then numbered.

    Raises `ClassifierError` for labels of another number than `count`, the outputs of `source`.

    >>> choose_labels(2, ["cat", "dog"], ["a", "b", "c"], "w.pth")
    ('cat', 'dog')
    """
    if given is None:
        return None if own is None or count not in (None, len(own)) else tuple(own)
    if count not in (None, len(given)):
        do = "give one name for each output with --labels, or leave it out"
        raise ClassifierError(f"{count} labels, one for each output of {source}", f"{len(given)} labels", do)
    return tuple(given)
