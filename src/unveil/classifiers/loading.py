"""`load_classifier`: from a text, or a module, to a classifier."""

import difflib
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from unveil.classifiers.base import Classifier
from unveil.classifiers.changes import PreprocessingChanges
from unveil.classifiers.engine.freezing import copy_module, unwrap
from unveil.classifiers.options import ClassifierOptions
from unveil.classifiers.outputs import Returns, parse_output, parse_returns
from unveil.classifiers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from unveil.classifiers.sources.base import RANDOM, LoadedModel, ModelRequest
from unveil.classifiers.sources.file_kinds import advise_on_file
from unveil.classifiers.sources.huggingface import read_config
from unveil.classifiers.sources.label_files import Labels, read_labels
from unveil.classifiers.sources.weights import load_given
from unveil.classifiers.torch_module import TorchClassifier
from unveil.errors import ClassifierError, WeightsError
from unveil.predictions import Output

Given = TypeVar("Given")

# What a module gets that says nothing of its preparation.
DEFAULT_PREPARATION = Preprocessing((224, 224), IMAGENET_MEAN, IMAGENET_STD, 256)
FILES = ("python", "torchscript", "onnx", "chexnet")
SOURCES = ("torchvision", "timm", "huggingface", *FILES, "torchxrayvision", "planted")


def load_classifier(  # noqa: PLR0913 (an option is an argument)
    model: Any,
    weights: str | Path | None = None,
    *,
    labels: Labels | None = None,
    preprocessing: Preprocessing | PreprocessingChanges | None = None,
    output: Output | str | None = None,
    head: str | None = None,
    returns: Returns | str | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> Classifier:
    """Load a classifier by name, freeze a copy of a module, or change what is said about a classifier.

    Args:
        model: `torchvision/NAME`, `timm/NAME`, `huggingface/NAME`, `python/FILE.py:FACTORY`, `torchscript/FILE`,
            `onnx/FILE`, `chexnet/FILE`, `torchxrayvision/NAME`, `planted/NAME`, a `torch.nn.Module`, an exported
            program, or a `Classifier`.
        weights: A name of published weights (`IMAGENET1K_V2`; a tag for timm), a local `.safetensors` / `.pth` file,
            or `none` for random ones. By default torchvision, timm, huggingface and torchxrayvision fetch their
            published weights; modules, and what factories make, keep theirs. A file is loaded into a copy of a module.
        labels: Names, a dictionary (`id2label`, `class_to_idx`), or a file with either (`read_labels`).
        preprocessing: Replaces the model's own, or `PreprocessingChanges` of it.
        output: `softmax` or `sigmoid`; see `TorchClassifier` for what is chosen if it isn't given.
        head: The output to explain, of a model that returns several.
        returns: `logits` or `probabilities`; found out if it isn't given.
        device: auto (cuda, then mps, then cpu; modules and classifiers stay where they are), cpu, cuda or mps.
        precision: auto, fp32 or bf16; auto has predictions in fp32, and gradients that are averaged over noise in bf16
            where the regions stay the same. A classifier keeps its own if it is auto.

    Everything that is given is applied or refused. Raises `ClassifierError` or `WeightsError`.

    >>> load_classifier("planted/demo").labels[:2]
    ('poppy', 'clover')
    """
    if weights is not None and not str(weights).strip():
        raise WeightsError("a name or a file of weights", "an empty text", "leave weights out for the default")
    # Checked before anything that takes long.
    target, precision = choose_device(device), choose_precision(precision)
    options = ClassifierOptions(
        None if weights is None else str(weights),
        read_labels(labels),
        preprocessing,
        parse_output(output),
        head,
        parse_returns(returns),
        None if device == "auto" else target,
        None if precision == "auto" else precision,
    )
    name, made = (model, _build(model, options)) if isinstance(model, str) else (type(model).__name__, model)
    if isinstance(made, Classifier) and name.startswith("onnx/"):
        options = _not_applied_by_onnx(options)
    if isinstance(made, Classifier):
        return _adapt(made, options) if options.given else made
    if isinstance(made, LoadedModel):
        return _freeze(made, name, replace(options, device=target), precision)
    module = unwrap(made)
    built = _with_weights(LoadedModel(module, None, *read_config(module), held=True), options)
    return _freeze(built, name, options, precision)


def _freeze(built: LoadedModel, name: str, options: ClassifierOptions, precision: str) -> TorchClassifier:
    own = DEFAULT_PREPARATION if built.preprocessing is None else built.preprocessing
    return TorchClassifier(
        built.module,
        options.preprocessing_over(own),
        _first(options.labels, built.labels),
        output=_first(options.output, built.output),
        head=options.head,
        returns=options.returns,
        name=name,
        device=options.device,
        precision=precision,
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


def _build(model: str, options: ClassifierOptions) -> LoadedModel | Classifier:
    source, _, name = model.partition("/")
    labels = None if options.labels is None else tuple(options.labels)
    weights = None if options.weights is None else str(options.weights)
    given = options.preprocessing
    preprocessing = given if isinstance(given, Preprocessing) else None
    needed = not given.is_complete if isinstance(given, PreprocessingChanges) else given is None
    request = ModelRequest(name, weights, labels, preprocessing, options.output, options.head, options.returns, needed)
    match source:
        case "torchvision" if name:
            from unveil.classifiers.sources import torchvision as door  # noqa: PLC0415 (a second of imports)
        case "huggingface" if name:
            from unveil.classifiers.sources import huggingface as door  # noqa: PLC0415 (optional)
        case "timm" if name:
            from unveil.classifiers.sources import timm as door  # noqa: PLC0415 (optional)
        case "python" if name:
            from unveil.classifiers.sources import python_file as door  # noqa: PLC0415
        case "torchscript" if name:
            from unveil.classifiers.sources import torchscript as door  # noqa: PLC0415
        case "onnx" if name:
            from unveil.classifiers.sources import onnx as door  # noqa: PLC0415 (optional)
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


def _not_applied_by_onnx(options: ClassifierOptions) -> ClassifierOptions:
    """What the source of ONNX files leaves: what their black boxes refuse, and changes of their preprocessing."""
    changes = options.preprocessing if isinstance(options.preprocessing, PreprocessingChanges) else None
    return ClassifierOptions(preprocessing=changes, device=options.device, precision=options.precision)


def _adapt(classifier: Classifier, options: ClassifierOptions) -> Classifier:
    """The classifier with these options; its weights are replaced in a copy."""
    if options.preprocessing is not None:
        options = replace(options, preprocessing=options.preprocessing_over(classifier.preprocessing))
    if not isinstance(classifier, TorchClassifier):
        return classifier.with_options(options)
    module = classifier.copy_of_module()
    load_given(module, options.weights)
    return classifier.with_options(options, module)


def _with_weights(built: LoadedModel, options: ClassifierOptions) -> LoadedModel:
    if options.weights is None or options.weights == RANDOM:
        return built
    module = copy_module(built.module)
    load_given(module, options.weights)
    return replace(built, module=module, held=False)


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


def _first(*values: Given | None) -> Given | None:
    """The first value that isn't None."""
    return next((value for value in values if value is not None), None)
