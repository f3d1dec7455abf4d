"""`torchscript/FILE`: a network that `torch.jit.save` wrote, with its gradients."""

from pathlib import Path

import torch

from unveil.classifiers.sources.base import LoadedModel, ModelRequest
from unveil.classifiers.sources.file_kinds import is_torchscript
from unveil.classifiers.sources.weights import load_given
from unveil.errors import ClassifierError, first_line

FORM = "a file that torch.jit.save wrote"


def build(request: ModelRequest) -> LoadedModel:
    """Load the file on the CPU; weights, where they are given, replace those in it.

    TorchScript is a program of PyTorch's operators: it is run because the user named it as the model, as a Python file
    is, and never because it came with an image, a record or weights. No Python and no pickle in it is run.
    Raises one `ClassifierError` for a file that can't be read or isn't TorchScript.
    """
    path = Path(request.name)
    _check_archive(path)
    try:
        module = torch.jit.load(path, map_location="cpu")
    except Exception as error:
        raise ClassifierError(FORM, f"{path}: {first_line(error)}", "fetch the file again, or save it anew") from error
    load_given(module, request.weights)
    return LoadedModel(module, None, request.labels)


def _check_archive(path: Path) -> None:
    if not path.is_file():
        raise ClassifierError(FORM, f"{path}, which is not a file", "check the path")
    if not is_torchscript(path):
        do = "check the file; weights are given by --weights, and need a network (--model torchvision/NAME)"
        raise ClassifierError(FORM, f"{path}, which isn't one, or is cut off", do)
