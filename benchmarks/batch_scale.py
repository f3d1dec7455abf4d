"""What an archive of many images costs beside the runs: workers, overhead, resuming, memory, queries.

    python benchmarks/batch_scale.py [--only workers resume] [--items 64] [--repeats 3] [--out scale.json]

Prints one line per figure, with its bar. Times are only meaningful on a quiet machine with two cores or more: `load`
says how busy it was before.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parent)]
# ruff: noqa: E402 (what the tests have too)

from batch_chaos.figures import CALL_AGAIN, DRIVE_AND_LOOK, Clocked, Figure
from batch_chaos.processes import count_shards, kill
from measuring import machine

from batch_drivers import start_driver
from batch_sets import RECIPE, quick_plan, write_network, write_samples
from unveil.attribution import SmoothGrad
from unveil.batch import Archive, open_archive, read_archive
from unveil.batch.driver import run_archive
from unveil.batch.engines import Spawn
from unveil.batch.progress import BatchProgress
from unveil.datasets import Sample

ARCHIVE_ITEMS, MEMORY_ITEMS = 112_120, 50_000  # images of ChestX-ray14; items of the flat memory
SHARD_SIZE = 16


class ScaleFigures:
    """The figures by name; each yields `Figure`s."""

    def __init__(self, folder: Path, items: int, repeats: int) -> None:
        self.folder, self.items, self.repeats = folder, items, repeats
        self._count = 0

    def workers(self) -> Iterator[Figure]:
        """Two workers against one, one thread each, on real work, and what is added to the runs by one of them."""
        plan, samples = self._case(self.items, busy=True)
        ratios, times, shares, publishing = [], [], [], []
        for _ in range(self.repeats):
            seconds = {}
            for workers in (1, 2):
                archive = open_archive(self._new(), plan, samples)
                engine = Clocked(Spawn(archive.folder, workers))
                run_archive(archive, engine)
                seconds[workers] = engine.seconds
                if workers == 1:
                    runs = sum(archive.tables("images", ["worker_seconds"]).column("worker_seconds").to_pylist())
                    shares.append(100 * (engine.seconds - runs) / runs)
                    publishing.append(1000 * (engine.seconds - runs) / len(archive.shards()))
            ratios.append(seconds[1] / seconds[2])
            times.append([seconds[1], seconds[2]])
        value = statistics.median(ratios)
        detail = {"items": self.items, "seconds": [_rounded(pair) for pair in times]}
        yield Figure("two workers, times one", value, ">= 1.8", value >= 1.8, **detail)
        value = statistics.median(shares)
        detail = {"items": self.items, "ms per shard": _rounded(publishing)}
        yield Figure("overhead of the engine, % of the runs", value, "< 2", value < 2, **detail)

    def resume(self) -> Iterator[Figure]:
        """After a kill -9 of the driver: until the next one knows what is missing, and until a worker works."""
        plan, samples = self._case(400)
        known, working = [], []
        for _ in range(self.repeats):
            archive = open_archive(self._new(), plan, samples)
            driver = start_driver(archive.folder, "spawn", 2)
            while count_shards(archive) < 3:
                time.sleep(0.01)
            kill(driver.pid)
            driver.communicate()
            started = time.monotonic()
            archive = open_archive(archive.folder, plan, samples)
            archive.missing()
            known.append(time.monotonic() - started)
            engine, stop = Clocked(Spawn(archive.folder, 2)), threading.Event()

            def stop_at_first(progress: BatchProgress, stop: threading.Event = stop) -> None:
                if progress.workers:
                    stop.set()

            run_archive(archive, engine, on_progress=stop_at_first, stop=stop)
            working.append((engine.first_ready or 0.0) - started)
        value = statistics.median(known)
        yield Figure("resuming: until all missing shards are known, s", value, "< 2", value < 2, shards=25)
        value = statistics.median(working)
        yield Figure("resuming: until a worker works, s", value, "torch and the model", True, all=_rounded(working))

    def repeated(self) -> Iterator[Figure]:
        """A call on an archive that is finished, with as many items as ChestX-ray14 has."""
        archive = self._stand_in(ARCHIVE_ITEMS)
        times = []
        for _ in range(self.repeats):
            words = [sys.executable, "-c", CALL_AGAIN, str(archive.folder), str(self._paths(1)[0].parent)]
            done = subprocess.run(words, check=True, capture_output=True, text=True, env=_environment())  # noqa: S603
            times.append(float(done.stdout))
        value = statistics.median(times)
        yield Figure("repeated call, s", value, "< 5", value < 5, items=ARCHIVE_ITEMS, all=_rounded(times))
        yield from self._queries(archive)

    def _queries(self, archive: Archive) -> Iterator[Figure]:
        import duckdb  # noqa: PLC0415

        question = f"select error_kind, count(*) from '{archive.folder}/images.parquet' group by 1 order by 2 desc"  # noqa: S608 (our folder)
        times = [_timed(lambda: duckdb.execute(question).fetchall()) for _ in range(5)]
        value = statistics.median(times)
        yield Figure("a query with DuckDB, s", value, "< 1", value < 1, rows=ARCHIVE_ITEMS)
        times = [_timed(lambda: read_archive(archive.folder).tables("images", ["index", "status"])) for _ in range(5)]
        value = statistics.median(times)
        yield Figure("two columns with Archive.tables, s", value, "< 1", value < 1, rows=ARCHIVE_ITEMS)

    def memory(self) -> Iterator[Figure]:
        """Resident memory of the driver while 50,000 items of no work pass through it."""
        archive = self._stand_in(MEMORY_ITEMS, done=False)
        started = time.monotonic()
        words = [sys.executable, "-c", DRIVE_AND_LOOK, str(archive.folder)]
        done = subprocess.run(words, check=True, capture_output=True, text=True, env=_environment())  # noqa: S603
        seconds, seen = time.monotonic() - started, json.loads(done.stdout)
        value = max(seen) - min(seen)
        detail = {"items": MEMORY_ITEMS, "MiB": [seen[0], max(seen), seen[-1]], "looks": len(seen)}
        rate = round(MEMORY_ITEMS / seconds)
        yield Figure("driver memory, largest - smallest, MiB", value, "<= 50", value <= 50, **detail, items_per_s=rate)

    def _case(self, count: int, *, busy: bool = False) -> tuple[Any, list[Sample]]:
        os.environ["UNVEIL_TEST_SLOW_S"] = "0.02"
        place = self._new()
        place.mkdir()
        kinds = {} if busy else dict.fromkeys(range(count), "slow")
        recipe = {"recipe": busy_recipe()} if busy else {}
        return quick_plan(write_network(place), shard_size=SHARD_SIZE, **recipe), write_samples(
            place / "images", count, kinds
        )

    def _paths(self, count: int) -> list[Path]:
        """Empty files that stand for images which nobody reads."""
        place = self.folder / f"files-{ARCHIVE_ITEMS}"
        if not place.exists():
            place.mkdir()
            for number in range(ARCHIVE_ITEMS):
                (place / f"{number:06d}.png").touch()
        return [place / f"{number:06d}.png" for number in range(count)]

    def _stand_in(self, count: int, *, done: bool = True) -> Archive:
        """An archive whose items have rows without a run."""
        place = self._new()
        place.mkdir()
        plan = quick_plan(write_network(place), shard_size=SHARD_SIZE)
        samples = [Sample(f"{number:06d}", path) for number, path in enumerate(self._paths(count))]
        archive = open_archive(place / "out", plan, samples)
        if done:
            run_archive(archive, Spawn(archive.folder, 2, entry="batch_chaos.figures:open_empty_work"))
        return archive

    def _new(self) -> Path:
        self._count += 1
        return self.folder / f"case-{self._count}"


FIGURES = ("workers", "resume", "memory", "repeated")


def busy_recipe() -> Any:
    """A recipe with so many draws that an item takes about half a second, all of it in the processor."""
    return replace(RECIPE, attribution=SmoothGrad(samples=1600))


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(value, 2) for value in values]


def main() -> int:
    parser = argparse.ArgumentParser(description="what an archive of many images costs beside the runs")
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=FIGURES, help="figures")
    parser.add_argument("--items", type=int, default=64, help="images of the figures about workers")
    parser.add_argument("--repeats", type=int, default=3, help="each figure is a median of so many")
    parser.add_argument("--out", type=Path, help="write the results there, as JSON")
    options = parser.parse_args()
    folder, load, figures = Path(tempfile.mkdtemp(prefix="unveil-scale-")), os.getloadavg(), []
    try:
        scale = ScaleFigures(folder, options.items, options.repeats)
        for name in options.only:
            for figure in getattr(scale, name)():
                figures.append(figure)
                print(figure, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.out is not None:
        result = {"machine": machine(), "load before": load, "repeats": options.repeats}
        result["figures"] = [vars(figure) for figure in figures]
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    return int(not all(figure.holds for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
