"""One row per run in the index of a report, and all rows as columns, which are compact and quick to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unveil.records import Run, Verdict
from unveil.view import region_suspicion

# Columns of the table in the page, with their headings; numbers are those of `RunRow`.
HEADS = (
    ("suspicion", "suspicion"),
    ("name", "image"),
    ("first", "prediction"),
    ("rounds", "rounds"),
    ("supported", "supported"),
    ("weak", "weak"),
    ("artifact", "artifacts"),
    ("untested", "untested"),
    ("labels", "labels"),
)
TEXTS = ("name", "first")
NUMBERS = ("number", "rounds", "supported", "weak", "artifact", "untested", "suspicion")


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in the index of a report.

    Attributes:
        number: The number of the run, from 1 in the order in which runs were given.
        name: The name of the image.
        first: The labels that are predicted for the whole image, with their probabilities.
        rounds: The number of rounds.
        supported: The number of supported regions.
        weak: The number of weak regions.
        artifact: The number of artifacts.
        untested: The number of regions without a trust card.
        labels: The labels that were searched for or shown.
        suspicion: The mean of `region_suspicion` over the regions; 0 without regions.
    """

    number: int
    name: str
    first: str
    rounds: int
    supported: int
    weak: int
    artifact: int
    untested: int
    labels: tuple[str, ...]
    suspicion: float

    @property
    def id(self) -> str:
        """The id of the run in the page."""
        return f"run-{self.number}"

    @property
    def regions(self) -> int:
        """The number of regions."""
        return self.supported + self.weak + self.artifact + self.untested


def make_row(run: Run, number: int) -> RunRow:
    """The row of a run."""
    verdicts = run.verdicts
    scores = [region_suspicion(region.drop, one) for region, one in zip(run.regions, verdicts, strict=True)]
    shown = [label.name for region in run.regions for label in region.shown or ()]
    searched = [one.target for round_ in run.rounds for one in round_.maps]
    return RunRow(
        number=number,
        name=run.source.name,
        first=", ".join(f"{name} {share:.0%}" for name, share in first_prediction(run)) or "nothing",
        rounds=len(run.rounds),
        supported=sum(one is Verdict.SUPPORTED for one in verdicts),
        weak=sum(one is Verdict.WEAK for one in verdicts),
        artifact=sum(one is Verdict.ARTIFACT for one in verdicts),
        untested=sum(one is None for one in verdicts),
        labels=tuple(dict.fromkeys(searched + shown)),
        suspicion=round(sum(scores) / len(scores), 3) if scores else 0.0,
    )


def first_prediction(run: Run) -> list[tuple[str, float]]:
    """The labels that are predicted for the whole image, at most three, with their probabilities."""
    predicted = set(run.first.predicted())
    chosen = [int(index) for index in run.first.leading(3) if index in predicted]
    return [(run.classifier.labels[index], float(run.first.probabilities[index])) for index in chosen]


def most_suspicious_first(rows: Sequence[RunRow]) -> list[int]:
    """Places of the rows in the order of the table."""
    return sorted(range(len(rows)), key=lambda place: -rows[place].suspicion)


def index_columns(rows: Sequence[RunRow]) -> dict[str, Any]:
    """The rows as one list per column; labels are numbers of the names in `names`, which are the most frequent first.

    A list per column has each key once, so thousands of rows need a few hundred kilobytes.
    """
    counts: dict[str, int] = {}
    for row in rows:
        for label in row.labels:
            counts[label] = counts.get(label, 0) + 1
    numbers = {label: number for number, label in enumerate(sorted(counts, key=lambda label: -counts[label]))}
    columns: dict[str, Any] = {key: [getattr(row, key) for row in rows] for key in (*NUMBERS, *TEXTS)}
    columns["labels"] = [[numbers[label] for label in row.labels] for row in rows]
    return {"names": list(numbers), "columns": columns}
