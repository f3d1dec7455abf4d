"""Records of labels: which of them the regions show, and a verdict for each label of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from unveil.predictions import Output, Prediction
from unveil.records.trust import Verdict

if TYPE_CHECKING:
    from unveil.records.region import Region
    from unveil.records.run import Round


SHOWN_SURELY = 0.4  # gain in probability by which a region alone decides; chosen on mosaics of the tuning half


@dataclass(frozen=True)
class ShownLabel:
    """A label that a region shows: the classifier predicts it when only the region's box is kept.

    Attributes:
        class_index: The index of the label.
        name: The label.
        gain: The mean probability over margins and fills, less that with nothing kept, in [−1, 1].
    """

    class_index: int
    name: str
    gain: float


@dataclass(frozen=True)
class LabelCard:
    """How far a label that appeared in a run can be trusted.

    Attributes:
        class_index: The index of the label.
        name: The label.
        verdict: `supported` if a region shows the label with a gain of at least `SHOWN_SURELY`; `artifact` if none
            shows it, and it was predicted only after regions were erased, or its regions show another label; `weak` if
            regions show it with smaller gains, or if it was predicted for the whole image and its regions show nothing.
        reason: Why.
        regions: The places in `Run.regions` of the regions that show the label; for a label that none shows, of the
            regions that were found for it.
        round: The first round in which the label was found or searched for.
        gain: The largest gain in probability that a box of the run has for the label; None if it wasn't computed.
    """

    class_index: int
    name: str
    verdict: Verdict
    reason: str
    regions: tuple[int, ...]
    round: int
    gain: float | None


@dataclass
class _Appearance:
    """Where a label appeared in a run."""

    name: str
    round: int
    shown_by: list[int] = field(default_factory=list)
    found_for: list[int] = field(default_factory=list)
    contradicted_by: list[str] = field(default_factory=list)
    gains: list[float] = field(default_factory=list)


def make_label_cards(rounds: Sequence[Round], first: Prediction) -> tuple[LabelCard, ...]:
    """One card for each label that was searched for or shown in these `rounds`, in the order in which they appeared.

    `first` is the prediction before anything was erased. Empty for rounds whose regions weren't named.
    """
    labels: dict[int, _Appearance] = {}
    places = count()
    for round_ in rounds:
        for target_map in round_.maps:
            if (index := target_map.target_score.class_index) is not None:
                labels.setdefault(index, _Appearance(target_map.target, round_.index))
        for region, place in zip(round_.regions, places, strict=False):
            _add(labels, region, place, round_.index)
    named = any(region.shown is not None for round_ in rounds for region in round_.regions)
    if not named:
        return ()
    predicted, exclusive = first.predicted(), first.output is Output.SOFTMAX
    return tuple(_card(index, label, index in predicted, exclusive) for index, label in labels.items())


def _add(labels: dict[int, _Appearance], region: Region, place: int, round_index: int) -> None:
    shown = region.shown or ()
    for one in shown:
        label = labels.setdefault(one.class_index, _Appearance(one.name, round_index))
        label.shown_by.append(place)
        label.gains.append(one.gain)
    target = labels.get(-1 if region.target_score.class_index is None else region.target_score.class_index)
    if target is not None:
        target.found_for.append(place)
        target.gains += [] if region.box_gain is None else [region.box_gain]
        if shown and region.target_score.class_index not in [one.class_index for one in shown]:
            target.contradicted_by.append(shown[0].name)


def _card(index: int, label: _Appearance, predicted_first: bool, exclusive: bool) -> LabelCard:
    gain = max(label.gains, default=None)
    verdict, reason = _judge(label, gain, predicted_first, exclusive)
    regions = tuple(label.shown_by or label.found_for)
    return LabelCard(index, label.name, verdict, reason, regions, label.round, gain)


def _judge(label: _Appearance, gain: float | None, predicted_first: bool, exclusive: bool) -> tuple[Verdict, str]:
    """The verdict and its reason; of `exclusive` labels (softmax), another one contradicts."""
    if label.shown_by:
        count_shown = len(label.shown_by)
        regions = "one region" if count_shown == 1 else f"{count_shown} regions"
        raised = f"{regions} shown alone raise{'s' * (count_shown == 1)} its probability by {gain:.0%}"
        sure = gain is not None and gain >= SHOWN_SURELY
        return (Verdict.SUPPORTED, raised) if sure else (Verdict.WEAK, f"{raised}, less than {SHOWN_SURELY:.0%}")
    by = f" (by {gain:z.0%} at most)" if gain is not None else ""
    if label.contradicted_by and exclusive:
        other = ", ".join(dict.fromkeys(label.contradicted_by))
        return Verdict.ARTIFACT, f"called {other} where its regions are shown alone{by}"
    if predicted_first:
        return Verdict.WEAK, f"predicted for the whole image, but shown by no region{by}"
    return Verdict.ARTIFACT, f"predicted only after regions were erased, and shown by none{by}"
