"""`planted/demo`, the small network that ships with `unveil` and sees planted scenes, and those of the benchmark:
`planted/resnet-max`, `planted/vit-average`, …"""

from torch import nn

from unveil.classifiers.preprocessing import Preprocessing
from unveil.classifiers.sources.base import LoadedModel, ModelRequest
from unveil.classifiers.sources.weights import load_given
from unveil.errors import ClassifierError
from unveil.planted import LABELS, SIZE
from unveil.planted.networks.architectures import NAMES, PARTS, build_evidence_net, load_trained
from unveil.planted.networks.demo import PIXEL_MEAN, PIXEL_STD, build_network, load_network
from unveil.planted.scenes.signs import BENCHMARK
from unveil.predictions import Output


def names() -> list[str]:
    """Names of all planted networks."""
    return ["demo", *NAMES]


def build(request: ModelRequest) -> LoadedModel:
    """A network with its shipped weights, with those of a file made by the training script, or random for `none`."""
    if request.name not in names():
        raise ClassifierError(f"planted/{', planted/'.join(names())}", f"planted/{request.name}", "choose one of them")
    module = _trained(request.name) if request.weights is None else _untrained(request.name)
    load_given(module, request.weights)
    preprocessing = Preprocessing.square(SIZE, PIXEL_MEAN, PIXEL_STD)
    labels = LABELS if request.name == "demo" else BENCHMARK.labels
    return LoadedModel(module, preprocessing, labels, Output.SIGMOID)


def _untrained(name: str) -> nn.Module:
    return build_network() if name == "demo" else build_evidence_net(*PARTS[name])


def _trained(name: str) -> nn.Module:
    return load_network() if name == "demo" else load_trained(*PARTS[name])
