"""`torchxrayvision/NAME`: the only module that imports TorchXRayVision."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pickle import UnpicklingError  # its exception only
from types import ModuleType

from torch import Tensor, nn

from unveil.classifiers.preprocessing import Preprocessing
from unveil.classifiers.sources.base import RANDOM, LoadedModel, ModelRequest
from unveil.classifiers.sources.checkpoints import what_was_refused
from unveil.classifiers.sources.heads import choose_labels
from unveil.classifiers.sources.torchvision import build_untrained
from unveil.classifiers.sources.weights import count_outputs, is_file, load_into, read_weights
from unveil.errors import ClassifierError, MissingLibraryError, WeightsError, named_line
from unveil.predictions import Output

HEADS = {"densenet121": "classifier", "resnet50": "fc"}  # kinds of network, and the names of their last layers
MEAN, STD = (0.5,), (1 / 2048,)  # pixels in [0, 1] become (2x − 1) · 1024, the library's range
FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"  # PyTorch's own switch: every torch.load reads tensors only


def names() -> Iterator[str]:
    """Classifiers of chest X-rays that the library has."""
    yield from (name for name in _models().model_urls if name.partition("-")[0] in HEADS)


def build(request: ModelRequest) -> LoadedModel:
    """A DenseNet-121 or ResNet-50 of TorchXRayVision on one gray channel, with logits as its last layer gives them.

    Weights: by default those that the library fetches; a file with a state dict; `none` for random ones. Outputs
    without a meaning (an empty name in the library's list) are left out. A file with another number of outputs needs
    `labels`. Raises `ClassifierError`, `WeightsError` or `MissingLibraryError`.
    """
    models, name = _models(), request.name
    if name not in set(names()):
        raise ClassifierError("a classifier of torchxrayvision", name, f"choose one of {', '.join(names())}")
    kind = name.partition("-")[0]
    head, findings = HEADS[kind], models.model_urls[name]["labels"]
    kept = [index for index, finding in enumerate(findings) if finding]
    if request.weights in (None, RANDOM):
        # Before anything is fetched.
        choose_labels(len(kept), request.labels, None, f"torchxrayvision/{name}")
    tensors, source = _tensors(models, request)
    count = count_outputs(tensors, head, len(findings)) if tensors is not None else len(findings)
    module = models.DenseNet(num_classes=count) if kind == "densenet121" else _resnet(kind, count)
    if tensors is not None:
        load_into(module, tensors, source)
    labels = request.labels
    if count == len(findings):
        labels = tuple(findings[index] for index in kept) if labels is None else labels
        setattr(module, head, _rows(getattr(module, head), kept))
    elif labels is None:
        got = f"{source} with {count}"
        raise WeightsError(f"the {len(findings)} outputs of {name}", got, "name the file's own outputs with --labels")
    choose_labels(len(kept) if count == len(findings) else count, labels, None, source)
    side = models.model_urls[name].get("input_resolution", 224)
    # The library's own way: the largest square in the middle, resized.
    return LoadedModel(module, Preprocessing((side, side), MEAN, STD, side), labels, Output.SIGMOID)


def _models() -> ModuleType:
    try:
        # The library silences all warnings of the whole program when it is imported.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torchxrayvision  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise MissingLibraryError("torchxrayvision", "xrv", "torchxrayvision/… models") from error
    return torchxrayvision.models


def _resnet(kind: str, count: int) -> nn.Module:
    module = build_untrained(kind, count)
    module.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
    return module


def _rows(layer: nn.Linear, kept: list[int]) -> nn.Linear:
    """The same layer with some of its outputs."""
    smaller = nn.Linear(layer.in_features, len(kept))
    smaller.load_state_dict({name: tensor[kept] for name, tensor in layer.state_dict().items()})
    return smaller


def _tensors(models: ModuleType, request: ModelRequest) -> tuple[dict[str, Tensor] | None, str]:
    """Weights by name, and where they are from; None for random ones."""
    weights = request.weights
    if weights == RANDOM:
        return None, RANDOM
    if weights is not None and not is_file(weights):
        raise WeightsError("a file with weights, or none", weights, "leave --weights out for the published ones")
    found = _published(models, request.name) if weights is None else read_weights(weights)
    # A ResNet is kept as `model`. The thresholds shift probabilities so that 0.5 decides; logits have none.
    named = {name.removeprefix("model."): tensor for name, tensor in found.items()}
    bare_names = {name: tensor for name, tensor in named.items() if name.split(".")[-1] != "op_threshs"}
    return bare_names, weights or request.name


def _published(models: ModuleType, name: str) -> dict[str, Tensor]:
    """What the library's own constructor fetches and loads, under PyTorch's safe reader.

    The library asks for its files to be unpickled as they are, which could run code; PyTorch's switch overrides that.
    State dicts, as of the ResNet, are read. Whole pickled networks, as of the DenseNets, are refused.
    """
    kind = models.DenseNet if name.startswith("densenet") else models.ResNet
    try:
        # Its messages would be in the way of results on standard output.
        with redirect_stdout(sys.stderr), warnings.catch_warnings(), _weights_only():
            warnings.simplefilter("ignore")
            return kind(weights=name).state_dict()
    except OSError as error:
        got, do = named_line(error), "check the network, or give a local file"
        raise WeightsError(f"to fetch the weights of torchxrayvision/{name}", got, do) from error
    except UnpicklingError as error:
        raise WeightsError(
            f"published weights of {name} with tensors only",
            f"{what_was_refused(error)}, which could run code when loaded",
            "where you trust them, save the model's state_dict() and give that file: see docs/chest-models.md",
        ) from error
    except Exception as error:
        got, do = named_line(error), "the file is damaged: fetch it again"
        raise WeightsError(f"whole weights of torchxrayvision/{name}", got, do) from error


@contextmanager
def _weights_only() -> Iterator[None]:
    before = os.environ.get(FORCE)
    os.environ[FORCE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[FORCE]
        else:
            os.environ[FORCE] = before
