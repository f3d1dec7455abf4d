"""`python/path/to/file.py:factory`: a model that a function in the user's own file makes."""

from pathlib import Path
from typing import Any

from torch import nn

from unveil.classifiers.base import Classifier
from unveil.classifiers.sources.base import LoadedModel, ModelRequest
from unveil.classifiers.sources.user_code import import_file, reporting_user_errors, running_user_code
from unveil.classifiers.sources.weights import load_given
from unveil.errors import ClassifierError

FORM = "python/path/to/file.py:factory"


def build(request: ModelRequest) -> LoadedModel | Classifier:
    """Call the factory, without arguments; it returns an `nn.Module`, or a whole `Classifier`.

    The name may also be that of a module or classifier itself. The file may import its neighbors, print (to standard
    error) and read `sys.argv`. Raises one `ClassifierError` for whatever it raises.

    This runs the user's own file: a name on the command line, never one that came with an image, a record or weights.
    """
    path, _, factory = request.name.rpartition(":")
    if not path or not factory.isidentifier():
        raise ClassifierError(FORM, request.name, "name a file and a function in it")
    made = _make(Path(path), factory)
    if isinstance(made, Classifier):
        return made
    if not isinstance(made, nn.Module):
        got = "None" if made is None else type(made).__name__
        expected = f"{factory} to return a torch.nn.Module or an unveil Classifier"
        raise ClassifierError(expected, got, "change its return; labels and preprocessing belong to a TorchClassifier")
    load_given(made, request.weights)
    return LoadedModel(made, None, request.labels, held=True)


def _make(path: Path, name: str) -> Any:
    if not path.is_file():
        raise ClassifierError(FORM, f"{path}, which is not a file", "check the path")
    with running_user_code(path):
        with reporting_user_errors(path, f"{path} to run"):
            module = import_file(path)
        factory = getattr(module, name, None)
        if isinstance(factory, nn.Module | Classifier):
            return factory
        if not callable(factory):
            raise ClassifierError(f"a function {name} in {path}", "none of that name", "check the name")
        with reporting_user_errors(path, f"{name} in {path} to return a model"):
            return factory()
