"""Rows of the planted benchmark: the scores of one method on one network, over all questions."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from unveil.bootstrap import Estimate, bounds, by_group, intervals, ratio
from unveil.classifiers import Classifier
from unveil.classifiers.engine.passes import counting_passes
from unveil.errors import UnveilError
from unveil.evaluation.planted.cue_recall import is_found
from unveil.evaluation.planted.methods import (
    MIN_AREA_PX,
    MapMethod,
    PlantedQuestion,
    RoundsMethod,
    measure_strengths,
)
from unveil.evaluation.planted.scoring import (
    Saliency,
    Trial,
    best_share,
    cut_at_area,
    cut_at_share,
    score_trials,
)
from unveil.evaluation.planted.tables import (
    BenchmarkRow,
    NetworkBenchmark,
    QuestionSet,
    ReferenceAreas,
    RefusedRow,
    SuiteScores,
)
from unveil.images import Image
from unveil.masks import union
from unveil.planted.scenes.suites import SUITES, suite_scene

TUNING_SEEDS = 650_000  # scenes on which the thresholds of single maps are chosen
ABSENT_FACTOR = 4  # scenes without evidence per scene of any other suite, so that their rate has a small interval
SHARES = tuple(round(0.05 * step, 2) for step in range(1, 20))  # thresholds tried, as shares of the map's maximum
ROUNDS = 5
OnDone = Callable[[int, int], None]


def draw_questions(
    classifier: Classifier, scenes: int, first_seed: int, suites: Sequence[str] = tuple(SUITES)
) -> QuestionSet:
    """Draw questions about `scenes` scenes per suite, and `ABSENT_FACTOR` times as many without evidence."""
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
    _prepare(benchmark.classifier)
    trials, equal_area, passes, began = [], [], [], time.monotonic()
    for number, question in enumerate(questions, start=1):
        with counting_passes() as count:
            trial, first_map = method.find(benchmark.classifier, question, benchmark.seed)
        passes.append(count.total)
        trials.append(trial)
        equal_area.append(question.trial((cut_at_area(first_map, trial.area, MIN_AREA_PX),)))
        on_done(number, len(questions))
    seconds = time.monotonic() - began
    areas, found = (tuple(count(trial) for trial in trials) for count in (lambda trial: trial.area, count_found))
    row = _row(benchmark, trials, equal_area, _Cost(seconds, sum(passes)))
    return row, ReferenceAreas(areas, found, tuple(passes))


def measure_single_map(
    method: MapMethod, benchmark: NetworkBenchmark, reference: ReferenceAreas, on_done: OnDone
) -> BenchmarkRow:
    """The row of a single map, cut at its own best threshold, and for `equal_area` at the area of the reference.

    Methods whose number of passes is a setting get those of the reference. Where it has no region and for the scenes
    on which the threshold is chosen they get its median.
    """
    questions, tuning = benchmark.measured.questions, benchmark.tuning.questions
    total = len(questions) + len(tuning)

    def maps_of(some: Sequence[PlantedQuestion], passes: Sequence[int], before: int) -> list[Saliency]:
        maps = []
        for number, (question, most) in enumerate(zip(some, passes, strict=True), start=before + 1):
            maps.append(method.saliency(benchmark.classifier, question, benchmark.seed, most))
            on_done(number, total)
        return maps

    _prepare(benchmark.classifier)
    tuning_maps = maps_of(tuning, [reference.usual_passes] * len(tuning), 0)
    pairs = [(question.scene, question.label) for question in tuning]
    share = best_share(tuning_maps, pairs, SHARES, MIN_AREA_PX)
    began = time.monotonic()
    with counting_passes() as count:
        maps = maps_of(questions, reference.passes_with_region, len(tuning))
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
    return _row(benchmark, trials, equal_area, _Cost(seconds, count.total), threshold=share, lead=lead)


def refuse(error: UnveilError) -> RefusedRow:
    """The row of a method that failed on a network."""
    return RefusedRow(str(error))


def count_found(trial: Trial) -> int:
    """Number of cues that a trial found in all its rounds."""
    covered = union(trial.regions, trial.scene.pixels.shape[1:])
    return sum(is_found(cue.inside, covered) for cue in trial.cues)


@dataclass(frozen=True)
class _Cost:
    """What all questions took together: `seconds`, and `passes` through the network."""

    seconds: float
    passes: int


def _prepare(classifier: Classifier) -> None:
    """Make what is made once per network and kept, so that it isn't counted."""
    classifier.for_averaging()
    _ = classifier.probe


def _row(
    benchmark: NetworkBenchmark,
    trials: Sequence[Trial],
    equal_area: Sequence[Trial],
    cost: _Cost,
    *,
    threshold: float | None = None,
    lead: Estimate | None = None,
) -> BenchmarkRow:
    scores, equal_area_scores = (score_trials(some, ROUNDS, benchmark.seed) for some in (trials, equal_area))
    return BenchmarkRow(
        scores=scores,
        equal_area=equal_area_scores,
        seconds=cost.seconds / len(trials),
        passes=cost.passes / len(trials),
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
