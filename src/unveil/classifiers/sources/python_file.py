"""`python/path/to/file.py:factory`: a model that a function in the user's own file makes."""

import importlib.util
from pathlib import Path

from torch import nn

from unveil.classifiers.sources.base import RANDOM, LoadedModel, ModelRequest
from unveil.classifiers.sources.weights import load_into, read_weights
from unveil.classifiers.torch_module import TorchClassifier
from unveil.errors import ClassifierError, UnveilError

FORM = "python/path/to/file.py:factory"


def build(request: ModelRequest) -> LoadedModel | TorchClassifier:
    """Call the factory, without arguments; it returns an `nn.Module`, or a whole `TorchClassifier`.

    This runs the user's own file: a name on the command line, never one that came with an image, a record or weights.
    """
    path, _, factory = request.name.rpartition(":")
    if not path or not factory.isidentifier():
        raise ClassifierError(FORM, request.name, "name a file and a function in it")
    try:
        made = _factory(Path(path), factory)()
    except UnveilError:
        raise
    except Exception as error:
        raise ClassifierError(
            f"{factory} in {path} to return a model", f"{type(error).__name__}: {error}", "mend it"
        ) from error
    if isinstance(made, TorchClassifier):
        return made
    if not isinstance(made, nn.Module):
        raise ClassifierError(
            f"{factory} to return a torch.nn.Module or an unveil.TorchClassifier",
            type(made).__name__,
            "change its return",
        )
    if request.weights and request.weights != RANDOM:
        load_into(made, read_weights(request.weights), request.weights)
    return LoadedModel(made, None, request.labels, held=True)


def _factory(path: Path, name: str):
    if not path.is_file():
        raise ClassifierError(FORM, f"{path}, which is not a file", "check the path")
    spec = importlib.util.spec_from_file_location(f"unveil_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ClassifierError("a Python file", str(path), "give it the suffix .py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ClassifierError(f"{path} to run", f"{type(error).__name__}: {error}", "mend the file") from error
    if not callable(getattr(module, name, None)):
        raise ClassifierError(f"a function {name} in {path}", "none of that name", "check the name")
    return getattr(module, name)
