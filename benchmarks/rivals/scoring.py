"""Explanations against the cues of planted scenes, by the definitions of `unveil.evaluation.planted.cue_recall`, and at
equal area."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from unveil.bootstrap import bounds, intervals, ratio
from unveil.evaluation.planted.cue_recall import is_false, is_found
from unveil.masks import union
from unveil.planted import Cue, Scene

BoolMap = Bool[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class Marked:
    """Pixels that a method marked for a label."""

    label: str
    inside: BoolMap


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one method marked in one scene, the strongest first, and what that cost. `seconds` of the processor;
    `failed`: labels that it gave up on with an error."""

    marked: tuple[Marked, ...]
    seconds: float = 0.0
    forward_passes: int = 0
    backward_passes: int = 0
    failed: int = 0


def areas(marked: Iterable[Marked]) -> dict[str, int]:
    """Pixels marked for every label; those marked twice count once."""
    by_label: dict[str, BoolMap] = {}
    for one in marked:
        by_label[one.label] = by_label.get(one.label, np.zeros_like(one.inside)) | one.inside
    return {label: int(np.count_nonzero(inside)) for label, inside in by_label.items()}


def until(marked: Sequence[Marked], area_px: Mapping[str, int]) -> list[Marked]:
    """Of every label as many, in their order, as it takes to reach an area; the one that reaches it is still taken."""
    taken: list[Marked] = []
    for one in marked:
        if areas(taken).get(one.label, 0) < area_px.get(one.label, 0):
            taken.append(one)
    return taken


def grown(marked: Sequence[Marked], area_px: Mapping[str, int]) -> list[Marked]:
    """One union for every label, grown pixel by pixel on all sides until it reaches an area: for methods whose
    explanations are small by design."""
    result = []
    for label in dict.fromkeys(one.label for one in marked):
        parts = [one.inside for one in marked if one.label == label]
        inside = union(parts, parts[0].shape)
        while inside.any() and not inside.all() and np.count_nonzero(inside) < area_px.get(label, 0):
            inside = np.asarray(ndimage.binary_dilation(inside))
        result.append(Marked(label, inside))
    return result


def found(cues: Sequence[Cue], marked: Sequence[Marked]) -> int:
    """Cues of which at least half is covered by what is marked for their label."""
    return sum(
        is_found(cue.inside, union((one.inside for one in marked if one.label == cue.label), cue.inside.shape))
        for cue in cues
    )


def pointed_at(cues: Sequence[Cue], marked: Sequence[Marked]) -> int:
    """Cues that something marked for their label points at: it overlaps this cue most, and isn't false. So a cue counts
    however little of it is covered."""
    pointed = set()
    for one in marked:
        of_label = [cue for cue in cues if cue.label == one.label]
        on_cues = union((cue.inside for cue in of_label), one.inside.shape)
        if of_label and not is_false(one.inside, on_cues):
            pointed.add(max(of_label, key=lambda cue: np.count_nonzero(cue.inside & one.inside)).index)
    return len(pointed)


# What is counted in a scene; every row of a table is made of sums of these.
COUNTS = (
    "cues", "found", "pointed_at", "found_equal_area", "found_grown", "ours_found_at_its_area", "regions",
    "false_regions", "area_px", "on_cues_px", "equal_area_px", "seconds", "forward_passes", "backward_passes", "labels",
    "failed",
)  # fmt: skip


def counts(scene: Scene, asked: Sequence[str], outcome: Outcome, ours: Outcome) -> list[float]:
    """`COUNTS` of one method in one scene; `asked` are the labels predicted at first, whose cues count."""
    cues = [cue for cue in scene.cues if cue.label in asked]
    marked, budget = outcome.marked, areas(ours.marked)
    equal = until(marked, budget)
    on_cues = sum(
        int(np.count_nonzero(union((one.inside for one in marked if one.label == label), scene.pixels.shape[1:]) & own))
        for label in areas(marked)
        for own in [scene.inside(label)]
    )
    return [
        len(cues),
        found(cues, marked),
        pointed_at(cues, marked),
        found(cues, equal),
        found(cues, grown(marked, budget)),
        found(cues, until(ours.marked, areas(marked))),
        len(marked),
        sum(is_false(one.inside, scene.inside(one.label)) for one in marked),
        sum(areas(marked).values()),
        on_cues,
        sum(areas(equal).values()),
        outcome.seconds,
        outcome.forward_passes,
        outcome.backward_passes,
        len(asked),
        outcome.failed,
    ]


RATES = {
    "recall": ("found", "cues"),
    "recall_pointed_at": ("pointed_at", "cues"),
    "recall_equal_area": ("found_equal_area", "cues"),
    "recall_grown_to_equal_area": ("found_grown", "cues"),
    "ours_at_its_area": ("ours_found_at_its_area", "cues"),
    "false_region_rate": ("false_regions", "regions"),
    "precision": ("on_cues_px", "area_px"),
    "regions_per_label": ("regions", "labels"),
    "area_px_per_label": ("area_px", "labels"),
    "equal_area_px_per_label": ("equal_area_px", "labels"),
    "seconds_per_label": ("seconds", "labels"),
    "forward_passes_per_label": ("forward_passes", "labels"),
    "backward_passes_per_label": ("backward_passes", "labels"),
}


def row(scenes: Sequence[Sequence[float]]) -> dict[str, object]:
    """Sums over scenes, what follows from them, and 95 % intervals of the rates (bootstrap over scenes)."""
    table = np.array(scenes, dtype=np.float64).reshape(-1, len(COUNTS))
    columns: dict[str, np.ndarray] = {name: table[:, index] for index, name in enumerate(COUNTS)}
    sums = {name: float(column.sum()) for name, column in columns.items()}
    rates = {name: ratio(sums[top], sums[bottom]) for name, (top, bottom) in RATES.items()}
    tops, bottoms = (np.stack([columns[pair[side]] for pair in RATES.values()], axis=1) for side in (0, 1))
    ranges = intervals(tops, bottoms)
    whole = {name: round(value, 2) if name == "seconds" else int(value) for name, value in sums.items()}
    return {
        **{name: None if value is None else round(value, 4) for name, value in rates.items()},
        "intervals": {name: _rounded(bounds(ranges[:, index])) for index, name in enumerate(RATES)},
        "counts": whole,
    }


def _rounded(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else [round(value, 4) for value in pair]
