"""`load_classifier`: from a text, or a module, to a classifier."""

import difflib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from unveil.classifiers.base import Classifier
from unveil.classifiers.changes import PreprocessingChanges
from unveil.classifiers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from unveil.classifiers.sources.base import LoadedModel, ModelRequest
from unveil.classifiers.sources.file_kinds import advise_on_file
from unveil.classifiers.sources.huggingface import read_config
from unveil.classifiers.sources.label_files import Labels, read_labels
from unveil.classifiers.torch_module import TorchClassifier
from unveil.errors import ClassifierError
from unveil.predictions import Output

# What a module gets that says nothing of its preparation.
DEFAULT_PREPARATION = Preprocessing((224, 224), IMAGENET_MEAN, IMAGENET_STD, 256)
SOURCES = ("torchvision", "timm", "huggingface", "python", "onnx", "chexnet", "torchxrayvision", "planted")


@dataclass(frozen=True)
class Overrides:
    """What the caller wants otherwise than the source says; None leaves it."""

    labels: Labels | None = None
    preprocessing: Preprocessing | None = None
    output: Output | str | None = None


def load_classifier(
    model: str | nn.Module | Classifier,
    weights: str | Path | None = None,
    *,
    labels: Labels | None = None,
    preprocessing: Preprocessing | PreprocessingChanges | None = None,
    output: Output | str | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> Classifier:
    """Load a classifier by name, or freeze a copy of a module.

    Args:
        model: `torchvision/NAME`, `timm/NAME`, `python/FILE.py:FACTORY`, `onnx/FILE`, `chexnet/FILE`,
            `torchxrayvision/NAME`, `planted/NAME`, a module, or a classifier.
        weights: A name of published weights (`IMAGENET1K_V2`; a tag for timm), a local `.safetensors` / `.pth` file,
            or `none` for random ones. By default torchvision, timm and torchxrayvision fetch their published weights;
            a factory's model isn't changed.
        labels: Names, a dictionary (`id2label`, `class_to_idx`), or a file with either (`read_labels`).
        preprocessing: Replaces the model's own, or `PreprocessingChanges` of it.
        output: `softmax` or `sigmoid`.
        device: auto (cuda, then mps, then cpu), cpu, cuda or mps.
        precision: auto, fp32 or bf16; auto has predictions in fp32, and gradients that are averaged over noise in bf16
            where the regions stay the same.

    Raises `ClassifierError` or `WeightsError`.

    >>> load_classifier("planted/demo").labels[:2]
    ('poppy', 'clover')
    """
    if isinstance(model, Classifier):
        return model
    # Before anything that takes long.
    used_precision, names, output = choose_precision(precision), read_labels(labels), _output(output)
    if isinstance(preprocessing, PreprocessingChanges):
        preprocessing = preprocessing.applied_to(_own_preprocessing(model, weights, names))
    given = Overrides(labels, preprocessing, output)
    if isinstance(model, nn.Module):
        labels_said, output_said = read_config(model)
        built = LoadedModel(model, None, labels_said, output_said or Output.SOFTMAX, held=True)
        name = type(model).__name__
        target = None if device == "auto" else choose_device(device)
    else:
        name, target = model, choose_device(device)
        made = _build(model, None if weights is None else str(weights), names, given)
        if isinstance(made, Classifier):
            return made
        built = made
    return TorchClassifier(
        built.module,
        given.preprocessing or built.preprocessing or DEFAULT_PREPARATION,
        names or built.labels,
        output=_output(given.output) or built.output,
        name=name,
        device=target,
        precision=used_precision,
        copied=built.held,
    )


def choose_device(device: str) -> torch.device:
    """`auto` takes cuda, then mps, then cpu; a device that isn't there is an error."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if there[name]))
    kind, colon, index = device.partition(":")
    if kind not in there:
        raise ClassifierError("a device auto, cpu, cuda or mps", device, "choose one of them")
    if not there[kind]:
        raise ClassifierError(f"a machine with {kind}", "one without", "use --device auto")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if colon and not (index.isascii() and index.isdecimal() and int(index) < count):
        devices = kind if count == 1 else f"{kind}:0 to {kind}:{count - 1}"
        raise ClassifierError(f"a device of this machine, {devices}", device, "choose one of them")
    return torch.device(kind, int(index)) if colon else torch.device(kind)


def choose_precision(precision: str) -> str:
    """The precision, if it is one: `auto` has answers in fp32, and averaged gradients in bf16 where that changes
    nothing."""
    if precision not in ("auto", "fp32", "bf16"):
        raise ClassifierError("a precision auto, fp32 or bf16", precision, "choose one of them")
    return precision


def _build(
    model: str, weights: str | None, labels: tuple[str, ...] | None, given: Overrides
) -> LoadedModel | Classifier:
    source, _, name = model.partition("/")
    request = ModelRequest(name, weights, labels)
    match source:
        case "torchvision" if name:
            from unveil.classifiers.sources import torchvision as door  # noqa: PLC0415 (a second of imports)
        case "huggingface" if name:
            from unveil.classifiers.sources import huggingface as door  # noqa: PLC0415 (optional)
        case "timm" if name:
            from unveil.classifiers.sources import timm as door  # noqa: PLC0415 (optional)
        case "python" if name:
            from unveil.classifiers.sources import python_file as door  # noqa: PLC0415
        case "onnx" if name:
            from unveil.classifiers.sources import onnx  # noqa: PLC0415 (optional)

            return onnx.build(request, given.preprocessing, _output(given.output))
        case "chexnet":
            from unveil.classifiers.sources import chexnet as door  # noqa: PLC0415
        case "torchxrayvision" if name:
            from unveil.classifiers.sources import torchxrayvision as door  # noqa: PLC0415 (optional)
        case "planted":
            from unveil.classifiers.sources import planted as door  # noqa: PLC0415
        case _:
            expected = f"a model {', '.join(f'{known}/…' for known in SOURCES)}"
            raise ClassifierError(expected, repr(model), advise_on_file(model) or _suggest_model(source, name))
    return door.build(request)


def _own_preprocessing(
    model: str | nn.Module, weights: str | Path | None, labels: tuple[str, ...] | None
) -> Preprocessing:
    """The preprocessing of the model's source, which builds the model; the default where it has none."""
    if isinstance(model, nn.Module):
        return DEFAULT_PREPARATION
    made = _build(model, None if weights is None else str(weights), labels, Overrides())
    return made.preprocessing or DEFAULT_PREPARATION


def _suggest_model(source: str, name: str) -> str:
    """What to do about a model text without a known source: the nearest source, or torchvision's model of that name."""
    if name:
        near = difflib.get_close_matches(source.lower(), SOURCES, n=1, cutoff=0.6)
        return f"did you mean {near[0]}/{name}?" if near else "see: unveil models"
    if source.lower() in SOURCES:
        return f"add a name: {source.lower()}/NAME; see: unveil models {source.lower()}"
    from unveil.classifiers.sources import torchvision  # noqa: PLC0415 (a second of imports)

    near = difflib.get_close_matches(source.lower(), torchvision.names(), n=1, cutoff=0.8)
    return f"did you mean torchvision/{near[0]}?" if near else "see: unveil models"


def _output(output: Output | str | None) -> Output | None:
    try:
        return None if output is None else Output(output)
    except ValueError as error:
        raise ClassifierError("an output softmax or sigmoid", repr(output), "choose one of them") from error
