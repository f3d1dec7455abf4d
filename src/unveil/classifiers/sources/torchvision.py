"""`torchvision/NAME`: the only module that imports torchvision."""

import difflib
from collections.abc import Iterator

from torch import nn
from torchvision.models import WeightsEnum, get_model, get_model_weights, list_models
from torchvision.transforms._presets import ImageClassification

from unveil.classifiers.preprocessing import Interpolation, Preprocessing
from unveil.classifiers.sources.base import RANDOM, LoadedModel, ModelRequest
from unveil.classifiers.sources.heads import choose_labels, count_file_outputs
from unveil.classifiers.sources.weights import is_file, load_into, read_weights
from unveil.errors import ClassifierError, WeightsError


def names() -> Iterator[str]:
    """Classification models that torchvision has."""
    import torchvision.models  # noqa: PLC0415

    yield from list_models(module=torchvision.models)


def build_untrained(name: str, outputs: int) -> nn.Module:
    """A torchvision model with random weights and so many outputs, for sources that bring their own weights."""
    return get_model(name, weights=None, num_classes=outputs, **_quiet(name))


def build(request: ModelRequest) -> LoadedModel:
    """A torchvision model, prepared as its own weights ask for.

    Weights: the name of published ones (`IMAGENET1K_V2`; by default `DEFAULT`; fetched by torchvision), a file, or
    `none` for random ones. A file's preparation is that of the model's first published weights; give `preprocessing`
    for another. The number of outputs is that of the file; unless it is that of the published weights, they are
    numbered if no labels are given. Labels of another number are refused with a `ClassifierError`.
    """
    known = list(names())
    if request.name not in known:
        near = difflib.get_close_matches(request.name.lower(), known, n=1, cutoff=0.6)
        do = f"did you mean torchvision/{near[0]}?" if near else "see: unveil models torchvision"
        raise ClassifierError("a classification model of torchvision", request.name, do)
    published = list(get_model_weights(request.name))
    weights = request.weights or "DEFAULT"
    if weights == RANDOM or is_file(weights):
        chosen = published[0]
        module, labels = _with_file(request, weights, tuple(chosen.meta["categories"]))
    else:
        chosen = _published(request.name, weights)
        own = chosen.meta["categories"]
        labels = choose_labels(len(own), request.labels, own, f"{weights} of torchvision/{request.name}")
        module = _download(request.name, chosen)
    return LoadedModel(module, _preparation(chosen), labels)


def _with_file(request: ModelRequest, weights: str, own: tuple[str, ...]) -> tuple[nn.Module, tuple[str, ...] | None]:
    """The network with the weights of a file, or random ones; its labels, or None if only their number is known."""
    tensors = None if weights == RANDOM else read_weights(weights)
    count = count_file_outputs(tensors, lambda outputs: build_untrained(request.name, outputs))
    labels = choose_labels(count, request.labels, own, weights)
    module = build_untrained(request.name, count or len(own if labels is None else labels))
    if tensors is not None:
        load_into(module, tensors, weights)
    return module, labels


def _quiet(name: str) -> dict[str, bool]:
    # These two warn that their initial weights will change unless told, and have heads for training only.
    return {"init_weights": True} if name in ("googlenet", "inception_v3") else {}


def _published(name: str, weights: str) -> WeightsEnum:
    enumeration = get_model_weights(name)
    if weights not in enumeration.__members__:
        known = ", ".join(enumeration.__members__)
        raise WeightsError(f"weights of torchvision/{name}: {known}, or a file", weights, "choose one of them")
    return enumeration[weights]


def _download(name: str, weights: WeightsEnum) -> nn.Module:
    try:
        return get_model(name, weights=weights)
    except OSError as error:
        raise WeightsError(
            f"to fetch {weights} for {name}",
            f"{type(error).__name__}: {error}",
            "check the network, or give a local file",
        ) from error


def _preparation(weights: WeightsEnum) -> Preprocessing:
    preset = weights.transforms()
    if not isinstance(preset, ImageClassification):
        raise ClassifierError("a model that classifies images", str(weights), "see: unveil models torchvision")
    (crop,), (resize,) = preset.crop_size, preset.resize_size
    interpolation = Interpolation(preset.interpolation.value)
    return Preprocessing((crop, crop), tuple(preset.mean), tuple(preset.std), resize, interpolation=interpolation)
