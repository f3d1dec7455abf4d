"""Tables of the planted benchmark: questions for a network, and the scores of a method on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Any

from unveil.bootstrap import Estimate
from unveil.classifiers import Classifier
from unveil.evaluation.planted.methods import PlantedQuestion
from unveil.evaluation.planted.scoring import TrialScores

MAIN = ("recall", "recall_equal_area", "precision", "false_region_rate", "rim_rate", "seconds")


@dataclass(frozen=True, eq=False)
class QuestionSet:
    """Questions for a network: labels that are present and predicted, and some that are absent.

    Attributes:
        questions: The questions.
        missed: The number of labels that are present and not predicted, which have no question.
    """

    questions: tuple[PlantedQuestion, ...]
    missed: int

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The scene of each question."""
        return [(question.suite, question.scene.seed) for question in self.questions]


@dataclass(frozen=True, eq=False)
class NetworkBenchmark:
    """A network with its questions.

    Attributes:
        classifier: The network.
        measured: The questions that are scored.
        tuning: Questions for choosing thresholds.
        seed: The seed of noise and intervals.
    """

    classifier: Classifier
    measured: QuestionSet
    tuning: QuestionSet
    seed: int


@dataclass(frozen=True)
class ReferenceAreas:
    """The results of the recipe that single maps are compared with.

    Attributes:
        areas_px: The area of all regions in px, per question.
        found: The number of cues found, per question.
        passes: The number of images that the network was given, forward and backward, per question.
    """

    areas_px: tuple[int, ...]
    found: tuple[int, ...]
    passes: tuple[int, ...]

    @classmethod
    def from_dict(cls, table: Mapping[str, Sequence[int]]) -> "ReferenceAreas":
        """From the JSON of `as_dict`."""
        return cls(tuple(table["areas"]), tuple(table["found"]), tuple(table["passes"]))

    @property
    def usual_passes(self) -> int:
        """The median of `passes` over questions with a region, rounded up; over all if none has one."""
        with_region = [one for one, area_px in zip(self.passes, self.areas_px, strict=True) if area_px]
        return ceil(median(with_region or self.passes))

    @property
    def passes_with_region(self) -> tuple[int, ...]:
        """`passes`, with the usual number for questions without a region, where rounds ended before their first map."""
        usual = self.usual_passes
        return tuple(one if area_px else usual for one, area_px in zip(self.passes, self.areas_px, strict=True))

    def as_dict(self) -> dict[str, list[int]]:
        """As it is written to JSON."""
        return {"areas": list(self.areas_px), "found": list(self.found), "passes": list(self.passes)}


@dataclass(frozen=True)
class SuiteScores:
    """Scores over the questions of one suite, without intervals: a suite has too few scenes.

    `recall`, `precision`, `false_region_rate`, `cues` and `regions` are those of `TrialScores`; `recall_equal_area` is
    the recall at the area of the reference rounds.
    """

    recall: float | None
    precision: float | None
    false_region_rate: float | None
    cues: int
    regions: int
    recall_equal_area: float | None

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {name: getattr(self, name) for name in SuiteScores.__dataclass_fields__}


@dataclass(frozen=True)
class BenchmarkRow:
    """Scores of one method on one network.

    Attributes:
        scores: The scores of the method.
        equal_area: The scores of a single map cut at the area of the reference rounds: of the method's own map, or of
            the first map of a recipe.
        seconds: The duration per question in s.
        passes: The number of images per question that the network was given, forward and backward.
        missed_by_classifier: The number of labels that are present and not predicted.
        by_suite: The scores by suite.
        threshold: The share of the maximum at which single maps are cut, the best one on other scenes; None for
            recipes.
        lead: (cues found by the reference rounds − cues found by the map at equal area) / cues; None for recipes.
    """

    scores: TrialScores
    equal_area: TrialScores
    seconds: float
    passes: float
    missed_by_classifier: int
    by_suite: Mapping[str, SuiteScores]
    threshold: float | None = None
    lead: Estimate | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON, with the `MAIN` columns first."""
        scores, equal_area = self.scores.as_dict(), self.equal_area.as_dict()
        between = scores.pop("intervals")
        row = {
            **scores,
            "recall_equal_area": equal_area["recall"],
            "precision_equal_area": equal_area["precision"],
            "seconds": self.seconds,
            "passes": self.passes,
            "missed_by_classifier": self.missed_by_classifier,
            "intervals": {**between, "recall_equal_area": equal_area["intervals"]["recall"]},
        }
        row = {**{name: row[name] for name in MAIN}, **row}
        row["by_suite"] = {suite: scores.as_dict() for suite, scores in self.by_suite.items()}
        if self.lead is not None:
            pair = self.lead.interval
            row |= {"threshold": self.threshold, "ahead": self.lead.value}
            row["ahead_interval"] = None if pair is None else list(pair)
        return row


@dataclass(frozen=True)
class RefusedRow:
    """The row of a method that doesn't support a network, with the `reason`."""

    reason: str

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {**dict.fromkeys(MAIN), "refused": self.reason}
