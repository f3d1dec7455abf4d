"""Disks that are full, read-only or lose their power; needs root, and loop devices for the last."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from batch_chaos.cases import Case, Finding
from batch_chaos.processes import children, count_shards, finish, wait_for_shard

from batch_drivers import drive, start_driver
from unveil.batch import Archive
from unveil.batch.driver import run_archive
from unveil.batch.engines import Spawn
from unveil.errors import BatchError, DiskFullError

SIZES_KIB = (96, 192, 288, 384, 480, 576)


def command(*words: str | Path) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)  # noqa: S603 (words of this file)


@contextlib.contextmanager
def mounted(*words: str | Path) -> Iterator[Path]:
    """Mount something with these options at a new place."""
    place = Path(tempfile.mkdtemp(prefix="unveil-faults-"))
    try:
        command("mount", *words, place)
        try:
            yield place
        finally:
            command("umount", "-l", place)
    finally:
        place.rmdir()


def can_mount() -> str:
    """Empty, or why nothing can be mounted here."""
    if os.name != "posix" or os.geteuid() != 0:
        return "not root"
    try:
        with mounted("-t", "tmpfs", "-o", "size=64k", "tmpfs"):
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return f"can't mount: {error}"


def full_disks(case: Case) -> Finding:
    """The disk is full at some moment; with more space, the next call completes."""
    claim = "DiskFullError that names the disk; the next call completes"
    if why := can_mount():
        return Finding("disk full", 0, claim, None, detail={"skipped": why})
    holds, at = True, {}
    for number, size in enumerate(SIZES_KIB):
        with mounted("-t", "tmpfs", "-o", f"size={size}k", "tmpfs") as place:
            try:
                archive = case.open("out", place)
                drive(archive, "inline" if number % 3 else "spawn", 2)
                at[size] = "never full"
            except DiskFullError as error:
                holds &= "No space left" in str(error)
                at[size] = len(list((place / "out" / "shards").iterdir())) if (place / "out" / "shards").exists() else 0
            command("mount", "-o", "remount,size=64m", place)
            archive = case.open("out", place)
            drive(archive)
            holds &= case.is_whole(archive)
    holds &= "never full" not in at.values()
    return Finding("disk full", len(SIZES_KIB), claim, holds, detail={"shards done then": at})


def read_only(case: Case) -> Finding:
    """What the workers write to becomes read-only half-way."""
    claim = "one error that names the disk; the next call completes"
    if why := can_mount():
        return Finding("read-only", 0, claim, None, detail={"skipped": why})
    with mounted("-t", "tmpfs", "-o", "size=64m", "tmpfs") as place:
        archive = case.open("out", place)
        with mounted("--bind", place) as seen:

            def protect(progress: object) -> None:
                # Busy for as long as a file is open.
                with contextlib.suppress(subprocess.CalledProcessError):
                    if count_shards(archive) > 1:
                        command("mount", "-o", "remount,ro,bind", seen)

            try:
                run_archive(archive, Spawn(seen / "out", 2), on_progress=protect)
                holds = False
            except BatchError as error:
                holds = "Read-only file system" in str(error)
            done = count_shards(archive)
        drive(archive)
        holds &= case.is_whole(archive) and done < len(archive.shards())
    return Finding("read-only", 1, claim, holds, detail={"shards done then": done})


def large_files(case: Case) -> Finding:
    """No file may be larger than 1000 bytes, which is less than a table."""
    claim = "exit code 1, one line; the next call completes"
    if shutil.which("prlimit") is None:
        return Finding("file too large", 0, claim, None, detail={"skipped": "no prlimit"})
    archive = case.open("large")
    code, errors = finish(start_driver(archive.folder, "spawn", 2, command=("prlimit", "--fsize=1000")))
    holds = code == 1 and "File too large" in errors and errors.count("\n") == 1 and not archive.published()
    drive(archive)
    return Finding("file too large", 1, claim, holds and case.is_whole(archive), detail={"error": errors.strip()})


def power_cuts(case: Case, seed: int, times: int = 10) -> Finding:
    """The power fails `times` times in one job: what was on the disk then is resumed, each time in a copy."""
    claim = "all that was reported is there and whole; resuming completes"
    why = can_mount() or ("" if shutil.which("mkfs.ext4") else "no mkfs.ext4")
    if why:
        return Finding("power cut", 0, claim, None, detail={"skipped": why})
    rng = random.Random(seed)
    disk, copies = case.folder / "disk.img", []
    command("truncate", "-s", "48M", disk)
    command("mkfs.ext4", "-q", disk)
    try:
        with mounted("-o", "loop", disk) as place:
            archive = case.open("out", place)
            driver = start_driver(archive.folder, "spawn", 2)
            wait_for_shard(archive, driver, 0)
            while len(copies) < times and driver.poll() is None:
                time.sleep(rng.uniform(0.05, 0.3))
                copies.append(_cut(archive, driver, disk, case.folder / f"copy-{len(copies)}.img"))
            finish(driver)
    except (OSError, subprocess.CalledProcessError) as error:
        return Finding("power cut", 0, claim, None, detail={"skipped": f"no loop device: {error}"})
    holds, lost, torn, kept = True, 0, 0, []
    for copy, claimed in copies:
        with mounted("-o", "loop", copy) as place:
            archive = Archive(place / "out", case.plan)
            lost += len(claimed - archive.published())
            torn += len(archive.verify())
            kept.append(len(claimed))
            archive = case.open("out", place)
            drive(archive)
            holds &= case.is_whole(archive)
        copy.unlink()
    detail = {"shards reported": kept, "lost": lost, "torn": torn}
    return Finding(
        "power cut", len(copies), claim, holds and not lost and not torn and len(copies) == times, detail=detail
    )


def _cut(archive: Archive, driver: subprocess.Popen, disk: Path, copy: Path) -> tuple[Path, set[str]]:
    """Copy the disk as it is, without what only memory holds; with the shards that were there before."""
    workers = children(driver.pid)
    # All stand still: a copy takes longer than a power cut.
    for process in (driver.pid, *workers):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGSTOP)
    claimed = _synced(archive)
    command("cp", "--sparse=always", disk, copy)
    for process in (*workers, driver.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)
    return copy, claimed


def _synced(archive: Archive) -> set[str]:
    """Shards that were published before the newest, of each worker: these may be renamed and not yet reported."""
    shards = archive.folder / "shards"
    by_time = sorted(archive.published(), key=lambda name: (shards / name).stat().st_ctime_ns)
    return set(by_time[:-2])
