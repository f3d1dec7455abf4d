"""Trains networks on planted scenes with and without erasing, and measures what it did."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unveil.classifiers import Classifier, load_classifier
from unveil.classifiers.preprocessing import Preprocessing
from unveil.evaluation.mosaics.keeping import Kept, key_of
from unveil.evaluation.training.controls import (
    accuracy,
    expected_calibration_error,
    predict_erased,
    probe_masks,
    try_foreign_masks,
)
from unveil.evaluation.training.cues import count_used_cues
from unveil.evaluation.training.scenes import (
    LABELS,
    TEST_SEEDS,
    TOGETHER,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    CueTest,
    draw_cue_tests,
    draw_examples,
)
from unveil.evaluation.training.unveiled import unveil_scenes
from unveil.fills import Fill, Mean
from unveil.planted.networks.demo import PIXEL_MEAN, PIXEL_STD, PlantedNet
from unveil.recipes import demo
from unveil.training import Erasing, Examples, TrainingSettings, find_regions_of_many, train_classifier
from unveil.training.batches import move_at_random

MEASURES = 2  # rows of other measures are made again, from weights that are kept
OnWork = Callable[[str, int, int, str], None]
Arm = tuple[str, TrainingSettings]


@dataclass(frozen=True)
class TrainingPlan:
    """The size of the experiment.

    Attributes:
        scenes: The number of training scenes.
        validation: The number of validation scenes.
        tests: The number of scenes in which cues are counted and controls are made.
        unveiled: The number of scenes that `unveil` is run on.
        base: The settings of the training that all others start from: nothing is erased.
        further: The settings of the further training; each arm replaces `erase`, or `fills`.
        precision: That of all trainings, as Lightning calls it.
    """

    scenes: int = 3000
    validation: int = 150
    tests: int = 150
    unveiled: int = 30
    base: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(
            Erasing.NONE, epochs=3, steps=100, learning_rate=4e-3, balanced=False, recipe=demo()
        )
    )
    further: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(
            epochs=14,
            steps=100,
            learning_rate=3e-3,
            balanced=False,
            searched=200,
            rounds=2,
            samples=4,
            recipe=demo(),
        )
    )

    precision: str = "32-true"

    @classmethod
    def sized(cls, scenes: int, tests: int, steps: int, precision: str) -> "TrainingPlan":
        """The usual plan with other numbers of scenes, and of steps per epoch."""
        usual = cls()
        return replace(
            usual,
            scenes=scenes,
            validation=tests,
            tests=tests,
            unveiled=min(usual.unveiled, tests),
            base=replace(usual.base, steps=steps),
            further=replace(usual.further, steps=steps, searched=min(usual.further.searched, scenes)),
            precision=precision,
        )

    def arms(self) -> list[Arm]:
        """The arms by their names: (a) nothing erased, (b) random places, (c) found regions, (d) a mix, and (c) with a
        single fill."""
        one = replace(self.further, fills=(Mean(),))
        return [(kind.value, replace(self.further, erase=kind)) for kind in Erasing] + [("found, one fill", one)]


@dataclass(frozen=True, eq=False)
class PlantedData:
    """The scenes of all networks.

    Attributes:
        training: Those that networks are trained on.
        validation: Those by which the best epoch is chosen.
        controls: Those of the controls, and of the accuracy.
        tests: Those in which cues are counted.
    """

    training: Examples
    validation: Examples
    controls: Examples
    tests: list[CueTest]

    @classmethod
    def draw(cls, plan: TrainingPlan, on_work: OnWork) -> "PlantedData":
        """Draw all scenes."""

        def counted(done: int, total: int) -> None:
            on_work("drawing tests", done, total, "")

        return cls(
            *draw_training(plan, on_work),
            draw_examples(TEST_SEEDS, plan.tests),
            draw_cue_tests(TEST_SEEDS, plan.tests, counted),
        )


def draw_training(plan: TrainingPlan, on_work: OnWork) -> tuple[Examples, Examples]:
    """Draw the scenes for training and for validation."""
    total = plan.scenes + plan.validation

    def counted(start: int) -> Callable[[int, int], None]:
        return lambda done, count: on_work("drawing scenes", start + done, total, "")

    return (
        draw_examples(TRAINING_SEEDS, plan.scenes, counted(0)),
        draw_examples(VALIDATION_SEEDS, plan.validation, counted(plan.scenes)),
    )


def planted_classifier(seed: int) -> Classifier:
    """A network for planted scenes with random weights, in which the strongest cue decides (`PlantedNet`)."""
    torch.manual_seed(seed)
    return load_classifier(
        PlantedNet(len(LABELS)),
        labels=list(LABELS),
        output="sigmoid",
        preprocessing=Preprocessing.square(TOGETHER.side, PIXEL_MEAN, PIXEL_STD),
    )


def train_base(
    scenes: tuple[Examples, Examples], plan: TrainingPlan, seed: int, folder: Path, on_work: OnWork
) -> Classifier:
    """The network that all arms of a seed start from: trained with nothing erased.

    Args:
        scenes: Those for training and for validation.
        plan: The plan.
        seed: The seed of weights and batches.
        folder: The folder of the training.
        on_work: As in `train_classifier`.
    """
    return _train(planted_classifier(seed), scenes, replace(plan.base, seed=seed), folder, plan.precision, on_work)


def _train(
    classifier: Classifier,
    scenes: tuple[Examples, Examples],
    settings: TrainingSettings,
    folder: Path,
    precision: str,
    on_work: OnWork,
) -> Classifier:
    training, validation = scenes
    result = train_classifier(
        classifier,
        training,
        folder,
        settings,
        validation=validation,
        precision=precision,
        on_work=on_work,
    )
    return with_weights(classifier, result.weights)


def with_weights(classifier: Classifier, weights: Path) -> Classifier:
    """The same classifier with the weights of a file."""
    return load_classifier(classifier, weights=str(weights))


def iter_rows(
    plan: TrainingPlan, seeds: range, out: Path, on_work: OnWork = lambda what, done, total, remark: None
) -> Iterator[dict[str, Any]]:
    """Yield one row per seed and arm; the rows and networks of an earlier call in `out` are kept."""
    data: PlantedData | None = None
    for seed in seeds:
        for arm, settings in [("base", plan.base), *plan.arms()]:
            folder = out / f"seed-{seed}" / arm.replace(", ", "-").replace(" ", "-")
            kept = Kept(folder / "row.json", key_of(MEASURES, repr(plan), seed, arm))
            if not kept.content:
                data = PlantedData.draw(plan, on_work) if data is None else data
                base = train_base((data.training, data.validation), plan, seed, out / f"seed-{seed}" / "base", on_work)
                trained = base
                if arm != "base":
                    own = replace(settings, seed=seed)
                    trained = _train(base, (data.training, data.validation), own, folder, plan.precision, on_work)
                kept.write({"seed": seed, "arm": arm, **measure(trained, data, plan, on_work)})
            yield kept.content


def measure(classifier: Classifier, data: PlantedData, plan: TrainingPlan, on_work: OnWork) -> dict[str, Any]:
    """All measures of one network: cues, accuracies, calibration, and whether it classifies masks."""
    on_work("counting cues", 0, 1, "")
    cues = count_used_cues(classifier, data.tests)
    examples, fill = data.controls, Mean()
    columns = [int(row.argmax()) if row.any() else -1 for row in examples.targets]
    found = find_regions_of_many(classifier, examples.batch, columns, replace(plan.further, rounds=1), "controls")
    has = np.flatnonzero(found.rounds)
    clean = predict_erased(classifier, examples, None, fill)
    rounds = unveil_scenes(
        classifier,
        TEST_SEEDS,
        plan.unveiled,
        plan.further.recipe,
        lambda done, total: on_work("running unveil", done, total, ""),
    )
    row: dict[str, Any] = {
        **{f"cues_{name}": value for name, value in asdict(cues).items()},
        **{f"rounds_{name}": value for name, value in asdict(rounds).items()},
        "accuracy": accuracy(clean, examples, classifier),
        "calibration_error": expected_calibration_error(clean, examples.targets),
        "found": len(has),
    }
    on_work("counting cues", 1, 1, "")
    if len(has) >= len(LABELS) * 2:
        row |= _with_masks(classifier, examples, found.erased[has, 0], [columns[number] for number in has], fill)
    return row


def _with_masks(
    classifier: Classifier, examples: Examples, masks: np.ndarray, columns: Sequence[int], fill: Fill
) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    moved = np.stack([move_at_random(masks[rng.integers(len(masks))], rng) for _ in range(len(examples))])
    foreign = try_foreign_masks(classifier, examples, masks, columns, fill)
    probe = probe_masks(masks, np.array(columns))
    return {
        "accuracy_random_erased": accuracy(predict_erased(classifier, examples, moved, fill), examples, classifier),
        **{f"foreign_{name}": value for name, value in asdict(foreign).items()},
        **{f"probe_{name}": value for name, value in asdict(probe).items()},
    }
