"""What stands where in a scene: classes, cues and distractors, drawn before anything is rendered."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from unveil.errors import UnveilError
from unveil.planted.canvas import Design, Pose
from unveil.planted.designs import CUES, KINDS
from unveil.planted.distractors import DISTRACTORS

CANDIDATES = 64  # places tried for one object before it shrinks or is left out


class SceneError(UnveilError):
    """Settings of a scene that can't be drawn."""


@dataclass(frozen=True)
class SceneSettings:
    """All knobs of the planted world; sizes in pixels, probabilities need not sum to 1 (they are normalised).

    A negative `gap_px` lets objects overlap: later ones cover earlier ones.
    """

    side: int = 128
    classes_present: tuple[float, ...] = (0.2, 0.5, 0.3)  # probability of 0, 1, 2 … classes
    cues_per_class: tuple[float, ...] = (0.35, 0.3, 0.22, 0.13)  # probability of 1, 2 … cues of a present class
    size_px: tuple[float, float] = (14.0, 26.0)  # longest extent of an object
    gap_px: float = 3.0  # between any two objects' discs, and from the image's border
    distractors: tuple[int, int] = (1, 4)  # fewest, most
    contrast: tuple[float, float] = (0.72, 0.96)  # opacity of an object over the ground
    tint: float = 0.08  # standard deviation of an object's brightness, half of it of each channel
    clutter: float = 1.0
    grain: float = 0.02  # standard deviation of the sensor's noise
    grey: bool = False
    kinds: tuple[tuple[str, str], ...] = KINDS  # (label, kind) pairs that may appear

    def __post_init__(self) -> None:
        unknown = set(self.kinds) - set(KINDS)
        if unknown or not self.kinds:
            raise SceneError("(label, kind) pairs of planted cues", str(unknown or "none"), f"choose from {KINDS}")
        if not 3 <= self.size_px[0] <= self.size_px[1] <= self.side / 3:
            raise SceneError("3 <= smallest <= largest <= side/3 pixels", str(self.size_px), "change size_px or side")
        if not 0 <= self.distractors[0] <= self.distractors[1]:
            raise SceneError("0 <= fewest <= most distractors", str(self.distractors), "change distractors")


@dataclass(frozen=True)
class Thing:
    """An object of the layout; label and kind are empty for a distractor."""

    label: str
    kind: str
    design: Design
    pose: Pose


def plan_scene(rng: np.random.Generator, settings: SceneSettings) -> tuple[Thing, ...]:
    """Cues first, class by class in turn, then distractors; what finds no place is left out."""
    placed: list[Thing] = []
    for label, kind in _cast(rng, settings):
        _place(rng, settings, placed, (label, kind, CUES[label][kind]))
    low, high = settings.distractors
    for choice in rng.integers(len(DISTRACTORS), size=rng.integers(low, high + 1)):
        _place(rng, settings, placed, ("", "", DISTRACTORS[choice]))
    return tuple(placed)


def _cast(rng: np.random.Generator, settings: SceneSettings) -> list[tuple[str, str]]:
    """The cues of a scene: for every class present a random number of its kinds, repeats allowed, taken in turn."""
    labels = sorted({label for label, _ in settings.kinds}, key=list(CUES).index)
    count = min(_draw(rng, settings.classes_present), len(labels))
    chosen = []
    for index in rng.permutation(len(labels))[:count]:
        kinds = [pair for pair in settings.kinds if pair[0] == labels[index]]
        number = 1 + _draw(rng, settings.cues_per_class)
        chosen.append([(turn, kinds[pick]) for turn, pick in enumerate(rng.integers(len(kinds), size=number))])
    return [pair for _, pair in sorted((entry for cues in chosen for entry in cues), key=lambda entry: entry[0])]


def _draw(rng: np.random.Generator, weights: tuple[float, ...]) -> int:
    """An index with the given odds."""
    return int(np.searchsorted(np.cumsum(weights) / sum(weights), rng.random(), side="right"))


def _place(
    rng: np.random.Generator, settings: SceneSettings, placed: list[Thing], identity: tuple[str, str, Design]
) -> None:
    """Put an object on free ground; where there is none it shrinks, at most to the smallest size."""
    smallest, largest = (size / 2 for size in settings.size_px)
    radius = rng.uniform(smallest, largest)
    for size in (radius, (radius + smallest) / 2, smallest):
        margin = size + max(settings.gap_px, 0.0)
        spots = rng.uniform(margin, settings.side - 1 - margin, (CANDIDATES, 2))
        free = _free(spots, size, placed, settings.gap_px)
        if free.any():
            pose = _pose(rng, settings, spots[np.argmax(free)], size)
            placed.append(Thing(*identity, pose))
            return


def _free(
    spots: Float[np.ndarray, "spots 2"], radius: float, placed: list[Thing], gap_px: float
) -> Bool[np.ndarray, "spots"]:
    """Spots whose disc keeps `gap_px` from all discs that are taken."""
    free = np.ones(len(spots), bool)
    for thing in placed:
        distance = np.hypot(spots[:, 0] - thing.pose.x, spots[:, 1] - thing.pose.y)
        free &= distance >= radius + thing.pose.radius + gap_px
    return free


def _pose(rng: np.random.Generator, settings: SceneSettings, spot: Float[np.ndarray, "2"], radius: float) -> Pose:
    brightness = rng.normal(0, settings.tint)
    tint = np.clip(1 + brightness + rng.normal(0, settings.tint / 2, 3), 0.6, 1.4)
    return Pose(
        float(spot[0]),
        float(spot[1]),
        float(radius),
        rng.uniform(0, 2 * np.pi),
        rng.uniform(*settings.contrast),
        (float(tint[0]), float(tint[1]), float(tint[2])),
    )
