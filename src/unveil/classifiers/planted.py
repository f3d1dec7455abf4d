"""`planted/demo`: the small network that ships with `unveil` and sees planted scenes."""

from unveil.classifiers.preparation import Preparation
from unveil.classifiers.source import Built, Request
from unveil.classifiers.weights import load_into, read_weights
from unveil.errors import ClassifierError
from unveil.planted import LABELS, SIZE
from unveil.planted.network import PIXEL_MEAN, PIXEL_STD, build_network, load_network
from unveil.predictions import Output


def build(request: Request) -> Built:
    """The network with its shipped weights, or with those of a file made by the training script."""
    if request.name != "demo":
        raise ClassifierError("planted/demo", f"planted/{request.name}", "it is the only planted network")
    if request.weights:
        module = build_network()
        load_into(module, read_weights(request.weights), request.weights)
    else:
        module = load_network()
    preparation = Preparation.square(SIZE, PIXEL_MEAN, PIXEL_STD)
    return Built(module, preparation, LABELS, Output.SIGMOID)
