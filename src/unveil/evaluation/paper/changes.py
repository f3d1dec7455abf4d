"""Labels that appear and vanish by round, over many runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from unveil.records.run import Run


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
        """Number of labels that appeared, returned or vanished."""
        return len(self.appeared) + len(self.returned) + len(self.vanished)


@dataclass(frozen=True)
class TrackLabels:
    """The labels (indices) of one track of a run.

    Attributes:
        first: Labels predicted before anything was erased.
        changes: The changes of each round.
        annotated: Labels that the data set gives to the image.
    """

    first: frozenset[int]
    changes: tuple[Change, ...]
    annotated: frozenset[int] = frozenset()

    @property
    def count(self) -> int:
        """Number of labels that appeared, returned or vanished, all rounds together."""
        return sum(change.count for change in self.changes)


def labels_of(run: Run, annotated: frozenset[int] = frozenset(), threshold: float = 0.5) -> tuple[TrackLabels, ...]:
    """The labels of every track. `threshold`: the probability from which a label counts as predicted (sigmoid)."""
    first = frozenset(run.first.predicted(threshold))
    tracks = []
    for track in run.tracks:
        known, changes = set(first), []
        for done in run.of_track(track):
            before, after = (frozenset(prediction.predicted(threshold)) for prediction in (done.before, done.after))
            new = after - before
            changes.append(Change(done.index, new - known, new & known, before - after))
            known |= after
        tracks.append(TrackLabels(first, tuple(changes), annotated))
    return tuple(tracks)


KINDS = ("appeared", "returned", "vanished")
COLUMNS = tuple(name for kind in KINDS for name in (kind, f"{kind}_annotated"))


@dataclass(frozen=True)
class ChangeCounts:
    """How often labels changed, by round.

    `appeared`, `returned` and `vanished` are counts of labels; `appeared_annotated`, `returned_annotated` and
    `vanished_annotated` are counts of those that the data set gives to the image.
    """

    appeared: tuple[int, ...]
    appeared_annotated: tuple[int, ...]
    returned: tuple[int, ...]
    returned_annotated: tuple[int, ...]
    vanished: tuple[int, ...]
    vanished_annotated: tuple[int, ...]

    def as_dict(self) -> dict[str, list[int]]:
        """As it is written to JSON."""
        return {name: list(getattr(self, name)) for name in COLUMNS}


@dataclass(frozen=True)
class LabelChanges:
    """One label of the classifier, over all tracks.

    Attributes:
        index: The class index.
        label: The name for reading, since labels may repeat.
        annotated: The number of images to which the data set gives the label.
        first: The number of tracks in which it is predicted before the first round.
        first_annotated: The number of those to whose image the data set gives the label.
        last: The number of tracks in which it is predicted after the last round:
            first + Σ appeared + Σ returned − Σ vanished.
        counts: The counts by round.
    """

    index: int
    label: str
    annotated: int
    first: int
    first_annotated: int
    last: int
    counts: ChangeCounts

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        names = ("index", "label", "annotated", "first", "first_annotated", "last")
        return {**{name: getattr(self, name) for name in names}, **self.counts.as_dict()}


@dataclass(frozen=True)
class LabelPair:
    """How often one label appeared or returned in a round in which another one vanished.

    Attributes:
        vanished_index: The class index of the label that vanished; None if none did.
        came_index: The class index of the label that appeared or returned; None if none did.
        vanished: The name of the label that vanished, for reading.
        came: The name of the label that appeared or returned, for reading.
        by_round: The counts by round.
    """

    vanished_index: int | None
    came_index: int | None
    vanished: str | None
    came: str | None
    by_round: tuple[int, ...]

    @property
    def count(self) -> int:
        """All rounds together."""
        return sum(self.by_round)

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        names = ("vanished", "came", "vanished_index", "came_index", "count")
        return {**{name: getattr(self, name) for name in names}, "by_round": list(self.by_round)}


@dataclass(frozen=True)
class ChangeTable:
    """Changes of the predicted labels over many tracks.

    Attributes:
        tracks: The number of tracks.
        labels: One row per label.
        pairs: One row per pair of labels.
        by_round: The counts of all labels by round.
    """

    tracks: int
    labels: tuple[LabelChanges, ...]
    pairs: tuple[LabelPair, ...]
    by_round: ChangeCounts

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {
            "tracks": self.tracks,
            "labels": [row.as_dict() for row in self.labels],
            "pairs": [pair.as_dict() for pair in self.pairs],
            "by_round": self.by_round.as_dict(),
        }


ByRound = Int[np.ndarray, "rounds"]
Pair = tuple[int | None, int | None]


class _LabelSums:
    """What is summed for one label over the tracks."""

    def __init__(self, rounds: int) -> None:
        self.images = self.first = self.first_annotated = 0
        self.by_round: dict[str, ByRound] = {name: np.zeros(rounds, int) for name in COLUMNS}

    def add(self, kind: str, round_index: int, annotated: bool) -> None:
        self.by_round[kind][round_index - 1] += 1
        self.by_round[f"{kind}_annotated"][round_index - 1] += annotated

    def as_row(self, index: int, label: str) -> LabelChanges:
        sums = {kind: int(self.by_round[kind].sum()) for kind in KINDS}
        last = self.first + sums["appeared"] + sums["returned"] - sums["vanished"]
        counts = _as_counts(self.by_round)
        return LabelChanges(index, label, self.images, self.first, self.first_annotated, last, counts)


def count_changes(tracks: Sequence[TrackLabels], labels: Sequence[str], rounds: int) -> ChangeTable:
    """Counts over tracks (one per run, unless a recipe has separate ones).

    The table has a row for every label that was predicted at any time or is annotated in an image. A round in which two
    labels vanished and one came counts for two pairs.
    """
    sums: dict[int, _LabelSums] = {}
    pairs: dict[Pair, ByRound] = {}

    def sums_of(index: int) -> _LabelSums:
        return sums.setdefault(index, _LabelSums(rounds))

    for track in tracks:
        for index in track.annotated:
            sums_of(index).images += 1
        for index in track.first:
            sums_of(index).first += 1
            sums_of(index).first_annotated += index in track.annotated
        for change in track.changes:
            for kind in KINDS:
                for index in getattr(change, kind):
                    sums_of(index).add(kind, change.round, index in track.annotated)
            for pair in _pairs(change):
                pairs.setdefault(pair, np.zeros(rounds, int))[change.round - 1] += 1
    every = [row.by_round for row in sums.values()]
    together = {name: sum((row[name] for row in every), np.zeros(rounds, int)) for name in COLUMNS}
    return ChangeTable(
        tracks=len(tracks),
        labels=tuple(row.as_row(index, labels[index]) for index, row in sorted(sums.items())),
        pairs=tuple(
            _as_pair(pair, by_round, labels)
            for pair, by_round in sorted(pairs.items(), key=lambda item: (-item[1].sum(), str(item[0])))
        ),
        by_round=_as_counts(together),
    )


def _pairs(change: Change) -> list[Pair]:
    came: Sequence[int | None] = sorted(change.appeared | change.returned) or [None]
    vanished: Sequence[int | None] = sorted(change.vanished) or [None]
    return [(gone, new) for gone in vanished for new in came if not (gone is None and new is None)]


def _as_pair(pair: Pair, by_round: ByRound, labels: Sequence[str]) -> LabelPair:
    vanished, came = pair
    names = [None if index is None else labels[index] for index in pair]
    return LabelPair(vanished, came, names[0], names[1], tuple(by_round.tolist()))


def _as_counts(by_round: dict[str, ByRound]) -> ChangeCounts:
    return ChangeCounts(**{name: tuple(by_round[name].tolist()) for name in COLUMNS})
