"""`chexnet/FILE`: CheXNet (Rajpurkar et al. 2017), DenseNet-121 with 14 findings, from a checkpoint of any spelling."""

import re

from torch import Tensor

from unveil.classifiers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from unveil.classifiers.sources.base import RANDOM, LoadedModel, ModelRequest
from unveil.classifiers.sources.torchvision import build_untrained
from unveil.classifiers.sources.weights import count_outputs, load_into, read_weights
from unveil.datasets.chestxray14 import CHESTXRAY14_LABELS
from unveil.errors import ClassifierError, WeightsError
from unveil.predictions import Output

# Of the arnoweng reimplementation, which averages ten crops of 224 px; here it is the central one.
PREPARATION = Preprocessing((224, 224), IMAGENET_MEAN, IMAGENET_STD, 256)
FORM = "chexnet/FILE, or chexnet with --weights FILE"

WRAPPERS = ("module.", "densenet121.")  # DataParallel's, and the attribute that training scripts keep the network in
# `denselayer1.norm.1.weight`: from when names of modules could hold dots.
OLD_LAYER = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")
# Sequential(Linear, Sigmoid): the sigmoid has no weights, and belongs to `Output.SIGMOID`.
OLD_HEAD = re.compile(r"^classifier\.0\.")


def build(request: ModelRequest) -> LoadedModel:
    """CheXNet with the weights of a file, or with random ones for `none`; its logits are those before the sigmoid.

    A file with another number of outputs needs `labels`. Raises `ClassifierError` or `WeightsError`.
    """
    source = _source(request)
    tensors = None if source == RANDOM else _modern(read_weights(source), source)
    count = (
        len(CHESTXRAY14_LABELS) if tensors is None else count_outputs(tensors, "classifier", len(CHESTXRAY14_LABELS))
    )
    labels = CHESTXRAY14_LABELS if request.labels is None else request.labels
    if request.labels is None and count != len(CHESTXRAY14_LABELS):
        do = "name the file's own outputs with --labels"
        raise WeightsError(f"the {len(CHESTXRAY14_LABELS)} outputs of CheXNet", f"{source} with {count}", do)
    if len(labels) != count:
        do = "give one name for each output, in their order"
        raise ClassifierError(f"{count} labels, one for each output of {source}", f"{len(labels)} labels", do)
    module = build_untrained("densenet121", count)
    if tensors is not None:
        load_into(module, tensors, source)
    return LoadedModel(module, PREPARATION, labels, Output.SIGMOID)


def _source(request: ModelRequest) -> str:
    """The one file that is named, as the model's name or as weights."""
    given = [text for text in (request.name, request.weights) if text]
    if not given:
        raise WeightsError(FORM, "no file", "CheXNet has no published weights of its own: name a checkpoint, or none")
    if len(given) == 2:
        raise WeightsError(FORM, " and ".join(given), "name one file")
    return given[0]


def _modern(tensors: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """The tensors under the names that torchvision gives them today."""
    renamed = {_spelled(name): tensor for name, tensor in tensors.items()}
    if len(renamed) < len(tensors):
        got = f"{source}, where {len(tensors) - len(renamed)} come twice in different spellings"
        raise WeightsError("every tensor of CheXNet once", got, "save the state_dict of one network")
    return renamed


def _spelled(name: str) -> str:
    while name.startswith(WRAPPERS):
        for wrapper in WRAPPERS:
            name = name.removeprefix(wrapper)
    return OLD_HEAD.sub("classifier.", OLD_LAYER.sub(r"\1\2.", name))
