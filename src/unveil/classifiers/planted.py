"""`planted/demo`, the small network that ships with `unveil` and sees planted scenes, and those of the benchmark:
`planted/resnet-max`, `planted/vit-average`, …"""

from torch import nn

from unveil.classifiers.preparation import Preparation
from unveil.classifiers.source import Built, Request
from unveil.classifiers.weights import load_into, read_weights
from unveil.errors import ClassifierError
from unveil.planted import LABELS, SIZE
from unveil.planted.architectures import NAMES, PARTS, load_trained
from unveil.planted.architectures import build as build_trained
from unveil.planted.network import PIXEL_MEAN, PIXEL_STD, build_network, load_network
from unveil.planted.signs import BENCHMARK
from unveil.predictions import Output


def names() -> list[str]:
    """Names of all planted networks."""
    return ["demo", *NAMES]


def build(request: Request) -> Built:
    """A network with its shipped weights, or with those of a file made by the training script."""
    if request.name not in names():
        raise ClassifierError(f"planted/{', planted/'.join(names())}", f"planted/{request.name}", "choose one of them")
    if request.weights:
        module = _untrained(request.name)
        load_into(module, read_weights(request.weights), request.weights)
    else:
        module = _trained(request.name)
    preparation = Preparation.square(SIZE, PIXEL_MEAN, PIXEL_STD)
    labels = LABELS if request.name == "demo" else BENCHMARK.labels
    return Built(module, preparation, labels, Output.SIGMOID)


def _untrained(name: str) -> nn.Module:
    return build_network() if name == "demo" else build_trained(*PARTS[name])


def _trained(name: str) -> nn.Module:
    return load_network() if name == "demo" else load_trained(*PARTS[name])
