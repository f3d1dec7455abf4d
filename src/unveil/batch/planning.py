"""Make the plan of an archive: decide once what all workers must have in common."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.batch.model_spec import ModelSpec
from unveil.batch.plan import PLAN, BatchPlan, averaging_form, planned_versions, processor_of
from unveil.errors import BatchError

if TYPE_CHECKING:
    from unveil.recipes import Recipe

KEEP = ("tables", "records")
# What is decided with the network at hand.
_UNKNOWN: dict[str, Any] = {"fingerprint": "", "labels": (), "device": "", "probe": None, "averaging_precision": ""}
MOST = {"batch_size": 4096, "threads": 1024, "shard_size": 4096}


def make_plan(  # noqa: PLR0913 (all that the rows depend on)
    model: ModelSpec,
    recipe: Recipe,
    *,
    seed: int = 0,
    batch_size: int | None = None,
    threads: int = 1,
    value_range: tuple[float, float] | None = None,
    keep: str = "tables",
    shard_size: int = 16,
    known: str | Path | None = None,
    asked: dict[str, Any] | None = None,
) -> BatchPlan:
    """Make the plan of an archive: decide what isn't given, once for all workers.

    The classifier is loaded to learn its fingerprint, its device, the precision of its averages and its batch size.
    That takes seconds. It is left out where the folder `known` holds a plan with the same settings and versions, and
    the files that the model is made of have the same sizes and times as then. A model whose files aren't known, or that
    changed without that, is still found out: each worker compares its own with the plan (`check_classifier`) before it
    computes anything.

    Args:
        model: The classifier; workers may run in other folders, so names of files become full paths.
        recipe: All settings of a run.
        seed: The seed of the noise.
        batch_size: The number of images per batch; None for the classifier's own.
        threads: The number of threads of each worker.
        value_range: The original values that become 0 and 1; None for those that the files imply.
        keep: `tables`, or `records` for a full record of each run too.
        shard_size: The number of items of a shard; small, because items take times that differ by a hundred.
        known: The folder of an archive whose plan may be used again.
        asked: What `recall_plan` will be given by the same call.

    Raises `BatchError` for settings out of range, and the errors of `load_classifier`.
    """
    from unveil.images.scaling import checked_range  # noqa: PLC0415
    from unveil.seeding import check_seed  # noqa: PLC0415

    _check_numbers(batch_size=1 if batch_size is None else batch_size, threads=threads, shard_size=shard_size)
    if keep not in KEEP:
        raise BatchError(f"keep as {' or '.join(KEEP)}", repr(keep), "choose one of them")
    scale = None if value_range is None else checked_range(value_range)
    model = model.with_full_paths()
    planned = BatchPlan(
        model=model,
        **_UNKNOWN,
        recipe=recipe.as_dict(),
        batch_size=0 if batch_size is None else batch_size,
        threads=threads,
        seed=check_seed(seed),
        value_range=scale,
        keep=keep,
        shard_size=shard_size,
        files=stamps(model),
        asked={} if asked is None else asked,
    )
    return _recalled(planned, known) or _decided(planned)


def asked_for(model: ModelSpec, **given: Any) -> dict[str, Any]:
    """A call as plain values, for `recall_plan`: equal if the call, its folder and the files that it names are.

    Args:
        model: The model; its files are stamped by the plan.
        given: All other options: texts, numbers, truth values, None, and lists of these. A text or a path that is a
            file becomes its full path, size and time of the last change.
    """
    return {"model": model.with_full_paths().as_dict(), **{name: _stamped(value) for name, value in given.items()}}


def recall_plan(folder: str | Path, asked: dict[str, Any]) -> BatchPlan | None:
    """The plan of the archive in `folder`, if the same call made it; None if anything is different or unknown.

    Needs neither torch nor the network, so that a repeated call ends at once. What it can't see (a network that changed
    without its files) is found by each worker before it computes anything. Raises `BatchError` for a damaged plan.

    Args:
        folder: The folder.
        asked: The call, as `asked_for` makes it.
    """
    if not (Path(folder) / PLAN).is_file():
        return None
    kept = BatchPlan.read(folder)
    same = kept.asked == asked and kept.versions == planned_versions() and kept.files == stamps(kept.model)
    return kept if same else None


def _stamped(value: Any) -> Any:
    if isinstance(value, Path) or (isinstance(value, str) and value and len(value) < 4096 and "\0" not in value):
        path = Path(value)
        if path.is_file():
            at = path.stat()
            return [str(path.absolute()), at.st_size, at.st_mtime_ns]
        return str(value)
    return [_stamped(one) for one in value] if isinstance(value, list | tuple) else value


def _recalled(asked: BatchPlan, known: str | Path | None) -> BatchPlan | None:
    """The plan in the folder `known`, if what was asked and the model's files are the same; None if anything isn't."""
    if known is None or not (Path(known) / PLAN).is_file():
        return None
    kept = BatchPlan.read(known)
    filled = replace(
        asked,
        fingerprint=kept.fingerprint,
        labels=kept.labels,
        device=kept.device,
        probe=kept.probe,
        processor=kept.processor,
        averaging_precision=kept.averaging_precision,
        batch_size=asked.batch_size if asked.batch_size > 0 else kept.batch_size,
    )
    # Other words for the same are no other plan.
    return filled if replace(filled, asked=kept.asked) == kept else None


def _decided(asked: BatchPlan) -> BatchPlan:
    classifier = asked.model.load(asked.threads)
    return replace(
        asked,
        fingerprint=classifier.fingerprint,
        labels=tuple(classifier.labels),
        device=classifier.device.type,
        probe=classifier.probe,
        processor=processor_of(classifier),
        averaging_precision=averaging_form(asked.recipe, classifier),
        batch_size=asked.batch_size if asked.batch_size > 0 else classifier.batch_size,
    )


def stamps(model: ModelSpec) -> tuple[tuple[str, int, int], ...]:
    """Path, size in bytes and time of the last change (ns) of the files that a model is made of."""
    found = ((path, path.stat()) for path in model.files())
    return tuple((str(path), at.st_size, at.st_mtime_ns) for path, at in found)


def _check_numbers(**numbers: int) -> None:
    for name, number in numbers.items():
        most = MOST[name]
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
            raise BatchError(f"{name} from 1 to {most}", repr(number), "16 items per shard and 1 thread are usual")
