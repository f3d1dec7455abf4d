"""Which labels appear and which vanish, round by round, over many runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unveil.records import Run


@dataclass(frozen=True)
class Change:
    """What one round changed in the set of predicted labels (indices).

    `vanished`: predicted before the round and not after it. `appeared`: predicted after it and in no earlier state.
    `returned`: predicted after it and not before it, but in some earlier state.
    """

    round: int
    appeared: frozenset[int] = frozenset()
    returned: frozenset[int] = frozenset()
    vanished: frozenset[int] = frozenset()

    @property
    def count(self) -> int:
        """Labels that came or went."""
        return len(self.appeared) + len(self.returned) + len(self.vanished)


@dataclass(frozen=True)
class Labels:
    """The labels of one track of a run: predicted at first, changed by its rounds; `annotated` are those that the data
    set gives to the image."""

    first: frozenset[int]
    changes: tuple[Change, ...]
    annotated: frozenset[int] = frozenset()

    @property
    def count(self) -> int:
        """Labels that came or went, all rounds together."""
        return sum(change.count for change in self.changes)


def labels_of(run: Run, annotated: frozenset[int] = frozenset(), threshold: float = 0.5) -> tuple[Labels, ...]:
    """The labels of every track. `threshold`: the probability from which a label counts as predicted (sigmoid)."""
    first = frozenset(run.first.predicted(threshold))
    found = []
    for track in run.tracks:
        seen, changes = set(first), []
        for one in run.of_track(track):
            before, after = (frozenset(said.predicted(threshold)) for said in (one.before, one.after))
            came = after - before
            changes.append(Change(one.index, came - seen, came & seen, before - after))
            seen |= after
        found.append(Labels(first, tuple(changes), annotated))
    return tuple(found)


KINDS = ("appeared", "returned", "vanished")


def count_changes(found: Sequence[Labels], labels: Sequence[str], rounds: int) -> dict:
    """Counts over tracks (one a run, unless a recipe has separate ones).

    `labels`: one row for every label that was predicted at any time or is annotated in an image: in how many tracks it
    was predicted at `first` and at `last`, and lists by round of how often it `appeared`, `returned` and `vanished`;
    first + Σ appeared + Σ returned − Σ vanished = last. `…_annotated` count the cases where the data set gives the
    label to the image. `pairs`: how often `came` (appeared or returned) came in the round in which `vanished` went, by
    round; None stands where nothing went, or nothing came. A round in which two labels went and one came counts for
    two pairs.
    """
    rows: dict[int, dict[str, np.ndarray]] = {}
    pairs: dict[tuple[int | None, int | None], np.ndarray] = {}

    def add(index: int, name: str, place: int, annotated: bool) -> None:
        row = rows.setdefault(index, _empty(rounds))
        row[name][place] += 1
        row[f"{name}_annotated"][place] += annotated

    for one in found:
        for index in one.annotated:
            add(index, "images", 0, True)
        for index in one.first:
            add(index, "first", 0, index in one.annotated)
        for change in one.changes:
            for kind in KINDS:
                for index in getattr(change, kind):
                    add(index, kind, change.round - 1, index in one.annotated)
            for pair in _pairs(change):
                pairs.setdefault(pair, np.zeros(rounds, int))[change.round - 1] += 1
    return {
        "tracks": len(found),
        "labels": [_label_row(labels[index], row) for index, row in sorted(rows.items())],
        "pairs": [
            {
                "vanished": None if gone is None else labels[gone],
                "came": None if came is None else labels[came],
                "count": int(by_round.sum()),
                "by_round": by_round.tolist(),
            }
            for (gone, came), by_round in sorted(pairs.items(), key=lambda item: (-item[1].sum(), str(item[0])))
        ],
        "by_round": _by_round(list(rows.values()), rounds),
    }


def _pairs(change: Change) -> list[tuple[int | None, int | None]]:
    came: Sequence[int | None] = sorted(change.appeared | change.returned) or [None]
    gone: Sequence[int | None] = sorted(change.vanished) or [None]
    return [(a, b) for a in gone for b in came if not (a is None and b is None)]


def _empty(rounds: int) -> dict[str, np.ndarray]:
    lengths = {"images": 1, "first": 1, **dict.fromkeys(KINDS, rounds)}
    return {name: np.zeros(length, int) for kind, length in lengths.items() for name in (kind, f"{kind}_annotated")}


def _label_row(label: str, row: dict[str, np.ndarray]) -> dict:
    first, images = int(row["first"][0]), int(row["images"][0])
    came = row["appeared"].sum() + row["returned"].sum() - row["vanished"].sum()
    return {
        "label": label,
        "annotated": images,
        "first": first,
        "first_annotated": int(row["first_annotated"][0]),
        "last": first + int(came),
        **{name: row[name].tolist() for kind in KINDS for name in (kind, f"{kind}_annotated")},
    }


def _by_round(rows: Sequence[dict[str, np.ndarray]], rounds: int) -> dict[str, list[int]]:
    """All labels together."""
    names = [name for kind in KINDS for name in (kind, f"{kind}_annotated")]
    return {name: sum((row[name] for row in rows), np.zeros(rounds, int)).tolist() for name in names}
