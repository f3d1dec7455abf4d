"""The work of one shard: read, run, publish. All engines call this one function."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from unveil.batch.archive import Archive
from unveil.batch.base import Outcome, parse_name, retry_of
from unveil.batch.items import Item
from unveil.batch.plan import BatchPlan
from unveil.batch.rows import describe_error, failure_as_rows, no_rows, run_as_rows
from unveil.batch.shards import publish, read_seal
from unveil.errors import BatchError, DiskFullError, ImageError, UnveilWarning

if TYPE_CHECKING:
    from unveil.classifiers import Classifier
    from unveil.images import Image
    from unveil.recipes import Recipe
    from unveil.records import Run

RECORDS = "records"
OnItem = Callable[[int], None]


def work(
    folder: str | Path,
    plan: BatchPlan,
    shard: str,
    on_item: OnItem = lambda index: None,
    *,
    classifier: Classifier,
) -> Outcome:
    """Find the regions of all images of a shard, and publish its rows; returns what became of it.

    The rows depend on the images and the plan alone, so two workers that do one shard have the same rows, and the
    second result is dropped. An image that fails, for whatever reason, is a row with the reason. A shard that is there
    already isn't computed again.

    Args:
        folder: The archive.
        plan: Its plan.
        shard: The name of the shard, from `Archive.missing`, or that of an item split off it.
        on_item: Called with the index of each item when it is finished; what it raises ends the work.
        classifier: The classifier, as `BatchPlan.load_classifier` makes it.

    Raises `DiskFullError` for a full disk, and `BatchError` for another classifier than the planned one, a shard that
    isn't planned, and whatever the disk refuses; nothing of the shard is published then.
    """
    archive = Archive(Path(folder), plan)
    indices = archive.items_of(shard)
    base, _ = parse_name(shard)
    for name in (shard, base):
        if archive.is_published(name):
            return _kept(archive, name, shard, len(indices))
    plan.check_classifier(classifier)
    from unveil.recipes import Recipe  # noqa: PLC0415 (torch)

    recipe, started, rows = Recipe.from_dict(plan.recipe), time.monotonic(), no_rows()
    runs: dict[int, Run] = {}
    for index in indices:
        item = archive.items[index]
        made, run = _run_item(item, plan, recipe, classifier, 1 + retry_of(shard))
        for name, new in made.items():
            rows[name] += new
        if run is not None and plan.keep == RECORDS:
            runs[index] = run
        on_item(index)

    def write_records(part: Path) -> None:
        for index, run in runs.items():
            run.save(part / RECORDS / f"{index:06d}")

    outcome = publish(archive.folder, plan.id, shard, indices, rows, write_records if runs else None)
    return Outcome(shard, outcome.done, outcome.failed, time.monotonic() - started, outcome.kept)


def _kept(archive: Archive, name: str, shard: str, count: int) -> Outcome:
    """What is known of a shard that is there; a damaged one is found when the tables are written."""
    try:
        seal = read_seal(archive.folder, name)
    except BatchError:
        return Outcome(shard, count, 0, 0.0, kept=True)
    return seal.outcome() if name == shard else Outcome(shard, count, 0, 0.0, kept=True)


def _run_item(
    item: Item, plan: BatchPlan, recipe: Recipe, classifier: Classifier, attempts: int
) -> tuple[dict[str, list], Run | None]:
    from unveil.rounds import find_regions  # noqa: PLC0415 (torch)

    started = time.monotonic()

    def passed() -> float:
        return time.monotonic() - started

    if item.error is not None:
        return failure_as_rows(item, item.error_kind or "DatasetError", item.error, attempts, passed()), None
    try:
        image = _read(item, plan, classifier)
        run = find_regions(image, classifier, recipe, seed=plan.seed, batch_size=plan.batch_size)
        return run_as_rows(run, item, attempts, passed()), run
    except DiskFullError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever a stranger's network raises ends one image, not all)
        return failure_as_rows(item, *describe_error(error), attempts, passed()), None


def _read(item: Item, plan: BatchPlan, classifier: Classifier) -> Image:
    from unveil.images import read_image  # noqa: PLC0415

    if item.is_changed():
        got = f"{item.shown_path} with another size or time"
        do = "restore the file, or call again with --retry-failed to take it as it is"
        raise ImageError("an image as it was when the archive was planned", got, do)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnveilWarning)
        return read_image(item.path, value_range=plan.value_range, channels=classifier.preprocessing.channels)
