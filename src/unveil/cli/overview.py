"""Many runs in one table: one line per image, the most suspicious first."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

from unveil.cli.tables import TableColumn, fit_table
from unveil.cli.texts import as_text
from unveil.cli.trust import STYLES
from unveil.records import Verdict
from unveil.targets import class_score
from unveil.view import region_suspicion

if TYPE_CHECKING:
    from unveil.predictions import Prediction
    from unveil.records import Run

WORST_FIRST = (Verdict.ARTIFACT, Verdict.WEAK, Verdict.SUPPORTED)


@dataclass(frozen=True)
class RunOverview:
    """What the table of many runs shows of one.

    Attributes:
        name: The name of the image.
        suspicion: The largest `region_suspicion` of the run's regions, in (0, 3]; 0 for a run without regions.
        verdicts: How many regions have each verdict; empty for a run without trust cards.
        regions: How many regions there are.
        first: The likeliest label at first with its probability, and with everything erased; empty if none was
            predicted.
        last: The likeliest label with everything erased and its probability, if it is another one; empty otherwise.
    """

    name: str
    suspicion: float
    verdicts: dict[Verdict, int]
    regions: int
    first: str
    last: str

    @property
    def worst(self) -> Verdict | None:
        """The worst verdict of a region; None without any."""
        return next((verdict for verdict in WORST_FIRST if self.verdicts.get(verdict)), None)


def summarize_run(run: "Run", name: str) -> RunOverview:
    """The overview of a `run` of the image `name`. What became of its first label is that of the first track."""
    verdicts = run.verdicts
    suspicions = [region_suspicion(one.drop, verdict) for one, verdict in zip(run.regions, verdicts, strict=True)]
    rounds = run.of_track(run.tracks[0])
    first, last = _what_became(run, rounds[-1].after if rounds else run.first)
    counts = dict(Counter(verdict for verdict in verdicts if verdict is not None))
    return RunOverview(name, max(suspicions, default=0.0), counts, len(run.regions), first, last)


def overview_table(runs: Sequence[RunOverview], width: int) -> Table | Group:
    """A table of at most `width` characters with one line per run, the most suspicious first: those with the worst
    verdict, and among these those with the smallest drop. Runs without regions are last; equals keep their order."""
    rows = sorted(runs, key=lambda one: -one.suspicion)
    counts = {verdict: [str(one.verdicts.get(verdict, "")) for one in rows] for verdict in reversed(WORST_FIRST)}
    columns = [
        TableColumn("image", [as_text(one.name) for one in rows], is_text=True),
        TableColumn("worst verdict", [_worst(one) for one in rows], is_text=True),
        TableColumn("regions", [str(one.regions) for one in rows], 3),
        *(TableColumn(str(verdict), cells, 2) for verdict, cells in counts.items() if any(cells)),
        TableColumn("first label", [as_text(one.first) or "nothing" for one in rows], is_text=True),
        TableColumn("then", [as_text(one.last) for one in rows], 1, is_text=True),
    ]
    return fit_table(columns, width)


def _worst(one: RunOverview) -> str:
    if one.worst is None:
        return "" if one.regions else "no region"
    return f"[{STYLES[one.worst]}]{one.worst}[/]"


def _what_became(run: "Run", last: "Prediction") -> tuple[str, str]:
    predicted = run.first.predicted()
    if not predicted:
        return "", ""
    index = predicted[0]
    before, after = run.first.probabilities[index], last.probabilities[index]
    first = f"{class_score(index, run.classifier.labels).name} {before:.0%} → {after:.0%}"
    now = last.predicted()
    if not now or now[0] == index:
        return first, ""
    return first, f"{class_score(now[0], run.classifier.labels).name} {last.probabilities[now[0]]:.0%}"
