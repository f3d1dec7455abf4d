"""`timm/NAME`: the only module that imports timm."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from unveil.classifiers.preprocessing import Fit, Interpolation, Preprocessing
from unveil.classifiers.sources.base import RANDOM, LoadedModel, ModelRequest
from unveil.classifiers.sources.heads import choose_labels, count_file_outputs
from unveil.classifiers.sources.weights import is_file, load_into, read_weights
from unveil.errors import ClassifierError, MissingLibraryError, WeightsError, first_line

# timm's way to write "whatever"; its own default is bicubic.
_INTERPOLATIONS = {"bilinear": Interpolation.BILINEAR}


def names() -> Iterator[str]:
    """Models that timm has."""
    yield from _timm().list_models()


def build(request: ModelRequest) -> LoadedModel:
    """A timm model, prepared as its `pretrained_cfg` says.

    Weights: `pretrained` (the default) or a tag of the hub (`a1_in1k`; fetched by timm), a file, or `none` for random
    ones. The number of outputs is that of the weights; labels of another number are refused with a `ClassifierError`.
    """
    timm = _timm()
    name, weights = request.name, request.weights or "pretrained"
    from_hub = weights != RANDOM and not is_file(weights)
    if from_hub and weights != "pretrained":
        name = f"{name.partition('.')[0]}.{weights}"
    if not timm.is_model(name):
        raise ClassifierError("a model of timm", name, "see: unveil models timm")
    if from_hub:
        module = _published(timm, name, request.labels)
    else:
        tensors = None if weights == RANDOM else read_weights(weights)
        count = count_file_outputs(tensors, lambda outputs: _create(timm, name, num_classes=outputs))
        labels = choose_labels(count, request.labels, None, weights)
        count = count or (None if labels is None else len(labels))
        module = _create(timm, name, **({} if count is None else {"num_classes": count}))
        if tensors is not None:
            load_into(module, tensors, weights)
    labels = _labels(module) if request.labels is None else request.labels
    return LoadedModel(module, _preparation(module.pretrained_cfg), labels)


def _published(timm: ModuleType, name: str, labels: tuple[str, ...] | None) -> Any:
    """The network with its published weights, and with their outputs: timm would add a random layer for others."""
    what = f"the published weights of timm/{name}"
    try:
        config = timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        raise _unbuilt(name, error) from error
    if config is not None and config.num_classes == 0:
        do = "give a fine-tuned file with --weights"
        raise WeightsError("weights with a layer of classes", f"{what}, which end in features", do)
    if config is not None and config.num_classes is not None:
        choose_labels(config.num_classes, labels, None, what)
    module = _create(timm, name, pretrained=True)
    choose_labels(module.num_classes, labels, None, what)
    return module


def _create(timm: ModuleType, name: str, **options: Any) -> Any:
    try:
        return timm.create_model(name, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise _unbuilt(name, error) from error


def _unbuilt(name: str, error: Exception) -> WeightsError:
    return WeightsError(f"to build timm/{name}", first_line(error, None), "give a local file with weights")


def _timm() -> ModuleType:
    try:
        import timm  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise MissingLibraryError("timm", "timm", "timm/… models") from error
    return timm


def _preparation(config: dict) -> Preprocessing:
    _, *crop = config["input_size"]
    resize = int(min(crop) / config.get("crop_pct", 0.875))
    fit = Fit.SQUASH if config.get("crop_mode") == "squash" else Fit.SHORTER_SIDE
    interpolation = _INTERPOLATIONS.get(config.get("interpolation", ""), Interpolation.BICUBIC)
    return Preprocessing(tuple(crop), tuple(config["mean"]), tuple(config["std"]), resize, fit, interpolation)


def _labels(module: object) -> tuple[str, ...] | None:
    from timm.data.imagenet_info import ImageNetInfo  # noqa: PLC0415 (optional)

    if getattr(module, "num_classes", None) != 1000:
        return None
    return tuple(ImageNetInfo("imagenet-1k").label_descriptions())
