"""Rows of the planted benchmark: the scores of one method on one network, over all questions."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unveil.classifiers import Classifier
from unveil.errors import UnveilError
from unveil.evaluation.bootstrap import Estimate, bounds, by_group, intervals, ratio
from unveil.evaluation.planted.cue_recall import is_found
from unveil.evaluation.planted.methods import (
    MIN_AREA_PX,
    PlantedQuestion,
    RoundsMethod,
    SingleMapMethod,
    measure_strengths,
)
from unveil.evaluation.planted.scoring import (
    Saliency,
    Trial,
    TrialScores,
    best_share,
    cut_at_area,
    cut_at_share,
    score_trials,
)
from unveil.images import Image
from unveil.masks import union
from unveil.planted.scenes.suites import SUITES, suite_scene

TUNING_SEEDS = 650_000  # scenes on which the thresholds of single maps are chosen
ABSENT_FACTOR = 4  # scenes without evidence per scene of any other suite, so that their rate has a small interval
SHARES = tuple(round(0.05 * step, 2) for step in range(1, 20))  # thresholds tried, as shares of the map's maximum
ROUNDS = 5
MAIN = ("recall", "recall_equal_area", "precision", "false_region_rate", "rim_rate", "seconds")
OnDone = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class QuestionSet:
    """Questions for a network: labels that are present and predicted, and some that are absent.

    `missed`: labels that are present and not predicted; no question is asked about them.
    """

    questions: tuple[PlantedQuestion, ...]
    missed: int

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The scene of each question."""
        return [(question.suite, question.scene.seed) for question in self.questions]


@dataclass(frozen=True, eq=False)
class NetworkBenchmark:
    """A network with its questions, and others for choosing thresholds."""

    classifier: Classifier
    measured: QuestionSet
    tuning: QuestionSet
    seed: int


@dataclass(frozen=True)
class ReferenceAreas:
    """Area of all regions and number of cues found, per question, of the recipe that single maps are compared with."""

    areas_px: tuple[int, ...]
    found: tuple[int, ...]

    @classmethod
    def from_dict(cls, table: Mapping[str, Sequence[int]]) -> "ReferenceAreas":
        """From the JSON of `as_dict`."""
        return cls(tuple(table["areas"]), tuple(table["found"]))

    def as_dict(self) -> dict[str, list[int]]:
        """As it is written to JSON."""
        return {"areas": list(self.areas_px), "found": list(self.found)}


@dataclass(frozen=True)
class SuiteScores:
    """Scores over the questions of one suite, without intervals: a suite has too few scenes."""

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

    `equal_area`: scores of a single map cut at the area of the reference rounds: of the method's own map, or of the
    first map of a recipe. `seconds` are per question. `missed_by_classifier`: labels that are present and not
    predicted. Only single maps have a `threshold` (share of the maximum, the best on other scenes) and a `lead`: (cues
    found by the reference rounds − cues found by the map at equal area) / cues.
    """

    scores: TrialScores
    equal_area: TrialScores
    seconds: float
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
    """The row of a method that doesn't support a network, with the reason."""

    reason: str

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {**dict.fromkeys(MAIN), "refused": self.reason}


def draw_questions(
    classifier: Classifier, scenes: int, first_seed: int, suites: Sequence[str] = tuple(SUITES)
) -> QuestionSet:
    """Questions about `scenes` scenes per suite, and `ABSENT_FACTOR` times as many without evidence."""
    questions, missed = [], 0
    for suite in suites:
        for number in range(scenes * (ABSENT_FACTOR if suite == "absent" else 1)):
            scene = suite_scene(suite, first_seed + number)
            pixels = classifier.prepare(Image.from_array(scene.pixels)).pixels
            (prediction,) = classifier.predict(pixels[None])
            predicted = {classifier.labels[index] for index in prediction.predicted()}
            if not scene.labels:
                absent = classifier.labels[scene.seed % len(classifier.labels)]
                questions.append(PlantedQuestion(suite, scene, absent))
            missed += len(set(scene.labels) - predicted)
            questions += [
                PlantedQuestion(suite, scene, label, measure_strengths(classifier, scene, label))
                for label in scene.labels
                if label in predicted
            ]
    return QuestionSet(tuple(questions), missed)


def measure_rounds(
    method: RoundsMethod, benchmark: NetworkBenchmark, on_done: OnDone
) -> tuple[BenchmarkRow, ReferenceAreas]:
    """The row of a recipe, and the areas that its rounds took. `equal_area` scores the recipe's own first map."""
    questions = benchmark.measured.questions
    trials, equal_area, began = [], [], time.monotonic()
    for number, question in enumerate(questions, start=1):
        trial, first_map = method.find(benchmark.classifier, question, benchmark.seed)
        trials.append(trial)
        equal_area.append(question.trial((cut_at_area(first_map, trial.area, MIN_AREA_PX),)))
        on_done(number, len(questions))
    seconds = time.monotonic() - began
    areas = ReferenceAreas(tuple(trial.area for trial in trials), tuple(count_found(trial) for trial in trials))
    return _row(benchmark, trials, equal_area, seconds), areas


def measure_single_map(
    method: SingleMapMethod, benchmark: NetworkBenchmark, reference: ReferenceAreas, on_done: OnDone
) -> BenchmarkRow:
    """The row of a single map, cut at its own best threshold, and for `equal_area` at the area of the reference."""
    questions, tuning = benchmark.measured.questions, benchmark.tuning.questions
    total = len(questions) + len(tuning)

    def maps_of(some: Sequence[PlantedQuestion], before: int) -> list[Saliency]:
        maps = []
        for number, question in enumerate(some, start=before + 1):
            maps.append(method.saliency(benchmark.classifier, question, benchmark.seed))
            on_done(number, total)
        return maps

    tuning_maps = maps_of(tuning, 0)
    pairs = [(question.scene, question.label) for question in tuning]
    share = best_share(tuning_maps, pairs, SHARES, MIN_AREA_PX)
    began = time.monotonic()
    maps = maps_of(questions, len(tuning))
    seconds = time.monotonic() - began
    trials = [
        question.trial((cut_at_share(saliency, share, MIN_AREA_PX),))
        for question, saliency in zip(questions, maps, strict=True)
    ]
    equal_area = [
        question.trial((cut_at_area(saliency, area_px, MIN_AREA_PX),))
        for question, saliency, area_px in zip(questions, maps, reference.areas_px, strict=True)
    ]
    lead = _lead(benchmark, reference, equal_area)
    return _row(benchmark, trials, equal_area, seconds, threshold=share, lead=lead)


def refuse(error: UnveilError) -> RefusedRow:
    """The row of a method that failed on a network."""
    return RefusedRow(str(error))


def count_found(trial: Trial) -> int:
    """Number of cues that a trial found in all its rounds."""
    covered = union(trial.regions, trial.scene.pixels.shape[1:])
    return sum(is_found(cue.inside, covered) for cue in trial.cues)


def _row(
    benchmark: NetworkBenchmark,
    trials: Sequence[Trial],
    equal_area: Sequence[Trial],
    seconds: float,
    *,
    threshold: float | None = None,
    lead: Estimate | None = None,
) -> BenchmarkRow:
    scores, equal_area_scores = (score_trials(some, ROUNDS, benchmark.seed) for some in (trials, equal_area))
    return BenchmarkRow(
        scores=scores,
        equal_area=equal_area_scores,
        seconds=seconds / len(trials),
        missed_by_classifier=benchmark.measured.missed,
        by_suite=_score_suites(trials, equal_area),
        threshold=threshold,
        lead=lead,
    )


def _score_suites(trials: Sequence[Trial], equal_area: Sequence[Trial]) -> dict[str, SuiteScores]:
    by_suite = {}
    for suite in dict.fromkeys(trial.suite for trial in trials):
        own, other = (
            score_trials([trial for trial in some if trial.suite == suite], ROUNDS) for some in (trials, equal_area)
        )
        by_suite[suite] = SuiteScores(
            own.recall.value,
            own.precision.value,
            own.false_region_rate.value,
            own.cues,
            own.regions,
            other.recall.value,
        )
    return by_suite


def _lead(benchmark: NetworkBenchmark, reference: ReferenceAreas, equal_area: Sequence[Trial]) -> Estimate:
    """(cues found by the reference − cues found by the map) / cues, with its interval over scenes."""
    more = [found - count_found(trial) for found, trial in zip(reference.found, equal_area, strict=True)]
    counts = np.array([(lead, len(trial.cues)) for lead, trial in zip(more, equal_area, strict=True)], dtype=np.float64)
    groups = by_group(counts, benchmark.measured.groups)
    low_high = intervals(groups[:, :1], groups[:, 1:], benchmark.seed)
    return Estimate(ratio(*groups.sum(0)), bounds(low_high[:, 0]))
