"""`timm/NAME`: the one door to timm."""

from collections.abc import Iterator
from types import ModuleType

from unveil.classifiers.preprocessing import Fit, Interpolation, Preprocessing
from unveil.classifiers.sources.base import RANDOM, LoadedModel, ModelRequest
from unveil.classifiers.sources.weights import is_file, load_into, read_weights
from unveil.errors import ClassifierError, MissingLibraryError, WeightsError

# timm's way to write "whatever"; its own default is bicubic.
_INTERPOLATIONS = {"bilinear": Interpolation.BILINEAR}


def names() -> Iterator[str]:
    """Models that timm has."""
    yield from _timm().list_models()


def build(request: ModelRequest) -> LoadedModel:
    """A timm model, prepared as its `pretrained_cfg` says.

    Weights: `pretrained` (the default) or a tag of the hub (`a1_in1k`; fetched by timm), a file, or `none` for random
    ones.
    """
    timm = _timm()
    name, weights = request.name, request.weights or "pretrained"
    from_hub = weights != RANDOM and not is_file(weights)
    if from_hub and weights != "pretrained":
        name = f"{name.partition('.')[0]}.{weights}"
    if not timm.is_model(name):
        raise ClassifierError("a model of timm", name, "see: unveil models timm")
    classes = {"num_classes": len(request.labels)} if request.labels else {}
    try:
        module = timm.create_model(name, pretrained=from_hub, **classes)
    except (OSError, RuntimeError, ValueError) as error:
        raise WeightsError(
            f"to build timm/{name}", str(error).splitlines()[0], "give a local file with weights"
        ) from error
    if weights != RANDOM and not from_hub:
        load_into(module, read_weights(weights), weights)
    return LoadedModel(module, _preparation(module.pretrained_cfg), request.labels or _labels(module))


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
