"""Boxes hit by round, summed over images: shares, chance, the baseline of other images, and intervals."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from unveil.bootstrap import Estimate, bounds, by_group, intervals, ratio
from unveil.evaluation.paper.box_hits import CRITERIA, BoxHits, Hits

SCOPES = ("any", "own")
# Each is divided by a number of boxes: of all boxes, or of those that other images could be compared on.
RATIOS = {
    "share": "boxes",
    "chance": "boxes",
    "above_chance": "boxes",
    "others": "compared_with_others",
    "above_others": "compared_with_others",
}


@dataclass(frozen=True)
class RoundHits:
    """Boxes hit after a number of rounds, by one criterion.

    Attributes:
        round: The number of rounds.
        hit: The number of boxes hit.
        share: The share of boxes hit, hit / boxes.
        chance: The mean share of shifted regions that hit.
        above_chance: The mean difference to chance.
        others: The mean share of other images whose regions hit, over the boxes that could be compared.
        above_others: The mean difference to other images.
    """

    round: int
    hit: int
    share: Estimate
    chance: float | None
    above_chance: Estimate
    others: float | None
    above_others: Estimate

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {
            "round": self.round,
            "hit": self.hit,
            **self.share.as_dict("share"),
            "chance": self.chance,
            **self.above_chance.as_dict("above_chance"),
            "others": self.others,
            **self.above_others.as_dict("above_others"),
        }


@dataclass(frozen=True)
class ScopeHits:
    """Hits of one scope: `any` (every box, by regions of any class) or `own` (boxes of labels that the run explained,
    by regions of the matching classes).

    Attributes:
        central: The number of boxes that contain the center of the model's field of view.
        boxes: The number of boxes.
        compared_with_others: The number of boxes that could be compared with other images.
        images: The number of images.
        criteria: One row per round for each of the `CRITERIA`.
    """

    central: int
    boxes: int
    compared_with_others: int
    images: int
    criteria: Mapping[str, tuple[RoundHits, ...]]

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {
            "central": self.central,
            "boxes": self.boxes,
            "asked_of_others": self.compared_with_others,
            "images": self.images,
            **{name: [row.as_dict() for row in rows] for name, rows in self.criteria.items()},
        }


@dataclass(frozen=True)
class ExpectedHits:
    """The number of boxes `hit`, and the numbers expected by `chance` and by the regions of `others`.

    `others` is None if no box could be compared with other images.
    """

    hit: int
    chance: float
    others: float | None

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {"hit": self.hit, "chance": self.chance, "others": self.others}


@dataclass(frozen=True)
class FirstAndLast:
    """Hits after the `first` round and after the `last`."""

    first: ExpectedHits
    last: ExpectedHits

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {"first": self.first.as_dict(), "last": self.last.as_dict()}


@dataclass(frozen=True)
class LabelHits:
    """The boxes of one label of the data set.

    Attributes:
        label: The label.
        boxes: The number of its boxes.
        explained: The number of those for which the run explained a matching class.
        any: Hits by criterion, by regions of any class; None without boxes.
        own: Hits by criterion, by regions of the matching classes; None without boxes.
    """

    label: str
    boxes: int
    explained: int
    any: Mapping[str, FirstAndLast] | None
    own: Mapping[str, FirstAndLast] | None

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        scopes = {
            name: None if hits is None else {criterion: row.as_dict() for criterion, row in hits.items()}
            for name, hits in (("any", self.any), ("own", self.own))
        }
        return {"label": self.label, "boxes": self.boxes, "asked": self.explained, **scopes}


@dataclass(frozen=True)
class HitTable:
    """Boxes hit by round over all images, for both scopes, and by label after the first and the last round.

    Attributes:
        boxes: The number of boxes.
        images_with_boxes: The number of images with a box.
        boxes_outside_view: The number of boxes outside the model's field of view.
        boxes_partly_in_view: The number of boxes partly outside the model's field of view.
        any: Hits by regions of any class.
        own: Hits by regions of the matching classes.
        labels: Hits by label.
    """

    boxes: int
    images_with_boxes: int
    boxes_outside_view: int
    boxes_partly_in_view: int
    any: ScopeHits
    own: ScopeHits
    labels: tuple[LabelHits, ...]

    def scope(self, name: str) -> ScopeHits:
        """One of the `SCOPES`."""
        return {"any": self.any, "own": self.own}[name]

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {
            "boxes": self.boxes,
            "images_with_boxes": self.images_with_boxes,
            "boxes_unseen": self.boxes_outside_view,
            "boxes_partly_seen": self.boxes_partly_in_view,
            **{name: self.scope(name).as_dict() for name in SCOPES},
            "labels": [row.as_dict() for row in self.labels],
        }


def summarize_hits(
    images: Sequence[Sequence[BoxHits]], groups: Sequence[Hashable], rounds: int, seed: int = 0
) -> HitTable:
    """Boxes of all images hit after each number of rounds, with intervals by drawing groups with replacement.

    Shares are None without boxes.
    """
    boxes = [box for image in images for box in image]
    any_label, own_label = (_scope(images, scope, groups, rounds, seed) for scope in SCOPES)
    return HitTable(
        boxes=len(boxes),
        images_with_boxes=sum(bool(image) for image in images),
        boxes_outside_view=sum(box.visible_share == 0 for box in boxes),
        boxes_partly_in_view=sum(0 < box.visible_share < 1 for box in boxes),
        any=any_label,
        own=own_label,
        labels=_by_label(boxes),
    )


def _hits_of(box: BoxHits, scope: str) -> Hits | None:
    return box.by_any if scope == "any" else box.by_own


def _scope(
    images: Sequence[Sequence[BoxHits]], scope: str, groups: Sequence[Hashable], rounds: int, seed: int
) -> ScopeHits:
    hits_by_image = [[hits for box in image if (hits := _hits_of(box, scope)) is not None] for image in images]
    # Images without a box are no part of this sample, so none of them is drawn either.
    sample = [(hits, group) for hits, group in zip(hits_by_image, groups, strict=True) if hits]
    over = np.array([_sums(hits, rounds) for hits, _ in sample]).reshape(-1, len(RATIOS), len(CRITERIA), rounds)
    kinds = {
        "boxes": [len(hits) for hits, _ in sample],
        "compared_with_others": [sum(box.others is not None for box in hits) for hits, _ in sample],
    }
    counts = np.array([kinds[kind] for kind in RATIOS.values()], float).T
    under = np.broadcast_to(counts.reshape(-1, len(RATIOS), 1, 1), over.shape)
    sample_groups = [group for _, group in sample]
    pairs = intervals(by_group(over, sample_groups), by_group(under, sample_groups), seed)
    hit = sum((box.hit.astype(int) for hits, _ in sample for box in hits), np.zeros((len(CRITERIA), rounds), int))
    return ScopeHits(
        central=sum(box.central for image in images for box in image if _hits_of(box, scope) is not None),
        boxes=sum(kinds["boxes"]),
        compared_with_others=sum(kinds["compared_with_others"]),
        images=len(sample),
        criteria={
            name: tuple(
                _round_hits(
                    index + 1, int(hit[number, index]), *(array[..., number, index] for array in (over, under, pairs))
                )
                for index in range(rounds)
            )
            for number, name in enumerate(CRITERIA)
        },
    )


def _sums(hits: Sequence[Hits], rounds: int) -> Float[np.ndarray, "ratios criteria rounds"]:
    """Numerators of the `RATIOS` over the boxes of one image."""
    sums = np.zeros((len(RATIOS), len(CRITERIA), rounds))
    for box in hits:
        hit = box.hit.astype(float)
        sums[:3] += np.stack([hit, box.chance, hit - box.chance])
        if box.others is not None:
            sums[3:] += np.stack([box.others, hit - box.others])
    return sums


def _round_hits(
    round_index: int,
    hit: int,
    over: Float[np.ndarray, "images ratios"],
    under: Float[np.ndarray, "images ratios"],
    pairs: Float[np.ndarray, "2 ratios"],
) -> RoundHits:
    values = [ratio(over[:, number].sum(), under[:, number].sum()) for number in range(len(RATIOS))]
    share, chance, above_chance, others, above_others = (
        Estimate(value, bounds(pairs[:, number])) for number, value in enumerate(values)
    )
    return RoundHits(round_index, hit, share, chance.value, above_chance, others.value, above_others)


def _by_label(boxes: Sequence[BoxHits]) -> tuple[LabelHits, ...]:
    rows = []
    for label in dict.fromkeys(box.label for box in boxes):
        with_label = [box for box in boxes if box.label == label]
        own = [box.by_own for box in with_label if box.by_own is not None]
        by_any = _first_and_last([box.by_any for box in with_label])
        rows.append(LabelHits(label, len(with_label), len(own), by_any, _first_and_last(own)))
    return tuple(sorted(rows, key=lambda row: (-row.boxes, row.label)))


def _first_and_last(hits: Sequence[Hits]) -> dict[str, FirstAndLast] | None:
    """Counts by criterion; those of chance and of other images are their mean shares times the number of boxes."""
    if not hits:
        return None
    hit, chance = np.sum([box.hit for box in hits], axis=0), np.sum([box.chance for box in hits], axis=0)
    known = [box.others for box in hits if box.others is not None]
    others = np.mean(known, axis=0) * len(hits) if known else None

    def expected(number: int, place: int) -> ExpectedHits:
        by_others = None if others is None else float(others[number, place])
        return ExpectedHits(int(hit[number, place]), float(chance[number, place]), by_others)

    return {name: FirstAndLast(expected(number, 0), expected(number, -1)) for number, name in enumerate(CRITERIA)}
