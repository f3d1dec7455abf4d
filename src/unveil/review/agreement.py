"""How far the verdicts of trust cards agree with the judgments of people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unveil.bootstrap import Estimate, bounds, draws, percentiles
from unveil.errors import RecordError
from unveil.records import Run, Verdict
from unveil.review.judgments import Answer, Review
from unveil.view import region_ids

# Rows and columns of the table. None: a region without a trust card.
VERDICTS: tuple[Verdict | None, ...] = (Verdict.SUPPORTED, Verdict.WEAK, Verdict.ARTIFACT, None)
ANSWERS: tuple[Answer, ...] = (Answer.ACCEPT, Answer.UNSURE, Answer.REJECT)
# The cells that kappa is computed from: supported and artifact against accept and reject.
_COMPARED = np.ix_([0, 2], [0, 2])

Counts = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class AgreementTable:
    """Verdicts of judged regions against the answers of people, counted.

    Attributes:
        counts: One row per verdict (supported, weak, artifact, none), one column per answer (accept, unsure, reject).
        runs: The number of runs with a region that enters `kappa`.
        kappa: Cohen's kappa of supported or artifact against accept or reject, with the 95 % bootstrap interval over
            runs; other regions don't enter. Its value is None where it isn't defined: without such regions, and if all
            of them have one verdict and one answer.
    """

    counts: Counts
    runs: int
    kappa: Estimate

    @property
    def judged(self) -> int:
        """The number of judged regions."""
        return int(np.sum(self.counts))

    @property
    def compared(self) -> int:
        """The number of regions that enter kappa."""
        return int(np.array(self.counts)[_COMPARED].sum())

    @property
    def agreeing(self) -> int:
        """The number of those on which verdict and person agree: supported and accept, artifact and reject."""
        return int(np.trace(np.array(self.counts)[_COMPARED]))

    def as_dict(self) -> dict:
        """Plain values for JSON; `counts` by verdict and answer."""
        return {
            "judged": self.judged,
            "compared": self.compared,
            "agreeing": self.agreeing,
            "runs": self.runs,
            **self.kappa.as_dict("kappa"),
            "counts": {
                str(verdict or "none"): {str(answer): count for answer, count in zip(ANSWERS, row, strict=True)}
                for verdict, row in zip(VERDICTS, self.counts, strict=True)
            },
        }


@dataclass(frozen=True)
class Agreement:
    """How far verdicts agree with people.

    Attributes:
        all: All judged regions.
        blind: Those that were judged while the verdict was hidden.
        seen: Those that were judged with the verdict in view, which may have swayed the answer.
        runs: The number of runs with a review.
        regions: The number of all regions of these runs.
    """

    all: AgreementTable
    blind: AgreementTable
    seen: AgreementTable
    runs: int
    regions: int

    def as_dict(self) -> dict:
        """Plain values for JSON."""
        tables = {"all": self.all, "blind": self.blind, "seen": self.seen}
        return {
            "runs": self.runs,
            "regions": self.regions,
            **{name: table.as_dict() for name, table in tables.items()},
        }


def compute_agreement(reviewed: Iterable[tuple[Run, Review]], seed: int = 0) -> Agreement:
    """Count verdicts against answers, and compute Cohen's kappa.

    Kappa = (p_o − p_e) / (1 − p_e), where p_o is the share of regions on which both agree, and p_e the share that would
    agree by chance, from how often each verdict and each answer occurs (Cohen 1960). Its interval is that of 1000
    draws of whole runs, because regions of one image aren't independent (Efron 1979); None for fewer than two runs.

    Args:
        reviewed: Runs with their reviews. One run is in memory at a time if they come from a generator.
        seed: The seed of the draws.

    Raises `RecordError` for a judgment of a region that the run doesn't have.
    """
    blind: list[Float[np.ndarray, "4 3"]] = []
    seen: list[Float[np.ndarray, "4 3"]] = []
    regions = 0
    for run, review in reviewed:
        one_blind, one_seen = _count(run, review)
        blind.append(one_blind)
        seen.append(one_seen)
        regions += len(run.regions)
    both = [first + second for first, second in zip(blind, seen, strict=True)]
    tables = (_table(counts, seed) for counts in (both, blind, seen))
    return Agreement(*tables, runs=len(both), regions=regions)


def cohen_kappa(counts: Float[np.ndarray, "*n 2 2"]) -> Float[np.ndarray, "*n"]:
    """Cohen's kappa of each table of `counts`; NaN for an empty one, and where chance alone would agree always.

    >>> round(float(cohen_kappa(np.array([[20.0, 5.0], [10.0, 15.0]]))), 6)
    0.4
    """
    total = counts.sum((-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.trace(counts, axis1=-2, axis2=-1) / total
        expected = (counts.sum(-1) * counts.sum(-2)).sum(-1) / total**2
        return np.where((total > 0) & (expected < 1), (observed - expected) / (1 - expected), np.nan)


def _count(run: Run, review: Review) -> tuple[Float[np.ndarray, "4 3"], Float[np.ndarray, "4 3"]]:
    """Verdicts against answers of one run: of blind judgments, and of the others."""
    verdicts = dict(zip(region_ids(run), run.verdicts, strict=True))
    blind, seen = np.zeros((len(VERDICTS), len(ANSWERS))), np.zeros((len(VERDICTS), len(ANSWERS)))
    for name, judgment in review.judgments.items():
        if name not in verdicts:
            raise RecordError(f"judgments of regions of {run.source.name!r:.60}", name, "take ids from its view")
        table = blind if judgment.blind else seen
        table[VERDICTS.index(verdicts[name]), ANSWERS.index(judgment.answer)] += 1
    return blind, seen


def _table(counts: Sequence[Float[np.ndarray, "4 3"]], seed: int) -> AgreementTable:
    total = np.sum(counts, axis=0) if counts else np.zeros((len(VERDICTS), len(ANSWERS)))
    compared = np.array([one[_COMPARED] for one in counts if one[_COMPARED].any()]).reshape(-1, 2, 2)
    value = float(cohen_kappa(total[_COMPARED]))
    interval = bounds(percentiles(cohen_kappa(draws(compared, seed))))
    kappa = Estimate(None if np.isnan(value) else value, None if np.isnan(value) else interval)
    return AgreementTable(tuple(tuple(int(count) for count in row) for row in total), len(compared), kappa)
