"""Planted scenes in which each label has one cue of each of its kinds: one kind suffices to tell the label."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from unveil.classifiers import Classifier
from unveil.images import Image
from unveil.planted import KINDS, Scene, SceneSettings, draw_scene
from unveil.training import Examples, TrainingError

# Three of the five labels and small scenes, so that five networks per arm take two cores about an hour.
LABELS = ("clover", "oak", "poppy")
TOGETHER = SceneSettings(
    side=96,
    classes_present=(0.15, 0.85),
    size_px=(14.0, 24.0),
    distractors=(1, 3),
    kinds=tuple(pair for pair in KINDS if pair[0] in LABELS),
    each_kind=True,
)
TRAINING_SEEDS, VALIDATION_SEEDS, TEST_SEEDS = 6_000_000, 7_000_000, 8_000_000
OnCount = Callable[[int, int], None]


def draw_examples(first: int, count: int, on_count: OnCount = lambda done, total: None) -> Examples:
    """Scenes of the seeds `first` … `first + count − 1` with their labels."""
    pixels = np.empty((count, 3, TOGETHER.side, TOGETHER.side), np.uint8)
    targets = np.zeros((count, len(LABELS)), np.float32)
    for row in range(count):
        scene = draw_scene(first + row, TOGETHER)
        pixels[row] = np.round(scene.pixels * 255)
        targets[row, [LABELS.index(label) for label in scene.labels]] = 1
        on_count(row + 1, count)
    names = tuple(f"scene {first + row}" for row in range(count))
    return Examples(pixels, targets, names, names)


def check_scene_labels(classifier: Classifier) -> None:
    """Raise `TrainingError` for a classifier that lacks one of the `LABELS`."""
    absent = [label for label in LABELS if label not in classifier.labels]
    if absent:
        got = f"{classifier.name} without {absent[0]}"
        raise TrainingError(f"a classifier with the labels {', '.join(LABELS)}", got, "leave --model out")


def examples_for(classifier: Classifier, examples: Examples) -> Examples:
    """Scenes as another classifier takes them: prepared for its grid, with its labels.

    Raises `TrainingError` for a classifier that lacks one of the `LABELS`.
    """
    check_scene_labels(classifier)
    prepared = [classifier.prepare(Image.from_array(scene)).pixels.cpu().numpy() for scene in examples.pixels]
    targets = np.zeros((len(examples), len(classifier.labels)), np.float32)
    targets[:, [classifier.labels.index(label) for label in LABELS]] = examples.targets
    pixels = np.stack([np.round(one * 255).clip(0, 255).astype(np.uint8) for one in prepared])
    return replace(examples, pixels=pixels, targets=targets)


@dataclass(frozen=True, eq=False)
class CueTest:
    """A scene with one label, drawn in several ways.

    Attributes:
        column: The label.
        kinds: The kinds of its cues.
        whole: The scene.
        alone: The scene with one of its cues only, in the order of `kinds`.
        without: The scene without one of its cues.
        none: The scene without any of its cues.
    """

    column: int
    kinds: tuple[str, ...]
    whole: Float[np.ndarray, "c h w"]
    alone: tuple[Float[np.ndarray, "c h w"], ...]
    without: tuple[Float[np.ndarray, "c h w"], ...]
    none: Float[np.ndarray, "c h w"]


def draw_cue_tests(first: int, count: int, on_count: OnCount = lambda done, total: None) -> list[CueTest]:
    """Tests of `count` scenes with one label, from the seed `first` on; seeds of scenes without labels are left out."""
    tests: list[CueTest] = []
    seed = first
    while len(tests) < count:
        scene, seed = draw_scene(seed, TOGETHER), seed + 1
        if scene.labels:
            tests.append(_test_of(scene))
            on_count(len(tests), count)
    return tests


def _test_of(scene: Scene) -> CueTest:
    indices = [cue.index for cue in scene.cues]
    return CueTest(
        LABELS.index(scene.labels[0]),
        tuple(cue.kind for cue in scene.cues),
        scene.pixels,
        tuple(scene.without([other for other in indices if other != index]).pixels for index in indices),
        tuple(scene.without([index]).pixels for index in indices),
        scene.without(indices).pixels,
    )
