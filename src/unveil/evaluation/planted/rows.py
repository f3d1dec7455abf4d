"""Rows of the planted benchmark: one method on one network, all questions, with everything that has to be said."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unveil.classifiers import Classifier
from unveil.errors import UnveilError
from unveil.evaluation.bootstrap import bounds, by_group, intervals, ratio
from unveil.evaluation.planted.cue_recall import is_found
from unveil.evaluation.planted.methods import LEAST_PX, InRounds, OneMap, PlantedQuestion, strengths
from unveil.evaluation.planted.scoring import Saliency, Trial, best_share, cut_at_area, cut_at_share, score
from unveil.images import Image
from unveil.masks import union
from unveil.planted.scenes.suites import SUITES, suite_scene

TUNING_SEEDS = 650_000  # scenes on which the thresholds of single maps are chosen
ABSENT_TIMES = 4  # as many scenes without evidence as of any other suite, so that their rate is worth its name
SHARES = tuple(round(0.05 * step, 2) for step in range(1, 20))  # thresholds tried, of the map's largest value
ROUNDS = 5
MAIN = ("recall", "recall_equal_area", "precision", "false_region_rate", "rim_rate", "seconds")
OnDone = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Questions:
    """What a network is asked: about labels that are there and predicted, and about some that aren't there."""

    asked: tuple[PlantedQuestion, ...]
    missed: int  # labels that are there and aren't predicted: nothing is asked about them

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The scene of each question."""
        return [(one.suite, one.scene.seed) for one in self.asked]


@dataclass(frozen=True, eq=False)
class Bench:
    """A network with its questions, and others to choose thresholds on."""

    classifier: Classifier
    questions: Questions
    tuning: Questions
    seed: int


@dataclass(frozen=True)
class Ours:
    """What our rounds took and found in each question: the measure for single maps."""

    areas: tuple[int, ...]
    found: tuple[int, ...]

    @classmethod
    def from_dict(cls, tables: dict) -> "Ours":
        """From the file of our row."""
        return cls(tuple(tables["areas"]), tuple(tables["found"]))


def draw_questions(
    classifier: Classifier, scenes: int, first_seed: int, suites: Sequence[str] = tuple(SUITES)
) -> Questions:
    """Questions about so many scenes of every suite, and `ABSENT_TIMES` as many without evidence."""
    asked, missed = [], 0
    for suite in suites:
        for number in range(scenes * (ABSENT_TIMES if suite == "absent" else 1)):
            scene = suite_scene(suite, first_seed + number)
            prepared = classifier.prepare(Image.from_array(scene.pixels)).pixels
            (answer,) = classifier.predict(prepared[None])
            predicted = {classifier.labels[index] for index in answer.predicted()}
            if not scene.labels:
                asked.append(PlantedQuestion(suite, scene, classifier.labels[scene.seed % len(classifier.labels)]))
            missed += len(set(scene.labels) - predicted)
            asked += [
                PlantedQuestion(suite, scene, label, strengths(classifier, scene, label))
                for label in scene.labels
                if label in predicted
            ]
    return Questions(tuple(asked), missed)


def row_in_rounds(method: InRounds, bench: Bench, on_done: OnDone) -> dict:
    """A recipe's `row`, and what it `took`. `recall_equal_area` is its own first map's, cut at the area that its rounds
    took."""
    trials, rivals, began = [], [], time.monotonic()
    for number, one in enumerate(bench.questions.asked, start=1):
        trial, first = method.find(bench.classifier, one, bench.seed)
        trials.append(trial)
        rivals.append(one.trial((cut_at_area(first, trial.area, LEAST_PX),)))
        on_done(number, len(bench.questions.asked))
    seconds = time.monotonic() - began
    took = {"areas": [trial.area for trial in trials], "found": [found_by(trial) for trial in trials]}
    return {"row": _row(bench, trials, rivals, seconds), "took": took}


def row_of_map(method: OneMap, bench: Bench, ours: Ours, on_done: OnDone) -> dict:
    """A single map's `row`: cut at its own best threshold, and `…_equal_area` at the area that our rounds took.

    `ahead`: our recall less the map's at equal area, on the same questions.
    """
    total = len(bench.questions.asked) + len(bench.tuning.asked)

    def maps_of(questions: Questions, before: int) -> list[Saliency]:
        maps = []
        for number, one in enumerate(questions.asked, start=before + 1):
            maps.append(method.saliency(bench.classifier, one, bench.seed))
            on_done(number, total)
        return maps

    tuning = maps_of(bench.tuning, 0)
    pairs = [(one.scene, one.label) for one in bench.tuning.asked]
    share = best_share(tuning, pairs, SHARES, LEAST_PX)
    began = time.monotonic()
    maps = maps_of(bench.questions, len(bench.tuning.asked))
    seconds = time.monotonic() - began
    asked = bench.questions.asked
    trials = [one.trial((cut_at_share(found, share, LEAST_PX),)) for one, found in zip(asked, maps, strict=True)]
    rivals = [
        one.trial((cut_at_area(found, area, LEAST_PX),))
        for one, found, area in zip(asked, maps, ours.areas, strict=True)
    ]
    return {"row": {**_row(bench, trials, rivals, seconds), "threshold": share, **_ahead(bench, ours, rivals)}}


def refused_row(error: UnveilError) -> dict:
    """The row of a method that doesn't work on a network, with the reason."""
    return {**dict.fromkeys(MAIN), "refused": str(error)}


def found_by(trial: Trial) -> int:
    """How many cues a trial found in all its rounds."""
    covered = union(trial.regions, trial.scene.pixels.shape[1:])
    return sum(is_found(cue.inside, covered) for cue in trial.cues)


def _row(bench: Bench, trials: Sequence[Trial], rivals: Sequence[Trial], seconds: float) -> dict:
    own, rival = (score(some, ROUNDS, bench.seed) for some in (trials, rivals))
    between: Mapping[str, list[float] | None] = own.pop("intervals")
    row = {
        **own,
        "recall_equal_area": rival["recall"],
        "precision_equal_area": rival["precision"],
        "seconds": seconds / len(trials),
        "missed_by_classifier": bench.questions.missed,
        "intervals": {**between, "recall_equal_area": rival["intervals"]["recall"]},
    }
    return {**{name: row[name] for name in MAIN}, **row, "by_suite": _by_suite(trials, rivals)}


def _by_suite(trials: Sequence[Trial], rivals: Sequence[Trial]) -> dict[str, dict]:
    """Recall and precision where they differ most, without intervals: too few scenes each."""
    found = {}
    for suite in dict.fromkeys(trial.suite for trial in trials):
        own, rival = (score([one for one in some if one.suite == suite], ROUNDS) for some in (trials, rivals))
        names = ("recall", "precision", "false_region_rate", "cues", "regions")
        found[suite] = {**{name: own[name] for name in names}, "recall_equal_area": rival["recall"]}
    return found


def _ahead(bench: Bench, ours: Ours, rivals: Sequence[Trial]) -> dict:
    """(found by our rounds − found by the map) / cues, with its interval over scenes."""
    more = [before - found_by(rival) for before, rival in zip(ours.found, rivals, strict=True)]
    counts = np.array([(one, len(rival.cues)) for one, rival in zip(more, rivals, strict=True)], dtype=np.float64)
    groups = by_group(counts, bench.questions.groups)
    low_high = intervals(groups[:, :1], groups[:, 1:], bench.seed)
    return {"ahead": ratio(*groups.sum(0)), "ahead_interval": bounds(low_high[:, 0])}
