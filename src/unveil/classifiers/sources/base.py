"""The request that a source of models gets, and the model that it returns."""

from dataclasses import dataclass

from torch import nn

from unveil.classifiers.outputs import Returns
from unveil.classifiers.preprocessing import Preprocessing
from unveil.predictions import Output

RANDOM = "none"  # weights that leave a model as its constructor makes it


@dataclass(frozen=True)
class ModelRequest:
    """The model to build: its name within the source, its weights (a published name, a file, `RANDOM`; None: the
    source's default), and the options that were given, for sources that need them. `needs_preprocessing` is False if
    what was given replaces all of the model's own.

    A source that returns a `LoadedModel` leaves preprocessing, output, head and returns to the caller; one that returns
    a `Classifier` (`onnx/`) applies them itself.
    """

    name: str
    weights: str | None = None
    labels: tuple[str, ...] | None = None
    preprocessing: Preprocessing | None = None
    output: Output | None = None
    head: str | None = None
    returns: Returns | None = None
    needs_preprocessing: bool = True


@dataclass(frozen=True)
class LoadedModel:
    """A model as its source built it; None where the source doesn't say. `held`: someone else may hold the module, so
    that it must stay as it is."""

    module: nn.Module
    preprocessing: Preprocessing | None
    labels: tuple[str, ...] | None
    output: Output | None = None
    held: bool = False
