"""Scenes with known evidence: each class has independent cues, whose pixels are known exactly."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from unveil.planted.scenes.background import draw_background, draw_light
from unveil.planted.scenes.canvas import Sprite, draw_sprite
from unveil.planted.scenes.layout import PlacedObject, SceneError, SceneSettings, plan_scene

SIZE = 128
DEFAULT = SceneSettings(side=SIZE)
LAYOUT, GROUND, GRAIN = range(3)  # independent random streams of one seed
GRAY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, eq=False)
class Cue:
    """One sign of a class in a scene. A sign of two classes is two cues with the same index and pixels.

    Attributes:
        label: The name of the class.
        kind: The kind of the sign.
        inside: True at every pixel that the sign changes, including its antialiased edge.
        index: Its number in the scene's layout, which stays the same when other signs are removed.
    """

    label: str
    kind: str
    inside: Bool[np.ndarray, "h w"]
    index: int


@dataclass(frozen=True, eq=False)
class Scene:
    """An image whose evidence is known exactly.

    Attributes:
        pixels: The image, (c, h, w), float32 in [0, 1].
        labels: The names of the classes that are present.
        cues: All signs of these classes.
        distractors: The pixels of each distractor.
        seed: The seed of the scene.
        settings: The settings of the scene.
        omitted: The indices of cues that were left out.
    """

    pixels: Float[np.ndarray, "c h w"]
    labels: tuple[str, ...]
    cues: tuple[Cue, ...]
    distractors: tuple[Bool[np.ndarray, "h w"], ...]
    seed: int
    settings: SceneSettings = DEFAULT
    omitted: frozenset[int] = frozenset()

    def without(self, indices: Iterable[int]) -> "Scene":
        """Draw the same scene without the cues with these `indices` (`Cue.index`); all other pixels keep their bits.

        Raises `SceneError` for an index that the scene doesn't have.
        """
        return draw_scene(self.seed, self.settings, omit=self.omitted | frozenset(indices))

    def inside(self, label: str) -> Bool[np.ndarray, "h w"]:
        """Compute the union of the cues of the class `label`; empty if the class is absent."""
        union = np.zeros(self.pixels.shape[1:], bool)
        for cue in self.cues:
            if cue.label == label:
                union |= cue.inside
        return union


def draw_scene(seed: int, settings: SceneSettings = DEFAULT, *, omit: frozenset[int] = frozenset()) -> Scene:
    """Draw the scene of a `seed` with these `settings`, without the cues whose index is in `omit`.

    Layout, background and grain come from separate random streams, so leaving a cue out changes only the pixels that it
    covered. Raises `SceneError` for a negative seed or an index that the scene doesn't have.

    >>> scene = draw_scene(3)
    >>> scene.pixels.shape, scene.labels == draw_scene(3).labels
    ((3, 128, 128), True)
    """
    objects = _planned(seed, settings, omit)
    rng = np.random.default_rng((seed, GROUND))
    pixels, light = draw_background(rng, settings.side, settings.clutter), draw_light(rng, settings.side)
    cues, distractors = [], []
    for index, item in enumerate(objects):
        if index in omit:
            continue
        sprite = draw_sprite(item.design, item.pose, settings.side)
        _draw(pixels, sprite)
        inside = _pixels_of(sprite, settings.side)
        if item.label:
            cues.extend(Cue(label, item.kind, inside, index) for label in (item.label, *item.also))
        else:
            distractors.append(inside)
    present = {cue.label for cue in cues}
    return Scene(
        _exposed(pixels * light, seed, settings),
        tuple(label for label in settings.world.labels if label in present),
        tuple(cues),
        tuple(distractors),
        seed,
        settings,
        omit,
    )


def _planned(seed: int, settings: SceneSettings, omit: frozenset[int]) -> tuple[PlacedObject, ...]:
    if seed < 0:
        raise SceneError("a seed of 0 or more", str(seed), "use another seed")
    objects = plan_scene(np.random.default_rng((seed, LAYOUT)), settings)
    cues = {index for index, item in enumerate(objects) if item.label}
    if not omit <= cues:
        raise SceneError(f"cue indices among {sorted(cues)}", str(sorted(omit - cues)), "take them from Cue.index")
    return objects


def _draw(pixels: Float[np.ndarray, "3 h w"], sprite: Sprite) -> None:
    """x ← x + opacity·(color − x), only within the sprite's patch."""
    patch = pixels[:, sprite.rows, sprite.columns]
    patch += sprite.opacity * (sprite.rgb - patch)


def _pixels_of(sprite: Sprite, side: int) -> Bool[np.ndarray, "h w"]:
    inside = np.zeros((side, side), bool)
    inside[sprite.rows, sprite.columns] = sprite.opacity > 0
    return inside


def _exposed(pixels: Float[np.ndarray, "3 h w"], seed: int, settings: SceneSettings) -> Float[np.ndarray, "3 h w"]:
    """Apply the camera: grain (the same whatever is omitted), gray values if set, clipped to [0, 1]."""
    grain = np.random.default_rng((seed, GRAIN)).standard_normal(pixels.shape, np.float32)
    pixels = pixels + np.float32(settings.grain) * grain
    if settings.gray:
        pixels = np.broadcast_to(np.tensordot(GRAY, pixels, 1), pixels.shape)
    return np.clip(pixels, 0, 1).astype(np.float32)
