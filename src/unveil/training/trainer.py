"""Trains a classifier: reads the images, searches and trains epoch after epoch, and keeps the best weights."""

import copy
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from unveil import __version__
from unveil.atomic import check_folder, write_text, written_atomically
from unveil.classifiers import Classifier
from unveil.classifiers.torch_module import TorchClassifier
from unveil.training.batches import BatchMaker
from unveil.training.examples import Examples, check_classes, split_rows
from unveil.training.losses import Loss
from unveil.training.searching import find_regions_of_many
from unveil.training.settings import Erasing, TrainingError, TrainingSettings

WEIGHTS, REPORT, SETTINGS, LAST = "model.safetensors", "report.json", "settings.json", "last.ckpt"
OnWork = Callable[[str, int, int, str], None]  # what, done, total, a remark


@dataclass(frozen=True)
class TrainingResult:
    """What a training ended with.

    Attributes:
        weights: The file with the weights of the best epoch; `load_classifier` and `--weights` take it.
        best_epoch: The epoch with the smallest objective, from 1 on.
        history: For each epoch its `loss` and `accuracy` on the validation images, its `erased_loss` on these images
            with as much erased as in the training, by regions of the network as it is then, and its `objective`: the
            mean of both, weighted with the share of clean images. Where nothing is erased, the objective is the loss.
            Also the number of images that were `searched`, the share of them in which anything was `found`, and the
            mean share of their pixels (`area`).
    """

    weights: Path
    best_epoch: int
    history: tuple[dict[str, float], ...] = field(repr=False)


def train_classifier(  # noqa: PLR0913 (three of them are Lightning's)
    classifier: Classifier,
    examples: Examples,
    out: str | Path,
    settings: TrainingSettings | None = None,
    *,
    validation: Examples | None = None,
    accelerator: str = "auto",
    devices: int = 1,
    precision: str = "32-true",
    on_work: OnWork = lambda what, done, total, remark: None,
) -> TrainingResult:
    """Fine-tune a classifier on images, with what `settings` say erased from them.

    Args:
        classifier: A classifier made of a PyTorch module. It isn't changed.
        examples: The images, see `read_examples`.
        out: The folder of weights, checkpoint and report. A training that was stopped there goes on; one that was
            finished with the same settings and images isn't repeated.
        settings: None for the default ones.
        validation: Images for validation; None keeps a share of the examples' groups for it.
        accelerator, devices, precision: Passed on to Lightning's trainer.
        on_work: Called with what is done, the number done, their total, and a remark.

    Returns the result; its weights are those of the epoch with the smallest objective. The loss on clean images alone
    would choose a network that hasn't begun to use its other evidence. Raises
    `TrainingError` for a classifier without weights to train, for a label without images, for a loss that isn't finite
    (the best weights until then are kept), and for an `out` that holds another training. Source: Bordes et al. 2018,
    section 5.
    """
    settings = TrainingSettings() if settings is None else settings
    network_of = _trainable(classifier)
    folder = check_training_folder(out)
    examples, validation = _split(examples, validation, settings, classifier)
    key = _key(classifier, examples, validation, settings)
    done = _finished(folder, key)
    if done is not None:
        return done
    _begin(folder, key)
    from unveil.training.loop import TrainingModule, fit  # noqa: PLC0415 (Lightning takes seconds to import)

    loss = Loss.for_targets(examples.targets, classifier.output, balanced=settings.balanced)
    work = _Work(network_of, examples, validation, settings, loss, folder, on_work)
    module = TrainingModule(
        work.network, network_of, settings, loss, work.make_batches, validation, work.on_step, work.on_epoch
    )
    fit(module, settings, folder, accelerator=accelerator, devices=devices, precision=precision)
    return work.finish(key)


def check_training_folder(out: str | Path) -> Path:
    """The folder of a training, made if it isn't there. Raises `RecordError` where nothing can be written."""
    check_folder(out)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _trainable(classifier: Classifier) -> TorchClassifier:
    """The classifier, if there is anything to train."""
    if isinstance(classifier, TorchClassifier) and classifier.differentiable:
        weights = [one for one in classifier.copy_of_module().parameters() if one.is_floating_point()]
        if weights:
            return classifier
    expected, got = "a classifier with weights to train", f"{classifier.name}, a {type(classifier).__name__}"
    raise TrainingError(expected, got, "give the PyTorch module that it was made of")


def _split(
    examples: Examples, validation: Examples | None, settings: TrainingSettings, classifier: Classifier
) -> tuple[Examples, Examples]:
    if validation is None:
        training, kept = split_rows(examples.groups, settings.validation_share)
        if not len(kept) or not len(training):
            got = f"{len(set(examples.groups))} groups of images"
            raise TrainingError("enough images for training and validation", got, "add images")
        examples, validation = examples.choose(training), examples.choose(kept)
    there = np.flatnonzero(examples.targets.sum(0) + validation.targets.sum(0))
    check_classes(examples, classifier.labels, [int(column) for column in there])
    return examples, validation


def _key(classifier: Classifier, *parts: Any) -> str:
    """What a training is a function of: a hash of weights, images, targets and settings."""
    digest = hashlib.sha256(f"{__version__} {classifier.fingerprint}".encode())
    for part in parts:
        if isinstance(part, Examples):
            digest.update(np.ascontiguousarray(part.targets).tobytes())
            for row in range(len(part)):
                digest.update(np.ascontiguousarray(part.pixels[row]).data)
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()


def _begin(folder: Path, key: str) -> None:
    """Note whose checkpoint the folder holds. Raises `TrainingError` if it is that of another training."""
    note = folder / SETTINGS
    if note.exists() and json.loads(note.read_text(encoding="utf-8")).get("key") != key:
        do = "choose another folder, or delete this one"
        raise TrainingError("a folder for this training", f"{folder}, with one of other settings or images", do)
    write_text(note, json.dumps({"key": key, "version": __version__}) + "\n")


def _finished(folder: Path, key: str) -> TrainingResult | None:
    report = folder / REPORT
    if not report.exists() or not (folder / WEIGHTS).exists():
        return None
    content = json.loads(report.read_text(encoding="utf-8"))
    if content.get("key") != key:
        return None
    return TrainingResult(folder / WEIGHTS, content["best_epoch"], tuple(content["history"]))


class _Work:
    """The searches of a training, and its best weights."""

    def __init__(
        self,
        classifier: TorchClassifier,
        examples: Examples,
        validation: Examples,
        settings: TrainingSettings,
        loss: Loss,
        folder: Path,
        on_work: OnWork,
    ) -> None:
        self._classifier, self._examples, self._settings = classifier, examples, settings
        self._validation, self._loss = validation, loss
        self._folder, self._on_work = folder, on_work
        self.network = thaw(classifier.copy_of_module())
        self._history: list[dict[str, float]] = self._kept_history()
        self._measures: dict[str, float] = {}

    def _kept_history(self) -> list[dict[str, float]]:
        """The history of a training that was stopped; what goes beyond its checkpoint is replaced by `on_epoch`."""
        path = self._folder / "history.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []

    def make_batches(self, network: nn.Module, epoch: int) -> BatchMaker:
        """What an epoch draws its batches from: searched by the network as it is now."""
        current = self._current(network)
        maker, self._measures = self._searched(current, self._examples, f"epoch {epoch + 1}", (2, epoch))
        return maker

    def _current(self, network: nn.Module) -> TorchClassifier:
        """A classifier with a frozen copy of the network as it is now."""
        return self._classifier.with_network(copy.deepcopy(network).eval(), self._classifier.name)

    def _searched(
        self, current: TorchClassifier, examples: Examples, what: str, numbers: tuple[int, int]
    ) -> tuple[BatchMaker, dict[str, float]]:
        """Batches with regions of the network as it is now, and what was found."""
        settings = self._settings
        mean = torch.tensor(self._classifier.preprocessing.mean)
        if settings.erase is Erasing.NONE:
            return BatchMaker(examples, settings, mean), {}
        rng = np.random.default_rng((settings.seed, *numbers))
        count = min(settings.searched or len(examples), len(examples))
        rows = np.sort(rng.choice(len(examples), count, replace=False))
        found = find_regions_of_many(
            current,
            lambda some: examples.batch(rows[list(some)]).to(self._classifier.device),
            [_one_of(examples.targets[row], rng) for row in rows],
            settings,
            f"{settings.seed}/search {numbers}",
            lambda done, total: self._on_work(f"searching, {what}", done, total, ""),
        )
        has = found.rounds > 0
        areas = found.erased[has, -1].mean(tuple(range(1, found.erased.ndim - 1)))
        measures = {
            "searched": len(rows),
            "found": float(has.mean()),
            "area": float(areas.mean() if len(areas) else 0),
        }
        return BatchMaker(examples, settings, mean, found, tuple(int(row) for row in rows)), measures

    def _erased_loss(self, network: nn.Module, epoch: int) -> float:
        """The loss on validation images with as much erased as in the training, by regions of this network."""
        current = self._current(network)
        maker, _ = self._searched(current, self._validation, f"validation {epoch}", (3, epoch))
        settings = replace(self._settings, clean_share=0.0)
        maker = replace(maker, settings=settings)
        total, count = 0.0, 0
        for step in range(math.ceil(len(maker.searched) / settings.batch_size)):
            batch = maker.make(step)
            predictions = current.predict(batch.pixels.to(self._classifier.device), settings.batch_size)
            logits = torch.from_numpy(np.stack([one.logits for one in predictions]))
            total += float(self._loss(logits, batch.targets)) * len(logits)
            count += len(logits)
        return total / count

    def on_step(self, done: int, total: int, remark: str) -> None:
        """Pass progress on."""
        self._on_work("training", done, total, remark)

    def on_epoch(self, epoch: int, measures: dict[str, float], network: nn.Module) -> float:
        """Keep the weights if they are the best so far; returns the objective."""
        settings = self._settings
        objective = measures["loss"]
        if settings.erase is not Erasing.NONE and math.isfinite(objective):
            measures = {**measures, "erased_loss": self._erased_loss(network, epoch)}
            share = settings.clean_share
            objective = share * measures["loss"] + (1 - share) * measures["erased_loss"]
        if not math.isfinite(objective):
            got, do = f"{objective} after epoch {epoch}", "use a smaller learning rate; earlier weights are kept"
            raise TrainingError("a finite loss on the validation images", got, do)
        earlier = self._history[: epoch - 1]
        if all(objective < one["objective"] for one in earlier):
            save_weights(network, self._folder / WEIGHTS)
        self._history = [*earlier, {"epoch": epoch, "objective": objective, **measures, **self._measures}]
        write_text(self._folder / "history.json", json.dumps(self._history) + "\n")
        return objective

    def finish(self, key: str) -> TrainingResult:
        """Write the report."""
        best = min(self._history, key=lambda one: one["objective"])
        result = TrainingResult(self._folder / WEIGHTS, int(best["epoch"]), tuple(self._history))
        report = {
            "version": __version__,
            "key": key,
            "best_epoch": result.best_epoch,
            "history": self._history,
            "labels": list(self._classifier.labels),
        }
        write_text(self._folder / REPORT, json.dumps(report, indent=1) + "\n")
        return result


def _one_of(targets: np.ndarray, rng: np.random.Generator) -> int:
    """The column of one of an image's labels, at random; −1 for an image without any."""
    columns = np.flatnonzero(targets)
    return int(rng.choice(columns)) if len(columns) else -1


def thaw(module: nn.Module) -> nn.Module:
    """The module in training mode, with weights that have gradients."""
    module.train()
    for weight in module.parameters():
        if weight.is_floating_point():
            weight.requires_grad_(True)
    return module


def save_weights(network: nn.Module, path: Path) -> None:
    """Write the weights as a safetensors file, whole or not at all."""
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
    with written_atomically(path, "the weights of a training") as part:
        save_file(tensors, part)
