"""Everything that can go wrong with an archive, and whether its tables are those of an uninterrupted run in the end.

    python benchmarks/batch_faults.py [--only kills ray power] [--seed 0] [--out faults.json]

Less than 15 minutes on two cores. What this machine can't do (no root, no loop device, no Ray) is skipped, with the
reason. The exit code is 1 if a claim doesn't hold.
"""

import argparse
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import product
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parent)]
# ruff: noqa: E402 (what the tests have too)

from batch_chaos.cases import Case, Finding, make_case, measured
from batch_chaos.clusters import kill_on_ray
from batch_chaos.disks import full_disks, large_files, power_cuts, read_only
from batch_chaos.processes import kill_local, late_orphans, out_of_memory, stop_drivers, two_drivers
from batch_chaos.steps import damage_shards, fail_every_step
from measuring import machine

from batch_drivers import drive

ITEM_S = 0.05
LOCAL_KILLS, RAY_KILLS, POWER_CUTS = 21, 22, 10


class FaultPlan:
    """The parts of the plan, by name; each yields calls that do it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed

    @cached_property
    def large(self) -> Case:
        """300 images, one of which kills its worker."""
        return make_case(self.folder / "large", 300, killing=True, item_s=ITEM_S)

    @cached_property
    def small(self) -> Case:
        """60 images; also for the calling process, so none kills it."""
        return make_case(self.folder / "small", 60, item_s=ITEM_S)

    @cached_property
    def quick(self) -> Case:
        """12 images in 3 shards."""
        return make_case(self.folder / "quick", 12)

    def steps(self) -> Iterator[Callable[[], Finding]]:
        yield lambda: fail_every_step(self.quick)
        yield lambda: damage_shards(self.quick, self.seed)

    def drivers(self) -> Iterator[Callable[[], Finding]]:
        yield lambda: two_drivers(self.small)
        yield lambda: stop_drivers(self.small)
        yield lambda: late_orphans(self.small)

    def disks(self) -> Iterator[Callable[[], Finding]]:
        yield lambda: full_disks(self.small)
        yield lambda: read_only(self.small)
        yield lambda: large_files(self.small)

    def power(self) -> Iterator[Callable[[], Finding]]:
        yield lambda: power_cuts(self.small, self.seed, POWER_CUTS)

    def engines(self) -> Iterator[Callable[[], Finding]]:
        yield lambda: _compare_engines(self.small)

    def kills(self) -> Iterator[Callable[[], Finding]]:
        for number in range(2):
            yield lambda number=number: kill_local(self.large, self.seed + number, LOCAL_KILLS)

    def ray(self) -> Iterator[Callable[[], Finding]]:
        yield lambda: kill_on_ray(self.large, self.seed, RAY_KILLS)

    def memory(self) -> Iterator[Callable[[], Finding]]:
        def fill() -> Finding:
            like = self.large
            hungry = make_case(self.folder / "hungry", 300, killing=True, hungry=True, item_s=ITEM_S)
            return out_of_memory(_with_images_of(hungry, like), like)

        yield fill


PARTS = ("steps", "drivers", "disks", "power", "engines", "kills", "ray", "memory")


def _with_images_of(case: Case, like: Case) -> Case:
    return replace(case, samples=like.samples)


def _compare_engines(case: Case) -> Finding:
    """The same rows whatever the engine, the number of workers and the size of shards."""
    kinds = [("inline", 1), ("spawn", 1), ("spawn", 2)]
    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    if importlib.util.find_spec("ray"):
        kinds.append(("ray", 2))
    wrong, count = [], 0
    for size, (kind, workers) in product((1, 7, 64), kinds):
        archive = case.open(f"engine-{kind}-{workers}-{size}", plan=replace(case.plan, shard_size=size))
        drive(archive, kind, workers)
        count += 1
        if not case.is_whole(archive):
            wrong.append([kind, workers, size])
    detail = {"wrong": wrong, "engines": [kind for kind, _ in kinds]}
    return Finding("engines x sizes of shards", count, "the same rows in the same order", not wrong, detail=detail)


def main() -> int:
    parser = argparse.ArgumentParser(description="everything that can go wrong with an archive")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts of the plan")
    parser.add_argument("--seed", type=int, default=0, help="of what is killed, cut and damaged, and when")
    parser.add_argument("--out", type=Path, help="write the results there, as JSON")
    options = parser.parse_args()
    folder, started, findings = Path(tempfile.mkdtemp(prefix="unveil-faults-")), time.monotonic(), []
    try:
        plan = FaultPlan(folder, options.seed)
        for name in options.only:
            for part in getattr(plan, name)():
                try:
                    finding = measured(part)
                except Exception as error:  # noqa: BLE001 (the other parts count too)
                    traceback.print_exc()
                    finding = Finding(name, 0, "no error", False, detail={"error": repr(error)})
                findings.append(finding)
                print(_line(finding), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = round(time.monotonic() - started)
    kills = sum(finding.times for finding in findings if finding.fault.startswith("kill -9"))
    print(f"{kills} kill -9 in all; {seconds} s")
    if options.out is not None:
        result = {"machine": machine(), "seed": options.seed, "seconds": seconds, "kills": kills}
        result["findings"] = [finding.as_dict() for finding in findings]
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    return int(any(finding.holds is False for finding in findings))


def _line(finding: Finding) -> str:
    state = {True: "holds", False: "FAILS", None: "skipped"}[finding.holds]
    detail = json.dumps(finding.detail) if finding.detail else ""
    return f"{state:8}{finding.seconds:6.1f} s  {finding.fault:32}{finding.times:4} x  {finding.claim}  {detail}"


if __name__ == "__main__":
    sys.exit(main())
