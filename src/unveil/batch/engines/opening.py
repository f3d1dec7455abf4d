"""What the workers of a real archive do: load its classifier, and work on its shards."""

from collections.abc import Callable
from pathlib import Path

from unveil.batch.engines.base import ShardWork


def open_shard_work(folder: Path) -> ShardWork:
    """Load the classifier of the archive in `folder`, and return the function that does a shard of it.

    Raises `BatchError` if the classifier isn't the planned one, and the errors of `load_classifier`.
    """
    # Imported here, because the number of threads must be in the environment before torch is.
    import unveil.rounds  # noqa: F401, PLC0415 (so that the first shard takes no longer than others)
    from unveil.batch.archive import read_archive  # noqa: PLC0415
    from unveil.batch.work import work  # noqa: PLC0415

    archive = read_archive(folder)
    plan = archive.plan
    classifier = plan.load_classifier()

    def do_shard(shard: str, on_item: Callable[[int], None]) -> tuple[int, int]:
        finished = 0

        def count(index: int) -> None:
            nonlocal finished
            finished += 1
            on_item(finished)

        outcome = work(folder, plan, shard, on_item=count, classifier=classifier)
        return outcome.done, outcome.failed

    return do_shard
