"""The labels of a view, their colors, and their probabilities from round to round."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from unveil.predictions import Prediction
from unveil.records import Round, Run, make_label_cards
from unveil.targets import TargetScore, class_score

MAX_LABELS, MOVED = 24, 0.05  # labels in a view; change in probability from which a label is in it


def choose_view_labels(run: Run) -> list[int]:
    """The indices of the labels of a `run` that are worth showing, at most 24.

    First those that were searched for, in their order, then those predicted in any state, those that regions show, and
    those whose probability changed by at least 0.05 between any two states.
    """
    return labels_worth_showing(run.first, run.rounds)


def labels_worth_showing(first: Prediction, rounds: Sequence[Round]) -> list[int]:
    """The same for a run that may go on: its `first` prediction, and the `rounds` done so far."""
    probabilities = np.stack([state.probabilities for state in _states(first, rounds)])
    moved = np.ptp(probabilities, axis=0)
    order = np.argsort(-moved, kind="stable")
    candidates = [
        *(score.class_index for score in _targets(rounds) if score.class_index is not None),
        *first.predicted(),
        *(index for round_ in rounds for index in round_.after.predicted()),
        *(label.class_index for round_ in rounds for region in round_.regions for label in region.shown or ()),
        *(card.class_index for card in make_label_cards(rounds, first)),
        *first.leading(1),
        *(int(index) for index in order[:MAX_LABELS] if moved[index] >= MOVED),
    ]
    return list(dict.fromkeys(candidates))[:MAX_LABELS]


def view_targets(run: Run) -> list[TargetScore]:
    """All targets of a run, in the order in which they were searched for."""
    return _targets(run.rounds)


def label_tables(run: Run, indices: Iterable[int]) -> list[dict]:
    """One table per label: its index, name and color number, and what its card says."""
    cards = {card.class_index: card for card in run.labels}
    targets = [score.class_index for score in view_targets(run)]
    colors = _colors(run)
    tables = []
    for index in indices:
        card = cards.get(index)
        color = colors.setdefault(index, max(colors.values(), default=len(targets) - 1) + 1)
        tables.append(
            {
                "index": index,
                "name": class_score(index, run.classifier.labels).name,
                "color": color,
                "target": index in targets,
                "predicted": index in run.first.predicted(),
                "verdict": None if card is None else str(card.verdict),
                "reason": None if card is None else card.reason,
                "gain": None if card is None or card.gain is None else float(card.gain),
                "regions": [] if card is None else [place + 1 for place in card.regions],
            }
        )
    return tables


def target_tables(run: Run) -> list[dict]:
    """One table per target: its name, the index of its class (None for a sum of several), its color number."""
    return [
        {
            "name": score.name,
            "class_index": score.class_index,
            "weights": [[int(index), float(weight)] for index, weight in score.weights],
            "color": number,
        }
        for number, score in enumerate(view_targets(run))
    ]


def track_tables(run: Run, indices: list[int]) -> list[dict]:
    """One table per track: why it ended, and its states: before the first round, and after each."""
    tables = []
    for track, stop in run.stops.items():
        rounds = run.of_track(track)
        states = [_state(run, run.first, indices, None), *(_state(run, one.after, indices, one) for one in rounds)]
        tables.append({"name": track, "stop": {"kind": str(stop.kind), "text": stop.text}, "states": states})
    return tables


def _state(run: Run, prediction: Prediction, indices: list[int], round_: Round | None) -> dict:
    known = prediction.probabilities
    before = [] if round_ is None else _seen_before(run, round_)
    lost = set() if round_ is None else set(round_.before.predicted()) - set(prediction.predicted())
    now = prediction.predicted()
    return {
        "round": 0 if round_ is None else round_.index,
        "coverage": 0.0 if round_ is None else float(round_.coverage),
        "probabilities": [float(known[index]) for index in indices],
        "predicted": [index for index in now if index in indices],
        "appeared": [index for index in now if round_ is not None and index not in before and index in indices],
        "disappeared": [index for index in indices if index in lost],
    }


def _seen_before(run: Run, round_: Round) -> set[int]:
    """The labels predicted in the states of a track before the end of a round, as `Run.appeared` has it."""
    earlier = [run.first, *(past.after for past in run.of_track(round_.track) if past.index < round_.index)]
    return {index for prediction in earlier for index in prediction.predicted()}


def _colors(run: Run) -> dict[int, int]:
    scores = enumerate(view_targets(run))
    return {score.class_index: number for number, score in scores if score.class_index is not None}


def _targets(rounds: Sequence[Round]) -> list[TargetScore]:
    return list(dict.fromkeys(target_map.target_score for round_ in rounds for target_map in round_.maps))


def _states(first: Prediction, rounds: Sequence[Round]) -> Iterator[Prediction]:
    yield first
    for round_ in rounds:
        yield round_.before
        yield round_.after
