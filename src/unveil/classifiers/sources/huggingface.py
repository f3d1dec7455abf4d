"""`huggingface/NAME` or `huggingface/FOLDER`: the only module that imports transformers.

Weights are read from safetensors only, no code of a repository is run, and nothing is fetched for a folder.
"""

import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from unveil.classifiers.preprocessing import Preprocessing
from unveil.classifiers.sources.base import RANDOM, LoadedModel, ModelRequest
from unveil.classifiers.sources.image_processors import read_image_processor
from unveil.classifiers.sources.weights import is_file, load_into, read_weights
from unveil.errors import ClassifierError, MissingLibraryError, WeightsError
from unveil.predictions import Output

FORM = "huggingface/NAME of a model of the hub, such as google/vit-base-patch16-224, or huggingface/FOLDER"
NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
UNNAMED = re.compile(r"LABEL_\d+")  # what transformers writes for labels that nobody named
# Nobody is told what is loaded, and no server is asked to convert weights.
PRIVATE = {"HF_HUB_DISABLE_TELEMETRY": "1", "DISABLE_SAFETENSORS_CONVERSION": "1"}
FILES = "config.json, preprocessor_config.json and model.safetensors"


@dataclass(frozen=True)
class _Repository:
    """A folder, or a repository of the hub in one revision (None: its main one)."""

    library: ModuleType
    source: str
    is_folder: bool
    revision: str | None = None

    def read(self, kind: str, **options: Any) -> Any:
        """What `kind.from_pretrained` makes of it; raises `WeightsError` with the library's message."""
        options |= {"local_files_only": True} if self.is_folder else {"revision": self.revision or "main"}
        try:
            return getattr(self.library, kind).from_pretrained(self.source, trust_remote_code=False, **options)
        except Exception as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            got = f"{type(error).__name__}: {' '.join(lines[:2])[:240]}"
            raise WeightsError(f"to load huggingface/{self.source}", got, self._advice(got, kind)) from error

    def _advice(self, said: str, kind: str) -> str:
        if re.search(r"custom code|to execute", said):
            return "its code isn't run: build the model in a file of yours, python/FILE.py:FACTORY"
        if "no file named" in said:
            return "weights are read from safetensors only: write them with save_pretrained"
        if "nrecognized" in said:
            return "choose an image classifier"
        if not self.is_folder:
            return "check the name and the network, or give a folder"
        missing = "an image processor" if kind == "AutoImageProcessor" else "the model"
        return f"write {missing} there with save_pretrained; a folder has {FILES}"


def build(request: ModelRequest) -> LoadedModel:
    """An image classifier of transformers in float32, with its labels and the preprocessing of its image processor.

    Weights: by default those of the folder, or of the hub (fetched by transformers); for the hub also those of a
    revision (branch, tag or commit); a file; `none` for random ones. Raises `ClassifierError` or `WeightsError` for
    whatever isn't an image classifier with all of its weights and an image processor that a `Preprocessing` expresses.
    No image processor is needed if the request has a preprocessing.
    """
    library, weights = _transformers(), request.weights
    repository, own = _repository(library, request), weights is None or not (weights == RANDOM or is_file(weights))
    with _quiet(library):
        config = repository.read("AutoConfig")
        preprocessing = _preprocessing(repository, request, getattr(config, "num_channels", 3))
        module = _trained(repository) if own else library.AutoModelForImageClassification.from_config(config)
        if not own and weights is not None and weights != RANDOM:
            module = _with_file(module, config, weights)
    labels, output = read_config(module)
    labels = labels if request.labels is None else request.labels
    return LoadedModel(module.float(), preprocessing, labels, output)


def _preprocessing(repository: _Repository, request: ModelRequest, channels: int) -> Preprocessing | None:
    """That of the repository's image processor; None if one was given, which replaces it."""
    if request.preprocessing is not None:
        return None
    try:
        return read_image_processor(repository.read("AutoImageProcessor"), channels)
    except ClassifierError:
        # Changes that replace all of its numbers don't need a processor that is missing or can't be expressed.
        if request.needs_preprocessing:
            raise
        return None


def architectures() -> tuple[str, ...]:
    """Kinds of image classifiers that transformers has, as in `model_type` of a configuration."""
    return tuple(sorted(_transformers().models.auto.modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES))


def read_config(module: nn.Module) -> tuple[tuple[str, ...] | None, Output | None]:
    """Labels and meaning of the logits that a module of transformers has in its `config`; None where it doesn't say.

    Labels are `id2label` in the order of the indices, unless they are LABEL_0, LABEL_1 … Several labels may apply at
    once (`problem_type`), or the only one may apply or not: sigmoid. Raises `ClassifierError` for a regression.
    """
    config = getattr(module, "config", None)
    names, problem = getattr(config, "id2label", None), getattr(config, "problem_type", None)
    if problem == "regression":
        raise ClassifierError("a classifier", f"{type(module).__name__} for a regression", "choose another model")
    if not isinstance(names, Mapping) or not names:
        return None, None
    labels = _in_order(names)
    output = Output.SIGMOID if problem == "multi_label_classification" or len(names) == 1 else None
    return (None if labels is None or all(map(UNNAMED.fullmatch, labels)) else labels), output


def _in_order(names: Mapping[Any, Any]) -> tuple[str, ...] | None:
    """The labels of the indices 0, 1, …; None if an index is missing or isn't a number."""
    try:
        by_index = {int(index): str(name).strip() for index, name in names.items()}
    except ValueError:
        return None
    return tuple(by_index[index] for index in range(len(names))) if sorted(by_index) == [*range(len(names))] else None


def _repository(library: ModuleType, request: ModelRequest) -> _Repository:
    folder, weights = Path(request.name).expanduser(), request.weights
    revision = None if weights is None or weights == RANDOM or is_file(weights) else weights
    if folder.is_dir():
        if revision is not None:
            raise WeightsError("weights of a folder: a file, or none", revision, "leave --weights out for its own")
        return _Repository(library, str(folder), is_folder=True)
    if not NAME.fullmatch(request.name):
        raise ClassifierError(FORM, f"{request.name!r}, which is not a folder", "check the path")
    return _Repository(library, request.name, is_folder=False, revision=revision)


def _trained(repository: _Repository) -> nn.Module:
    """The network with all of its weights; transformers would leave those that are missing random."""
    module, report = repository.read(
        "AutoModelForImageClassification",
        use_safetensors=True,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    problems = [f"{name} is missing" for name in sorted(report["missing_keys"])]
    # Names before version 5 of the library, names and shapes since then.
    others = [key if isinstance(key, str) else key[0] for key in report["mismatched_keys"]]
    problems += [f"{name} has another shape" for name in sorted(others)]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        got = f"a file where {'; '.join(problems[:3])}{more}"
        do = "choose a model that was trained for classification"
        raise WeightsError(f"all weights of {type(module).__name__} in {repository.source}", got, do)
    return module


def _with_file(module: Any, config: Any, weights: str) -> nn.Module:
    """The network with the weights of a file, under the names of its modules or those that transformers saves."""
    tensors = read_weights(weights)
    try:
        load_into(module, tensors, weights)
    except WeightsError:
        try:
            renamed, report = type(module).from_pretrained(
                None, config=config, state_dict=tensors, output_loading_info=True
            )
        except Exception:  # noqa: BLE001 (what doesn't fit is said by the first error)
            renamed, report = module, {"error": True}
        if any(report.values()):
            raise
        return renamed
    return module


def _transformers() -> ModuleType:
    with _environment():  # it is read when the library is imported
        try:
            import transformers  # noqa: PLC0415 (optional)
        except ImportError as error:
            raise MissingLibraryError("transformers", "hf", "huggingface/… models") from error
    return transformers


@contextmanager
def _environment() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in PRIVATE}
    os.environ.update(PRIVATE)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def _quiet(library: ModuleType) -> Iterator[None]:
    """No messages, no bars and no telemetry while something is loaded; afterwards everything is as it was."""
    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub")]
    levels, bars = [logger.level for logger in loggers], library.utils.logging.is_progress_bar_enabled()
    hub = vars(sys.modules["huggingface_hub.constants"])
    telemetry_off = hub["HF_HUB_DISABLE_TELEMETRY"]
    hub["HF_HUB_DISABLE_TELEMETRY"] = True
    library.utils.logging.disable_progress_bar()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with _environment(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        hub["HF_HUB_DISABLE_TELEMETRY"] = telemetry_off
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if bars:
            library.utils.logging.enable_progress_bar()
