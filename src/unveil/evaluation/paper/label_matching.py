"""Labels of a data set and labels of a classifier: which of them name the same thing."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from unveil.errors import UnveilError
from unveil.targets import find_label


class MatchingError(UnveilError):
    """Labels of a data set and of a classifier that can't be brought together."""


@dataclass(frozen=True)
class Matching:
    """For every label of a data set, the indices of the classifier's labels that name the same thing.

    `indices` has the matched ones only; `unmatched` says why each of the others has none.
    """

    indices: Mapping[str, frozenset[int]]
    unmatched: Mapping[str, str]

    def of(self, labels: Sequence[str]) -> frozenset[int]:
        """Indices of the classifier's labels for some labels of the data set; unmatched ones add none."""
        return frozenset().union(*(self.indices.get(label, frozenset()) for label in labels))


def match_labels(
    dataset: Sequence[str],
    classifier: Sequence[str],
    given: Mapping[str, Sequence[str | int]] | None = None,
) -> Matching:
    """Match by name, by the first of these ways that finds exactly one label of the classifier:

    1. the same text; 2. the same after `_`, `-` and runs of blanks became one blank and a WordNet id in front
    (`n02085620-`) was taken off; 3. the same when capitals don't count either; 4. in these two ways one of the names
    that a label of the classifier lists between commas; 5. a label that is a number is an index.

    Capitals count as long as they can, because ImageNet has the dog `Cardigan` and the garment `cardigan`. `given`
    replaces this for the labels that it names: names or indices, several where a label of the data set is a wider
    term, none to leave it out.

    Raises `MatchingError` where `given` names a label that the data set doesn't have, and `TargetError` for one that
    the classifier doesn't have.
    """
    given = given or {}
    unknown = [label for label in given if label not in dataset]
    if unknown:
        known = ", ".join(dataset[:5])
        raise MatchingError("labels of the data set", repr(unknown[0]), f"its {len(dataset)} labels are {known} …")
    indices: dict[str, frozenset[int]] = {}
    unmatched: dict[str, str] = {}
    ways = [_way(key, classifier) for key in (str, plain, folded)]
    ways += [_way(key, classifier, parted=True) for key in (plain, folded)]
    for label in dataset:
        if label in given:
            found = frozenset(find_label(one, classifier) for one in given[label])
            why = "left out by the list of matches"
        else:
            found, why = _found(label, ways, len(classifier))
        if found:
            indices[label] = found
        else:
            unmatched[label] = why
    return Matching(indices, unmatched)


def plain(name: str) -> str:
    """Without a WordNet id in front, and with one blank for every run of `_`, `-` and blanks.

    >>> plain("n02093859-Kerry_blue  terrier")
    'Kerry blue terrier'
    """
    return re.sub(r"[\s_-]+", " ", re.sub(r"^n\d{8}(?=[\s_-]+\S)", "", name)).strip()


def folded(name: str) -> str:
    """`plain`, and without capitals."""
    return plain(name).casefold()


_Way = tuple[Callable[[str], str], Mapping[str, frozenset[int]]]


def _found(label: str, ways: Sequence[_Way], count: int) -> tuple[frozenset[int], str]:
    why = "no label of the classifier has this name"
    for key, known in ways:
        found = known.get(key(label), frozenset())
        if len(found) == 1:
            return found, ""
        if found:
            why = f"{len(found)} labels of the classifier have this name"
    if label.isdecimal() and int(label) < count:
        return frozenset({int(label)}), ""
    return frozenset(), why


def _way(key: Callable[[str], str], classifier: Sequence[str], *, parted: bool = False) -> _Way:
    known: dict[str, set[int]] = {}
    for index, name in enumerate(classifier):
        for part in name.split(",") if parted else [name]:
            known.setdefault(key(part), set()).add(index)
    return key, {name: frozenset(found) for name, found in known.items()}
