"""Boxes hit by round, summed over images: shares, chance, and intervals."""

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Float

from unveil.evaluation.bootstrap import bounds, by_group, intervals, ratio
from unveil.evaluation.paper.box_hits import CRITERIA, BoxHits, Hits

SCOPES = ("any", "own")


def summarize_hits(images: Sequence[Sequence[BoxHits]], groups: Sequence[Hashable], rounds: int, seed: int = 0) -> dict:
    """Boxes of all images, hit after each number of rounds.

    `any`: every box, by regions of whatever label. `own`: boxes of labels that the run asked about, by regions of this
    label alone. In each, `central` (how many hold the middle of what the model sees), and per criterion and round:
    `hit` (how many boxes), `share` = hit / boxes, `chance` and `others` (means over the boxes; `others` over those
    that there were others for), `above_chance` and `above_others` (means of the differences), and intervals `…_95` by
    drawing groups with replacement. Shares are None without boxes. `labels` has the counts after the first and the
    last round for every label with a box.
    """
    found: dict = {
        "boxes": sum(len(image) for image in images),
        "images_with_boxes": sum(bool(image) for image in images),
        "boxes_unseen": sum(box.seen == 0 for image in images for box in image),
        "boxes_partly_seen": sum(0 < box.seen < 1 for image in images for box in image),
    }
    for scope in SCOPES:
        chosen = [[hits for box in image if (hits := _of(box, scope)) is not None] for image in images]
        central = sum(box.central for image in images for box in image if _of(box, scope) is not None)
        found[scope] = {"central": central, **_table(chosen, groups, rounds, seed)}
    found["labels"] = _by_label([box for image in images for box in image])
    return found


def _of(box: BoxHits, scope: str) -> Hits | None:
    return box.by_any if scope == "any" else box.by_own


# Each divided by the boxes of its kind: all, or those that others could be asked about.
RATIOS = {
    "share": "boxes",
    "chance": "boxes",
    "above_chance": "boxes",
    "others": "asked_of_others",
    "above_others": "asked_of_others",
}
WITH_INTERVAL = ("share", "above_chance", "above_others")


def _table(images: Sequence[Sequence[Hits]], groups: Sequence[Hashable], rounds: int, seed: int) -> dict:
    # Images without a box are no part of this sample, so none of them is drawn either.
    there = [(image, group) for image, group in zip(images, groups, strict=True) if image]
    over = np.array([_sums(image, rounds) for image, _ in there]).reshape(-1, len(RATIOS), len(CRITERIA), rounds)
    kinds = {
        "boxes": [len(image) for image, _ in there],
        "asked_of_others": [sum(hits.others is not None for hits in image) for image, _ in there],
    }
    counts = np.array([kinds[kind] for kind in RATIOS.values()], float).T
    under = np.broadcast_to(counts.reshape(-1, len(RATIOS), 1, 1), over.shape)
    those = [group for _, group in there]
    pairs = intervals(by_group(over, those), by_group(under, those), seed)
    hit = sum((one.hit.astype(int) for image, _ in there for one in image), np.zeros((len(CRITERIA), rounds), int))
    table: dict = {name: sum(kind) for name, kind in kinds.items()} | {"images": len(there)}
    for number, name in enumerate(CRITERIA):
        table[name] = [
            {"round": index + 1, "hit": int(hit[number, index])}
            | _ratios(over[..., number, index], under[..., number, index], pairs[..., number, index])
            for index in range(rounds)
        ]
    return table


def _sums(image: Sequence[Hits], rounds: int) -> Float[np.ndarray, "ratios criteria rounds"]:
    sums = np.zeros((len(RATIOS), len(CRITERIA), rounds))
    for one in image:
        hit = one.hit.astype(float)
        sums[:3] += np.stack([hit, one.chance, hit - one.chance])
        if one.others is not None:
            sums[3:] += np.stack([one.others, hit - one.others])
    return sums


def _ratios(
    over: Float[np.ndarray, "images ratios"],
    under: Float[np.ndarray, "images ratios"],
    pairs: Float[np.ndarray, "2 ratios"],
) -> dict:
    found: dict = {}
    for number, name in enumerate(RATIOS):
        found[name] = ratio(over[:, number].sum(), under[:, number].sum())
        if name in WITH_INTERVAL:
            found[f"{name}_95"] = bounds(pairs[:, number])
    return found


def _by_label(boxes: Sequence[BoxHits]) -> list[dict]:
    rows = []
    for label in dict.fromkeys(box.label for box in boxes):
        mine = [box for box in boxes if box.label == label]
        own = [box.by_own for box in mine if box.by_own is not None]
        rows.append(
            {
                "label": label,
                "boxes": len(mine),
                "asked": len(own),
                "any": _first_and_last([box.by_any for box in mine]),
                "own": _first_and_last(own),
            }
        )
    return sorted(rows, key=lambda row: (-row["boxes"], row["label"]))


def _first_and_last(hits: Sequence[Hits]) -> dict | None:
    """Counts after the first and the last round, and what chance and others give: their shares, times the boxes."""
    if not hits:
        return None
    hit, chance = np.sum([one.hit for one in hits], axis=0), np.sum([one.chance for one in hits], axis=0)
    known = [one.others for one in hits if one.others is not None]
    others = np.mean(known, axis=0) * len(hits) if known else None
    return {
        name: {
            when: {
                "hit": int(hit[number, place]),
                "chance": float(chance[number, place]),
                "others": None if others is None else float(others[number, place]),
            }
            for when, place in (("first", 0), ("last", -1))
        }
        for number, name in enumerate(CRITERIA)
    }
