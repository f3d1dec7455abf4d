"""What a source of models is asked for, and what it gives."""

from dataclasses import dataclass

from torch import nn

from unveil.classifiers.preprocessing import Preprocessing
from unveil.predictions import Output

RANDOM = "none"  # weights that leave a model as its constructor makes it


@dataclass(frozen=True)
class ModelRequest:
    """A model wanted: its name within the source, weights (a published name, a file, `RANDOM`; None: the source's
    default), and labels if given.
    """

    name: str
    weights: str | None = None
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class LoadedModel:
    """A model as its source built it; None where the source doesn't say. `held`: someone else may hold the module, so
    that it must stay as it is."""

    module: nn.Module
    preprocessing: Preprocessing | None
    labels: tuple[str, ...] | None
    output: Output = Output.SOFTMAX
    held: bool = False
