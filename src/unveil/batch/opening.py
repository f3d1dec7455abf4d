"""Make an archive, or continue one: the plan must be the same, and the images as they were."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from unveil.atomic import check_folder, write_durably
from unveil.batch.archive import Archive
from unveil.batch.items import ITEMS, Item, OnCount, compare_items, describe_change, first_three, make_items
from unveil.batch.lock import archive_lock
from unveil.batch.parquet import to_parquet
from unveil.batch.plan import PLAN, BatchPlan
from unveil.batch.rows import DONE
from unveil.batch.shards import SHARDS, TMP
from unveil.datasets import Sample
from unveil.errors import BatchError, UnveilWarning
from unveil.leftovers import remove_leftovers

# What an archive may hold before its plan is written.
_OWN = {SHARDS, TMP, ITEMS, "lock"}


def open_archive(
    out: str | Path, plan: BatchPlan, samples: Sequence[Sample], on_count: OnCount = lambda count: None
) -> Archive:
    """Make the archive `out`, or continue the one that is there.

    Its plan must be the one that is given. Samples that it doesn't have become new items in new shards; those that it
    has must have the same files (path, size and time of the last change), labels and groups, because their rows would
    belong to other images otherwise. Those that failed, or weren't tried yet, are taken as they are now; those that
    failed are tried again by `Archive.retry_failed` only. What killed calls left is removed.

    Args:
        out: The folder.
        plan: The plan.
        samples: The data.
        on_count: Called with the number of samples that were looked at, every 1000.

    Raises `BatchError` that names every difference of the plans, or the first items that changed; if another process
    works on the archive; and for a folder that holds anything else. Warns of items that the data don't have any more.
    """
    folder = Path(out)
    if not len(samples):
        raise BatchError("at least one image", "none", "check the data")
    kept, chosen = None, plan
    if (folder / PLAN).exists():
        kept = BatchPlan.read(folder)
        _check_plan(folder, kept, plan)
        # The one that the shards were made by: probes may differ by rounding.
        chosen = replace(kept, files=plan.files, asked=plan.asked)
    else:
        _check_new(folder)
    with archive_lock(folder):
        for name in (SHARDS, TMP):
            (folder / name).mkdir(exist_ok=True)
        remove_leftovers(folder / TMP)
        if kept != chosen:
            write_durably(folder / PLAN, folder / TMP, lambda file: file.write(chosen.to_json().encode()))
        archive = Archive(folder, chosen)
        _add_items(archive, samples, on_count)
    return archive


def _check_plan(folder: Path, kept: BatchPlan, plan: BatchPlan) -> None:
    differences = kept.differences(plan)
    if differences:
        got = f"{folder}, where these differ: {'; '.join(differences)}"
        raise BatchError("an archive with the same settings", got, "use another --out, or the settings of this one")


def _check_new(folder: Path) -> None:
    check_folder(folder)
    if folder.exists() and (other := sorted({path.name for path in folder.iterdir()} - _OWN)):
        got = f"{folder} with {first_three(other, len(other))}"
        raise BatchError("an empty folder, or an archive", got, "choose another --out")
    folder.mkdir(parents=True, exist_ok=True)


def _add_items(archive: Archive, samples: Sequence[Sample], on_count: OnCount) -> None:
    """Plan the samples that are new, and check that the others are as they were."""
    folder, size = archive.folder, archive.plan.shard_size
    items = archive.items if (folder / ITEMS).exists() else None
    found = compare_items(items, samples, on_count)
    _check_gone(folder, found.gone, 0 if items is None else len(items))
    if found.changed:
        _check_changed(archive, found.changed)
    if not found.new and not found.changed:
        return
    old = [] if items is None else list(items)
    for _, now in found.changed:
        old[now.index] = now
    first = 1 + int(old[-1].shard) if old else 0
    rows = (item.as_row() for item in (*old, *make_items(found.new, len(old), size, first)))
    content = to_parquet("items", rows)
    write_durably(folder / ITEMS, folder / TMP, lambda file: file.write(content))


def _check_gone(folder: Path, gone: int, count: int) -> None:
    if gone and gone == count:
        got = f"none of the {count} that {folder} has"
        raise BatchError("the images of the archive among the data", got, "use another --out")
    if gone:
        text = f"{gone} of {count} images of the archive aren't in the data any more; it keeps them"
        warnings.warn(UnveilWarning(text), stacklevel=4)


def _check_changed(archive: Archive, changed: Sequence[tuple[Item, Item]]) -> None:
    """Images may change as long as no run of them is there: they failed, or weren't tried."""
    done = set(archive.with_status(DONE))
    refused = [pair for pair in changed if pair[0].index in done]
    if refused:
        got = f"other ones: {first_three((describe_change(*pair) for pair in refused), len(refused))}"
        raise BatchError("images as they were when their runs were made", got, "restore them, or use another --out")
