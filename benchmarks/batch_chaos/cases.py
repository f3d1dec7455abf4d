"""What is interrupted: archives of small images, and the rows that each of them must have in the end."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from batch_drivers import drive
from batch_sets import NETWORK, content, quick_plan, write_network, write_samples
from unveil.batch import Archive, BatchPlan, open_archive
from unveil.datasets import Sample

KILLING = 123
HUNGRY_BYTES = 3 * 2**30


@dataclass
class Finding:
    """What a part of the plan did, and whether its claim holds.

    Attributes:
        fault: What was done to the archive.
        times: How often.
        claim: What must hold.
        holds: Whether it does; None if the part was skipped.
        seconds: How long it took.
        detail: Counts, or why it was skipped.
    """

    fault: str
    times: int
    claim: str
    holds: bool | None
    seconds: float = 0.0
    detail: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Case:
    """Images, the plan of an archive of them, and what its tables hold in the end.

    Attributes:
        folder: Where its archives are made.
        plan: The plan.
        samples: The images.
        expected: The rows of an uninterrupted run.
    """

    folder: Path
    plan: BatchPlan
    samples: list[Sample]
    expected: dict[str, list[dict]]

    def open(self, name: str, where: Path | None = None, plan: BatchPlan | None = None) -> Archive:
        """An archive of these images: a new one, or what is left of it."""
        return open_archive((where or self.folder) / name, plan or self.plan, self.samples)

    def is_whole(self, archive: Archive, *, on_ray: bool = False) -> bool:
        """Whether nothing is missing, no row is there twice, and all rows are those of the uninterrupted run.

        On Ray nobody knows by which signal a process ended, so the rows of items that killed may differ in that.
        """
        found = content(archive.folder)
        indices = [row["index"] for row in found["images"]]
        if archive.missing() or indices != list(range(len(self.samples))):
            return False
        return _without_signal(found) == _without_signal(self.expected) if on_ray else found == self.expected


def make_case(
    folder: Path, count: int, *, killing: bool = False, hungry: bool = False, item_s: float = 0.0, **settings: Any
) -> Case:
    """Images of which every tenth is damaged; one kills its worker if `killing`, others take `item_s` longer.

    With `hungry`, the one that kills fills the memory instead of killing itself.
    """
    os.environ["UNVEIL_TEST_SLOW_S"] = str(item_s)
    folder.mkdir(parents=True)
    kinds = dict.fromkeys(range(count), "slow") if item_s else {}
    kinds |= dict.fromkeys(range(5, count, 10), "damaged")
    if killing:
        kinds[KILLING] = "killing"
    text = NETWORK
    if hungry:
        text = text.replace("os.kill(os.getpid(), signal.SIGKILL)", f"b'x' * {HUNGRY_BYTES}")
    model = write_network(folder, text)
    samples = write_samples(folder / "images", count, kinds)
    case = Case(folder, quick_plan(model, **settings), samples, {})
    if not hungry:
        archive = case.open("whole")
        drive(archive, "spawn" if killing else "inline", 2)
        case.expected = content(archive.folder)
        if len(case.expected["images"]) != count or archive.missing():
            raise RuntimeError("the uninterrupted run isn't whole")
    return case


def measured(part: Callable[[], Finding]) -> Finding:
    """Do a part, with its seconds."""
    started = time.monotonic()
    finding = part()
    finding.seconds = round(time.monotonic() - started, 1)
    return finding


def _without_signal(tables: dict[str, list[dict]]) -> dict[str, list[dict]]:
    rows = [
        {**row, "error": re.sub(r"(killed its worker) \(.*", r"\1", row["error"] or "")} for row in tables["images"]
    ]
    return {**tables, "images": rows}
