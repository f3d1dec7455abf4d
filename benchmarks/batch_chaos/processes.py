"""kill -9 of processes of this machine, two drivers at once, orphans, memory."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

from batch_chaos.cases import KILLING, Case, Finding

from batch_drivers import drive, start_driver
from unveil.batch import Archive
from unveil.batch.base import split_name
from unveil.batch.work import work

MEMORY_GROUP = Path("/sys/fs/cgroup/memory")


def children(process: int) -> list[int]:
    """Processes that a process has started."""
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def kill(process: int) -> bool:
    """kill -9; False if it was gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
        return True
    return False


def count_shards(archive: Archive) -> int:
    return len(archive.published())


def wait_for_shard(archive: Archive, driver: subprocess.Popen, before: int, limit_s: float = 60) -> bool:
    """Wait until one shard more is there; False if the driver ended."""
    until = time.monotonic() + limit_s
    while driver.poll() is None and time.monotonic() < until:
        if count_shards(archive) > before:
            return True
        time.sleep(0.01)
    return False


def finish(driver: subprocess.Popen) -> tuple[int, str]:
    """Wait for its end; its exit code and its errors."""
    _, errors = driver.communicate(timeout=300)
    return driver.returncode, errors


def kill_local(case: Case, seed: int, times: int) -> Finding:
    """Kill workers, drivers or both of one job, `times` times, and resume it each time."""
    rng = random.Random(seed)
    archive = case.open(f"local-{seed}")
    kills: Counter[str] = Counter()
    driver = None
    while kills.total() < times and archive.missing():
        if driver is None or driver.poll() is not None:
            driver = start_driver(archive.folder, "spawn", 2)
        before = count_shards(archive)
        if not wait_for_shard(archive, driver, before):
            finish(driver)
            continue
        time.sleep(rng.uniform(0, 0.15))
        target = rng.choice(("worker", "worker", "driver", "both"))
        workers = children(driver.pid)
        if target in ("worker", "both") and workers and kill(rng.choice(workers)):
            kills["workers"] += 1
        if target in ("driver", "both") and kill(driver.pid):
            kills["drivers"] += 1
            finish(driver)
    if driver is not None and driver.poll() is None:
        finish(driver)
    code, errors = finish(start_driver(archive.folder, "spawn", 2))
    holds = code == 0 and case.is_whole(archive)
    detail = {**kills, "errors": errors[-300:]} if errors else dict(kills)
    return Finding(
        f"kill -9, local, seed {seed}", kills.total(), "the tables of an uninterrupted run", holds, detail=detail
    )


def two_drivers(case: Case) -> Finding:
    """A second driver is refused, and the lock of a killed one is free."""
    archive = case.open("drivers")
    first = start_driver(archive.folder, "spawn", 1)
    started = wait_for_shard(archive, first, 0)
    code, errors = finish(start_driver(archive.folder, "spawn", 1))
    refused = code == 1 and f"process {first.pid}" in errors and errors.count("\n") == 1
    kill(first.pid)
    finish(first)
    last, _ = finish(start_driver(archive.folder, "spawn", 2))
    holds = started and refused and last == 0 and case.is_whole(archive)
    return Finding("two drivers at once", 2, "the second is refused, the lock of a dead one isn't", holds)


def stop_drivers(case: Case) -> Finding:
    """SIGTERM and Ctrl-C: nothing half-written, the exit code of the signal, and resuming completes."""
    archive = case.open("stopped")
    codes, clean = [], True
    for number in (signal.SIGTERM, signal.SIGINT):
        driver = start_driver(archive.folder, "spawn", 2)
        wait_for_shard(archive, driver, count_shards(archive))
        workers = children(driver.pid)
        driver.send_signal(number)
        codes.append(finish(driver)[0])
        clean &= not any(Path(f"/proc/{worker}/cmdline").exists() for worker in workers)
    archive = case.open("stopped")
    clean &= not list((archive.folder / "tmp").iterdir()) and not archive.verify()
    drive(archive, "spawn", 2)
    holds = clean and codes == [143, 130] and case.is_whole(archive)
    return Finding("SIGTERM, Ctrl-C", 2, "codes 143, 130; nothing half-written", holds, detail={"codes": codes})


def late_orphans(case: Case) -> Finding:
    """A worker whose driver is gone publishes when others have done its shard: as a whole, item by item, or all."""
    archive = case.open("orphans")
    classifier = archive.plan.load_classifier()
    names = archive.missing()

    def publish(name: str) -> None:
        work(archive.folder, archive.plan, name, classifier=classifier)

    for position, name in enumerate(names[:6]):
        pieces = [split_name(name, index) for index in archive.items_of(name)]
        orders = ([name, *pieces], [*pieces, name], [pieces[0], name, *pieces[1:]], [name, name])
        for part in orders[position % len(orders)]:
            publish(part)
    drive(archive)
    whole = case.is_whole(archive)
    # After the tables are written too.
    for name in names[:3]:
        shutil.rmtree(archive.folder / "shards" / name, ignore_errors=True)
        for index in archive.items_of(name):
            publish(split_name(name, index))
        publish(name)
    drive(archive)
    return Finding("an orphan publishes late", 9, "no row twice", whole and case.is_whole(archive))


def out_of_memory(case: Case, like: Case) -> Finding:
    """One image fills the memory of a group of processes until the kernel kills its worker."""
    claim = "a row for it, all others done"
    group = MEMORY_GROUP / f"unveil-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(1400 * 2**20))
    except OSError as error:
        return Finding("out of memory", 0, claim, None, detail={"skipped": f"no memory group: {error}"})
    try:
        enter = ("sh", "-c", f'echo $$ > {group}/tasks && exec "$@"', "sh")
        archive = case.open("memory")
        code, errors = finish(start_driver(archive.folder, "spawn", 2, command=enter))
        failures = int((group / "memory.failcnt").read_text())
    finally:
        with contextlib.suppress(OSError):
            group.rmdir()
    case.expected = like.expected
    row = archive.tables("images", ["index", "error"]).to_pylist()[KILLING]
    holds = code == 0 and case.is_whole(archive) and failures > 0
    return Finding("out of memory", 4, claim, holds, detail={"row": row["error"], "errors": errors[-300:]})
