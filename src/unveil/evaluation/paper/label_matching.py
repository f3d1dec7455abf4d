"""Labels of a data set and labels of a classifier that name the same thing."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from unveil.errors import UnveilError
from unveil.targets import find_label


class MatchingError(UnveilError):
    """Labels of a data set and of a classifier that can't be matched."""


@dataclass(frozen=True)
class Matching:
    """For every label of a data set, the indices of the classifier's labels that name the same thing.

    `indices` has only labels with a match; `unmatched` gives the reason for every other label.
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
    """Match by name, by the first of these rules that finds exactly one label of the classifier:

    1. the same text; 2. the same `plain_name`: `_`, `-` and runs of blanks replaced by one blank, without a WordNet id
    in front (`n02085620-`); 3. the same `folded_name`, which also ignores case; 4. by rules 2 and 3, one of the names
    that a label of the classifier lists between commas; 5. a label that is a number is a class index.

    Case is ignored last, because ImageNet has the dog `Cardigan` and the garment `cardigan`. `given` replaces these
    rules for the labels that it names. Its values are names or indices: several if a label of the data set is a wider
    term, none to leave the label out.

    Raises `MatchingError` if `given` names a label that the data set doesn't have, and `TargetError` for a label that
    the classifier doesn't have.
    """
    given = {} if given is None else given
    unknown = [label for label in given if label not in dataset]
    if unknown:
        known = ", ".join(dataset[:5])
        raise MatchingError("labels of the data set", repr(unknown[0]), f"its {len(dataset)} labels are {known} …")
    indices: dict[str, frozenset[int]] = {}
    unmatched: dict[str, str] = {}
    rules = [_rule(key, classifier) for key in (str, plain_name, folded_name)]
    rules += [_rule(key, classifier, split_at_commas=True) for key in (plain_name, folded_name)]
    for label in dataset:
        if label in given:
            matched = frozenset(find_label(name, classifier) for name in given[label])
            why = "left out by the list of matches"
        else:
            matched, why = _match(label, rules, len(classifier))
        if matched:
            indices[label] = matched
        else:
            unmatched[label] = why
    return Matching(indices, unmatched)


def plain_name(name: str) -> str:
    """Without a WordNet id in front, and with one blank for every run of `_`, `-` and blanks.

    >>> plain_name("n02093859-Kerry_blue  terrier")
    'Kerry blue terrier'
    """
    return re.sub(r"[\s_-]+", " ", re.sub(r"^n\d{8}(?=[\s_-]+\S)", "", name)).strip()


def folded_name(name: str) -> str:
    """`plain_name`, with case folded."""
    return plain_name(name).casefold()


_Rule = tuple[Callable[[str], str], Mapping[str, frozenset[int]]]


def _match(label: str, rules: Sequence[_Rule], count: int) -> tuple[frozenset[int], str]:
    why = "no label of the classifier has this name"
    for key, known in rules:
        matched = known.get(key(label), frozenset())
        if len(matched) == 1:
            return matched, ""
        if matched:
            why = f"{len(matched)} labels of the classifier have this name"
    if label.isdecimal() and int(label) < count:
        return frozenset({int(label)}), ""
    return frozenset(), why


def _rule(key: Callable[[str], str], classifier: Sequence[str], *, split_at_commas: bool = False) -> _Rule:
    known: dict[str, set[int]] = {}
    for index, name in enumerate(classifier):
        for part in name.split(",") if split_at_commas else [name]:
            known.setdefault(key(part), set()).add(index)
    return key, {name: frozenset(indices) for name, indices in known.items()}
