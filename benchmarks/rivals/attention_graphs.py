"""Structured attention graphs (Shitole, Li, Kahng, Tadepalli & Fern, NeurIPS 2021), written from the paper: the roots
of the graph, which are minimal sufficient sets of patches that hardly overlap."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from asking import Answer, MaskedImage, Rival, Score, answer
from integrated_descent import IntegratedDescent
from jaxtyping import Bool, Float
from patches import Patches
from torch import Tensor

from unveil.classifiers import Classifier

Set = frozenset[int]


class Sets:
    """Scores of sets of features, in batches; and what suffices."""

    def __init__(self, score: Score, features: int, threshold: float) -> None:
        self._score, self._features, self.threshold = score, features, threshold

    def scores(self, sets: Sequence[Set]) -> Float[np.ndarray, "n"]:
        """Score of every set."""
        rows = np.zeros((len(sets), self._features), bool)
        for row, one in zip(rows, sets, strict=True):
            row[list(one)] = True
        return self._score(rows)

    def pruned(self, one: Set, ranked: Sequence[int]) -> tuple[Set, float]:
        """A sufficient set without what it doesn't need, the lowest rank first, until no feature can go; its score."""
        value = float(self.scores([one])[0])
        while True:
            smaller = [one - {number} for number in reversed(ranked) if number in one]
            values = self.scores(smaller)
            enough = np.flatnonzero(values >= self.threshold)
            if not len(enough):
                return one, value
            one, value = smaller[enough[0]], float(values[enough[0]])


def beam_search(sets: Sets, ranked: Sequence[int], width: int) -> dict[Set, float]:
    """Minimal sufficient sets of the ranked features and their scores, in the order in which they are found.

    Grows the `width` best sets by one feature a time, in all ways. A set that suffices leaves the beam, pruned; what
    holds a set already found is left out, as it could only be pruned to the same again. Ends when nothing is left.
    """
    found: dict[Set, float] = {}
    beam: list[Set] = [frozenset()]
    while beam:
        grown = dict.fromkeys(one | {number} for one in beam for number in ranked if number not in one)
        grown = [one for one in grown if not any(known <= one for known in found)]
        values = sets.scores(grown) if grown else np.zeros(0)
        order = np.argsort(-values, kind="stable")
        for index in order[: np.count_nonzero(values >= sets.threshold)]:
            one, value = sets.pruned(grown[index], ranked)
            found.setdefault(one, value)
        beam = [grown[index] for index in order if values[index] < sets.threshold][:width]
    return found


def largest_apart(sets: Sequence[Set], overlap: int) -> list[Set]:
    """A largest choice of sets of which no two share more than `overlap` features; of equals the one with the earliest
    sets. Exact, by going through the choices."""
    best: list[Set] = []

    def extend(chosen: list[Set], left: Sequence[Set]) -> None:
        nonlocal best
        if len(chosen) > len(best):
            best = chosen
        for index, one in enumerate(left):
            if len(chosen) + len(left) - index <= len(best):
                return
            extend([*chosen, one], [other for other in left[index + 1 :] if len(one & other) <= overlap])

    extend([], sets)
    return best


@dataclass(frozen=True)
class AttentionGraph(Rival):
    """At most `roots` minimal sufficient sets of patches, `cells` a side, out of the `candidates` that rank highest.

    Sufficient: at least `share` of the whole image's probability. Of all sets that the beam search (`width`) finds, a
    largest choice is taken in which no two share more than `overlap` patches. Settings as published.
    """

    name: ClassVar[str] = "sag"
    cells: int = 7
    width: int = 3
    candidates: int = 15
    share: float = 0.9
    overlap: int = 1
    roots: int | None = 3
    ranking: IntegratedDescent = field(default_factory=IntegratedDescent)

    def find(self, pixels: Float[Tensor, "c h w"], classifier: Classifier, label_index: int) -> Answer:
        """The roots, the most probable first."""
        return answer(self._search, pixels, classifier, label_index)

    def _search(self, masked: MaskedImage) -> list[Bool[np.ndarray, "h w"]]:
        patches = Patches(self.cells, masked.shape)
        ranked = self.ranking.rank(masked, self.cells)[: self.candidates]
        found = beam_search(Sets(patches.score(masked), patches.count, self.share * masked.whole), ranked, self.width)
        by_score = sorted(found, key=lambda one: -found[one])
        roots = largest_apart(by_score, self.overlap)[: self.roots]
        return [np.isin(patches.numbers, list(one)) for one in roots]
