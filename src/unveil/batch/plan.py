"""The plan of an archive: everything that its numbers depend on, besides the images."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil import __version__
from unveil.batch.model_spec import ModelSpec
from unveil.errors import BatchError, UnveilWarning
from unveil.predictions import ProbeOutput

if TYPE_CHECKING:
    from unveil.classifiers import Classifier

PLAN, FORMAT, TABLE_FORMAT, MAX_BYTES = "plan.json", "unveil archive", 1, 1 << 26
# What doesn't enter the numbers by itself: files may be touched, and other machines round the probe in another way.
_BESIDE = ("files", "probe", "processor", "asked")


def planned_versions() -> dict[str, str]:
    """The versions of `unveil` and of the libraries that can change numbers."""
    return {"unveil": __version__, **{name: version(name) for name in ("torch", "numpy", "scipy", "pillow")}}


@dataclass(frozen=True)
class BatchPlan:
    """Everything that the rows of an archive are a function of, besides the images.

    Attributes:
        model: The classifier.
        fingerprint: SHA-256 of its weights.
        labels: The labels of the classifier, in the order of its logits.
        device: The kind of device that it runs on: `cpu`, `cuda` or `mps`.
        probe: Its output for one fixed synthetic image, or None; not part of `id`, and compared with a tolerance.
        recipe: All settings of a run, as the table of `Recipe.as_dict`.
        averaging_precision: The precision of averaged gradients, decided once here: `fp32`, `bf16` or another.
        batch_size: The number of images per batch.
        threads: The number of threads of each worker.
        seed: The seed of the noise.
        value_range: The original values that become 0 and 1; None for those that the files imply.
        keep: `tables`, or `records` for a full record of each run too.
        shard_size: The number of items of a shard.
        versions: The versions of `unveil` and of the libraries that can change numbers.
        table_format: The version of the tables.
        files: Size in bytes and time of the last change (ns) of the files that the model is made of, by which a
            repeated call sees that they are the same; not part of `id`.
        processor: The kind of processor that the plan was made on. Others round the last bits in another way, of which
            workers warn; not part of `id`.
        asked: What the call that made the plan was given, in plain values (`asked_for`), by which the same call is
            recognized before anything is decided again; not part of `id`.
    """

    model: ModelSpec
    fingerprint: str
    labels: tuple[str, ...]
    device: str
    probe: ProbeOutput | None
    recipe: dict[str, Any]
    averaging_precision: str
    batch_size: int
    threads: int = 1
    seed: int = 0
    value_range: tuple[float, float] | None = None
    keep: str = "tables"
    shard_size: int = 16
    versions: dict[str, str] = field(default_factory=planned_versions)
    table_format: int = TABLE_FORMAT
    files: tuple[tuple[str, int, int], ...] = ()
    processor: str = ""
    asked: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def id(self) -> str:
        """SHA-256 of the canonical JSON of everything but what `_BESIDE` names."""
        values = {name: value for name, value in self.as_dict().items() if name not in ("id", *_BESIDE)}
        text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without `id`."""
        values = {item.name: _plain(getattr(self, item.name)) for item in fields(self)}
        probe = None if self.probe is None else {"logits": list(self.probe.logits), "norm": self.probe.norm}
        return values | {"model": self.model.as_dict(), "probe": probe}

    def to_json(self) -> str:
        """The text of `plan.json`."""
        return json.dumps({"format": FORMAT, "id": self.id, **self.as_dict()}, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> BatchPlan:
        """The plan of plain values, as `as_dict` makes them. Raises `BatchError` for others."""
        try:
            given = {item.name: values[item.name] for item in fields(cls)}
            low_high, probe = given["value_range"], given["probe"]
            return cls(
                **given
                | {
                    "model": ModelSpec.from_dict(given["model"]),
                    "labels": tuple(given["labels"]),
                    "probe": None if probe is None else ProbeOutput(tuple(probe["logits"]), probe["norm"]),
                    "value_range": None if low_high is None else (float(low_high[0]), float(low_high[1])),
                    "files": tuple((str(path), int(size), int(time)) for path, size, time in given["files"]),
                }
            )
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise BatchError("a plan with all its settings", f"{type(error).__name__}: {error}", _DO) from error

    @classmethod
    def read(cls, folder: str | Path) -> BatchPlan:
        """The plan of the archive in `folder`. Raises `BatchError` if there is none, or if it is damaged or newer."""
        path = Path(folder) / PLAN
        try:
            if path.stat().st_size > MAX_BYTES:
                raise BatchError(f"a plan of at most {MAX_BYTES} bytes", str(path), _DO)
            values = json.loads(path.read_bytes())
        except FileNotFoundError as error:
            raise BatchError(f"the folder of an archive, with {PLAN}", str(folder), "check the path") from error
        except (OSError, ValueError, RecursionError) as error:
            raise BatchError(f"a plan in {path}", str(error).splitlines()[0][:100], _DO) from error
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise BatchError(f"a plan of the format {FORMAT!r}", str(path), "check the path")
        if values.get("table_format") != TABLE_FORMAT:
            got = f"{path} with table_format {values.get('table_format')!r}"
            raise BatchError(f"tables of format {TABLE_FORMAT}", got, "use the version of unveil that made it")
        plan = cls.from_dict(values)
        if values.get("id") != plan.id:
            raise BatchError("a plan that has its id", f"{path}, which was changed", _DO)
        return plan

    def load_classifier(self) -> Classifier:
        """Load the classifier in a worker, and check that it is the planned one: see `check_classifier`.

        Raises `BatchError` for other versions or another classifier, and the errors of `load_classifier`. Warns on
        another kind of processor.
        """
        pairs = _differing("versions", self.versions, planned_versions())
        differing = [f"{name} {_short(there)} (planned {_short(planned)})" for name, planned, there in pairs]
        if differing:
            do = "install the same versions for all workers"
            raise BatchError("a worker with the planned versions", "; ".join(differing), do)
        classifier = self.model.load(self.threads)
        self.check_classifier(classifier)
        here = processor_of(classifier)
        if self.processor not in ("", here):
            text = f"this worker computes on {here}, and the plan was made on {self.processor}; last bits may differ"
            warnings.warn(UnveilWarning(text), stacklevel=2)
        return classifier

    def differences(self, now: BatchPlan) -> list[str]:
        """Everything that differs in another plan: its name, the value here, and the other one in brackets."""
        here, there = self.as_dict(), now.as_dict()
        found = [
            f"{place} {_short(old)} (now {_short(new)})"
            for name in here
            if name not in _BESIDE
            for place, old, new in _differing(name, here[name], there[name])
        ]
        kept, present = self.probe, now.probe
        same = kept == present if kept is None or present is None else kept.matches(present)
        probes = f"output of the network for a test image: {kept or 'unknown'} (now {present or 'unknown'})"
        return found if same else [*found, probes]

    def check_classifier(self, classifier: Classifier) -> None:
        """Check that a worker's classifier is the one that was planned: weights, labels and precision of averages.

        Raises `BatchError` with all that differs; such a worker would write rows that don't belong to the others.
        """
        pairs = [
            ("weights", self.fingerprint[:12], classifier.fingerprint[:12]),
            ("labels", self.labels, tuple(classifier.labels)),
            ("device", self.device, classifier.device.type),
            ("precision of averaged gradients", self.averaging_precision, averaging_form(self.recipe, classifier)),
        ]
        differing = [
            f"{name} {_short(there)} (planned {_short(planned)})" for name, planned, there in pairs if planned != there
        ]
        if differing:
            do = "use the same files and the same kind of machine for all workers, or another --out"
            raise BatchError("a worker with the planned classifier", "; ".join(differing), do)


def read_plan(folder: str | Path) -> BatchPlan:
    """The plan of the archive in `folder`: `BatchPlan.read`."""
    return BatchPlan.read(folder)


_DO = "use the plan as it was written, or another --out"


def averaging_form(recipe: Mapping[str, Any], classifier: Classifier) -> str:
    """The precision in which a recipe averages the gradients of a classifier, in one word: `fp32` or `bf16`."""
    from unveil.recipes import Recipe  # noqa: PLC0415 (torch)

    text = Recipe.from_dict(dict(recipe)).attribution.averaging_precision(classifier)
    return text.partition(":")[0].partition(" ")[0]


def processor_of(classifier: Classifier) -> str:
    """The kind of processor that a classifier computes on: the instruction set of a CPU, or the name of a device."""
    import torch  # noqa: PLC0415 (a worker has it)

    if classifier.device.type == "cuda":
        return torch.cuda.get_device_name(classifier.device)
    return torch.backends.cpu.get_cpu_capability() if classifier.device.type == "cpu" else classifier.device.type


def _plain(value: Any) -> Any:
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _differing(place: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict) and old.get("kind") == new.get("kind"):
        for name in dict.fromkeys((*old, *new)):
            yield from _differing(f"{place}.{name}", old.get(name), new.get(name))
    elif old != new:
        yield place, old, new


def _short(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("kind", value)
    text = f"{len(value)} names" if isinstance(value, list | tuple) and len(value) > 4 else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
