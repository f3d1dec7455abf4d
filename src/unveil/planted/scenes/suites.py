"""The benchmark's suites: one difficulty each, as settings of a scene. All share one world, so one network is tested on
all of them."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from unveil.planted.scenes.layout import SceneError, SceneSettings
from unveil.planted.scenes.scene import SIZE, Scene, draw_scene
from unveil.planted.scenes.signs import BENCHMARK

KINDS = BENCHMARK.kinds
BASE = SceneSettings(
    side=SIZE,
    classes_present=(0, 1),
    cues_per_class=(1, 1, 1),
    size_px=(16.0, 26.0),
    world=BENCHMARK,
    kinds=tuple(pair for pair in KINDS if pair[1] not in ("letter", "berries", "gall")),
)
SHARED = tuple(pair for pair in KINDS if pair[1] in ("berries", "gall"))
OWN = tuple(pair for pair in BASE.kinds if pair[0] in ("poppy", "clover", "iris"))


def _only(*kinds: str) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in KINDS if pair[1] in kinds)


SUITES: Mapping[str, SceneSettings] = MappingProxyType(
    {
        "usual": BASE,
        "many": replace(BASE, cues_per_class=(0, 0, 0, 1, 1, 1), size_px=(14.0, 22.0), distractors=(0, 2)),
        "small": replace(BASE, size_px=(6.0, 11.0), kinds=_only("color"), distractors=(2, 6)),
        "large": replace(BASE, size_px=(32.0, 42.0), cues_per_class=(1, 1), distractors=(0, 2)),
        "faint": replace(BASE, contrast=(0.42, 0.55)),
        "clutter": replace(BASE, clutter=2.0, distractors=(3, 6), grain=0.04),
        "overlap": replace(BASE, cues_per_class=(0, 1, 1, 1), gap_px=-6.0, distractors=(3, 6), crowd=0.5),
        "texture": replace(BASE, kinds=_only("texture")),
        "shape": replace(BASE, kinds=_only("shape")),
        "color": replace(BASE, kinds=_only("color")),
        "look-alikes": replace(BASE, distractors=(6, 10), size_px=(14.0, 22.0)),
        "shared": replace(BASE, kinds=(*SHARED, *SHARED, *OWN)),
        "several": replace(BASE, classes_present=(0, 0, 1, 1), cues_per_class=(1, 1, 1), size_px=(14.0, 24.0)),
        "letter": replace(BASE, kinds=(*(("iris", "letter"),) * 2, ("iris", "flower"), ("iris", "blade"))),
        "absent": replace(BASE, classes_present=(1,), distractors=(2, 8)),
    }
)


def suite_scene(suite: str, seed: int) -> Scene:
    """A scene of a suite; the same seed gives different scenes in different suites. Raises `SceneError` for an unknown
    suite."""
    if suite not in SUITES:
        raise SceneError(f"a suite {', '.join(SUITES)}", repr(suite), "choose one of them")
    return draw_scene(len(SUITES) * seed + list(SUITES).index(suite), SUITES[suite])
