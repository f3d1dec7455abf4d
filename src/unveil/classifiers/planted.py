"""`planted/demo`: the small network that ships with `unveil` and sees planted scenes."""

from unveil import planted
from unveil.classifiers.preparation import Preparation
from unveil.classifiers.source import Built, Request
from unveil.classifiers.weights import load_into, read_weights
from unveil.errors import ClassifierError
from unveil.predictions import Output


def build(request: Request) -> Built:
    """The network with its shipped weights, or with those of a file made by the training script."""
    if request.name != "demo":
        raise ClassifierError("planted/demo", f"planted/{request.name}", "it is the only planted network")
    if request.weights:
        module = planted.build_network()
        load_into(module, read_weights(request.weights), request.weights)
    else:
        module = planted.load_network()
    preparation = Preparation.square(planted.SIZE, planted.PIXEL_MEAN, planted.PIXEL_STD)
    return Built(module, preparation, planted.LABELS, Output.SIGMOID)
