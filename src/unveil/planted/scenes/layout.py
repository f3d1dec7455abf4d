"""The layout of a scene: classes, cues and distractors with their poses, drawn before anything is rendered."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from unveil.errors import UnveilError
from unveil.planted.scenes.canvas import Color, Design, Pose
from unveil.planted.scenes.designs import KINDS
from unveil.planted.scenes.world import PLANTS, Sign, World

CANDIDATES = 64  # places tried for one object before it shrinks or is left out


class SceneError(UnveilError):
    """A scene can't be drawn with these settings."""


@dataclass(frozen=True)
class SceneSettings:
    """Settings of a planted scene; probabilities are normalized to sum to 1.

    Attributes:
        side: The side length of the image in px.
        classes_present: The probabilities of 0, 1, 2 … classes.
        cues_per_class: The probabilities of 1, 2 … cues of a class that is present.
        size_px: The smallest and the largest extent of an object in px.
        gap_px: The smallest distance in px between the discs of two objects, and from the image's border. If it is
            negative, objects may overlap: later ones cover earlier ones.
        distractors: The smallest and the largest number of distractors.
        contrast: The smallest and the largest opacity of an object over the background, in [0, 1].
        tint: The standard deviation of an object's relative brightness; that of each channel is half of it.
        clutter: The strength of the background's texture, in [0, 1].
        grain: The standard deviation of the sensor's noise in pixel units.
        gray: Whether the image is gray.
        kinds: The pairs (label, kind) that may appear; a pair that is listed twice is twice as frequent.
        world: The signs and distractors that scenes are made of.
        crowd: The probability that an object is placed at distance `gap_px` from another object instead of anywhere.
        each_kind: Whether each class that is present has one cue of each of its kinds, in place of a random number of
            random kinds.

    Raises `SceneError` for settings that can't be drawn.
    """

    side: int = 128
    classes_present: tuple[float, ...] = (0.2, 0.5, 0.3)
    cues_per_class: tuple[float, ...] = (0.35, 0.3, 0.22, 0.13)
    size_px: tuple[float, float] = (14.0, 26.0)
    gap_px: float = 3.0
    distractors: tuple[int, int] = (1, 4)
    contrast: tuple[float, float] = (0.72, 0.96)
    tint: float = 0.08
    clutter: float = 1.0
    grain: float = 0.02
    gray: bool = False
    kinds: tuple[tuple[str, str], ...] = KINDS
    world: World = PLANTS
    crowd: float = 0.0
    each_kind: bool = False

    def __post_init__(self) -> None:
        unknown = set(self.kinds) - set(self.world.kinds)
        if unknown or not self.kinds:
            known = f"choose from {self.world.kinds}"
            raise SceneError("(label, kind) pairs of planted cues", str(unknown or "none"), known)
        if not 3 <= self.size_px[0] <= self.size_px[1] <= self.side / 3:
            raise SceneError("3 <= smallest <= largest <= side/3 pixels", str(self.size_px), "change size_px or side")
        if not 0 <= self.distractors[0] <= self.distractors[1]:
            raise SceneError("0 <= fewest <= most distractors", str(self.distractors), "change distractors")


@dataclass(frozen=True)
class PlacedObject:
    """An object of the layout: its `label` and `kind`, empty for a distractor, its `design` and its `pose`.

    `also` has further classes that it is a sign of.
    """

    label: str
    kind: str
    design: Design
    pose: Pose
    also: tuple[str, ...] = ()


def plan_scene(rng: np.random.Generator, settings: SceneSettings) -> tuple[PlacedObject, ...]:
    """Draw the objects: first cues, taking the classes in turn, then distractors.

    Objects without a free place are left out.
    """
    placed: list[PlacedObject] = []
    world = settings.world
    for label, kind in _cast(rng, settings):
        _place(rng, settings, placed, world.sign(label, kind), label)
    low, high = settings.distractors
    for choice in rng.integers(len(world.distractors), size=rng.integers(low, high + 1)):
        _place(rng, settings, placed, world.distractors[choice], "")
    return tuple(placed)


def _cast(rng: np.random.Generator, settings: SceneSettings) -> list[tuple[str, str]]:
    """The cues of a scene: for each class a random number of its kinds, repeats allowed, or one of each; classes in
    turn."""
    labels = sorted({label for label, _ in settings.kinds}, key=settings.world.labels.index)
    count = min(_draw(rng, settings.classes_present), len(labels))
    chosen = []
    for index in rng.permutation(len(labels))[:count]:
        kinds = [pair for pair in settings.kinds if pair[0] == labels[index]]
        if settings.each_kind:
            chosen.append(list(enumerate(kinds)))
            continue
        number = 1 + _draw(rng, settings.cues_per_class)
        chosen.append([(turn, kinds[pick]) for turn, pick in enumerate(rng.integers(len(kinds), size=number))])
    return [pair for _, pair in sorted((entry for cues in chosen for entry in cues), key=lambda entry: entry[0])]


def _draw(rng: np.random.Generator, weights: tuple[float, ...]) -> int:
    """An index with the given odds."""
    return int(np.searchsorted(np.cumsum(weights) / sum(weights), rng.random(), side="right"))


def _place(
    rng: np.random.Generator, settings: SceneSettings, placed: list[PlacedObject], sign: Sign, label: str
) -> None:
    """Place an object where there is room; it shrinks, down to the smallest size, if there is none."""
    smallest, largest = (size / 2 for size in sign.size_px or settings.size_px)
    radius = rng.uniform(smallest, largest)
    kind = sign.kind if label else ""
    if sign.place == "corner" and any(item.label == label and item.kind == kind for item in placed if label):
        return
    for size in (radius, (radius + smallest) / 2, smallest):
        spots = _spots(rng, settings, placed, sign, size)
        free = _free(spots, size, placed, settings.gap_px)
        if free.any():
            pose = _pose(rng, settings, spots[np.argmax(free)], size)
            also = tuple(other for other in sign.labels if other != label)
            placed.append(PlacedObject(label, kind, *_looks(rng, sign, pose), also))
            return


def _spots(
    rng: np.random.Generator, settings: SceneSettings, placed: list[PlacedObject], sign: Sign, radius: float
) -> Float[np.ndarray, "spots 2"]:
    """Places to try, as (x, y)."""
    margin = radius + max(settings.gap_px, 0.0)
    last = settings.side - 1 - margin
    if sign.place == "corner":
        near = margin + rng.uniform(0, 4, (CANDIDATES, 2))
        return np.where(rng.random((CANDIDATES, 2)) < 0.5, near, settings.side - 1 - near)
    spots = rng.uniform(margin, last, (CANDIDATES, 2))
    if settings.crowd and placed and rng.random() < settings.crowd:
        other, angle = placed[rng.integers(len(placed))].pose, rng.uniform(0, 2 * np.pi, CANDIDATES)
        away = (radius + other.radius + settings.gap_px) * (1 + 1e-9)  # not closer, after rounding
        beside = np.stack([other.x + away * np.cos(angle), other.y + away * np.sin(angle)], axis=1)
        within = (beside >= margin).all(1) & (beside <= last).all(1)
        return np.concatenate([beside[within], spots])
    return spots


def _looks(rng: np.random.Generator, sign: Sign, pose: Pose) -> tuple[Design, Pose]:
    """Which of its designs a sign has, and its pose with a color of its palette. One choice needs no draw."""
    design = sign.designs[rng.integers(len(sign.designs)) if len(sign.designs) > 1 else 0]
    if sign.palette:
        pose = replace(pose, tint=_times(pose.tint, sign.palette[rng.integers(len(sign.palette))]))
    return design, replace(pose, angle=0.0) if sign.place == "corner" else pose


def _times(tint: Color, color: Color) -> Color:
    r, g, b = (value * factor for value, factor in zip(tint, color, strict=True))
    return r, g, b


def _free(
    spots: Float[np.ndarray, "spots 2"], radius: float, placed: list[PlacedObject], gap_px: float
) -> Bool[np.ndarray, "spots"]:
    """Spots whose disc keeps `gap_px` from all discs that are taken."""
    free = np.ones(len(spots), bool)
    for item in placed:
        distance = np.hypot(spots[:, 0] - item.pose.x, spots[:, 1] - item.pose.y)
        free &= distance >= radius + item.pose.radius + gap_px
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
