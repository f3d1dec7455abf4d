"""Faults inside one process: each step of writing fails once, and shards on the disk are damaged."""

import contextlib
import errno
import os
import pathlib
import random
from collections.abc import Callable, Iterator
from typing import Any

from batch_chaos.cases import Case, Finding

from batch_drivers import drive
from unveil.errors import BatchError, DiskFullError, RecordError

CODES = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EFBIG)


class StepFailure:
    """Stands for a function: its call number `fails_at` does half of its work and raises."""

    def __init__(self, function: Callable[..., Any], fails_at: int, code: int) -> None:
        self.function, self.fails_at, self.code, self.calls = function, fails_at, code, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls != self.fails_at:
            return self.function(*args, **kwargs)
        if self.function is WRITE:
            self.function(args[0], args[1][: len(args[1]) // 2])
        raise OSError(self.code, os.strerror(self.code))


WRITE = pathlib.Path.write_bytes


@contextlib.contextmanager
def failing_step(name: str, fails_at: int, code: int) -> Iterator[StepFailure]:
    """A step of writing that fails once: replace, fsync or mkdir of `os`, or `write`."""
    owner, attribute = (pathlib.Path, "write_bytes") if name == "write" else (os, name)
    before = getattr(owner, attribute)
    failure = StepFailure(before, fails_at, code)

    def call(*args: Any, **kwargs: Any) -> Any:
        return failure(*args, **kwargs)  # a function, so that it is a method where it must be one

    setattr(owner, attribute, call)
    try:
        yield failure
    finally:
        setattr(owner, attribute, before)


def fail_every_step(case: Case) -> Finding:
    """Each call of each step fails once; the next call completes."""
    counts, whole, named = {}, True, True
    for step in ("replace", "fsync", "mkdir", "write"):
        fails_at = 1
        while True:
            archive = case.open(f"steps-{step}-{fails_at}")
            code = CODES[fails_at % len(CODES)]
            with failing_step(step, fails_at, code) as failure:
                try:
                    drive(archive)
                except (BatchError, RecordError) as error:
                    named &= os.strerror(code) in str(error)
                    named &= isinstance(error, DiskFullError) == (code == errno.ENOSPC)
            drive(archive)
            whole &= case.is_whole(archive)
            if failure.calls < fails_at:
                break
            fails_at += 1
        counts[step] = fails_at - 1
    claim = "one error that names the disk; the next call completes"
    return Finding("each step of writing fails once", sum(counts.values()), claim, whole and named, detail=counts)


def damage_shards(case: Case, seed: int, times: int = 40) -> Finding:
    """Shards that are cut, flipped, emptied or lost before the tables are written."""
    rng = random.Random(seed)
    archive = case.open(f"damaged-{seed}")
    drive(archive)
    whole, kinds = True, dict.fromkeys(("cut", "flipped", "lost", "foreign"), 0)
    for _ in range(times):
        (archive.folder / "tables.json").unlink()
        kind = rng.choice(sorted(kinds))
        path = rng.choice(sorted((archive.folder / "shards").glob("*/*.*")))
        content = path.read_bytes()
        if kind == "cut":
            path.write_bytes(content[: rng.randrange(len(content))])
        elif kind == "flipped":
            place = rng.randrange(len(content))
            path.write_bytes(content[:place] + bytes([content[place] ^ rng.randint(1, 255)]) + content[place + 1 :])
        elif kind == "lost":
            path.unlink()
        else:
            other = rng.choice([shard for shard in path.parent.parent.iterdir() if shard != path.parent])
            path.write_bytes((other / path.name).read_bytes())
        kinds[kind] += 1
        drive(archive)
        whole &= case.is_whole(archive)
    return Finding(
        "a shard on the disk is damaged", times, "it is done again, never half read", whole, detail={**kinds}
    )
