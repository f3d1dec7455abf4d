"""Labels with a verdict: a run whose labels are real or made by erasing by construction."""

from dataclasses import replace

import pytest

from toys import Additive, Strongest, square, toy, white
from unveil.attribution import Gradient
from unveil.fills import Constant
from unveil.masks import Mask
from unveil.predictions import Output
from unveil.recipes import LabelCheck, Recipe
from unveil.records import Region, Run, ShownLabel, Verdict
from unveil.regions import RelativeToMax, SmoothedThreshold
from unveil.rounds import find_regions
from unveil.saliency import MaxAbs
from unveil.stopping import Explained, MaxRounds, NothingShown, StopKind, TargetLost
from unveil.store import load_run
from unveil.targets import Class, TargetScore
from unveil.trust.verdicts import judge_by_label

SQUARES = [(2, 3, 6), (20, 8, 8), (34, 34, 10)]  # sums of white pixels: 108, 192, 300
# a is square 1, b is square 2; c is predicted once both are erased, and has next to nothing in square 3.
WEIGHTS = [[0.1, 0.0, 0.0], [0.0, 0.04, 0.0], [-0.06, 0.0, 0.002]]
OFFSETS = [0.0, 0.0, 6.0]
A, B, C = range(3)
RECIPE = Recipe(
    attribution=Gradient(),
    magnitude=MaxAbs(),
    selector=SmoothedThreshold(size_px=1, passes=1, threshold=RelativeToMax(0.9), split=True),
    fill=Constant(0.0),
    label_check=LabelCheck(margins_px=(0, 3), fills=(Constant(0.1),)),
    stop=MaxRounds(9) | TargetLost() | Explained(0.5) | NothingShown(2),
)


def run_of(**settings) -> Run:
    classifier = toy(Additive(SQUARES, WEIGHTS, OFFSETS), labels=("a", "b", "c"), output=Output.SOFTMAX)
    return find_regions(white(), classifier, replace(RECIPE, **settings))


def test_a_run_goes_on_with_the_next_label_until_only_artifacts_are_left():
    run = run_of()
    assert [[region.target for region in round_.regions] for round_ in run.rounds] == [["a"], ["b"], ["c"]]
    for region, place in zip(run.regions, SQUARES, strict=True):
        assert (region.model_mask.to_array() == square(*place)).all()
    # c is left out from then on, and no other label has a probability of 5 %.
    assert run.stop.kind is StopKind.NOTHING_SHOWN
    assert "no label is left" in run.stop.text
    assert [(card.name, card.verdict, card.round, card.regions) for card in run.labels] == [
        ("a", Verdict.SUPPORTED, 1, (0,)),
        ("b", Verdict.SUPPORTED, 2, (1,)),
        ("c", Verdict.ARTIFACT, 3, (2,)),
    ]
    assert [card.verdict for card in run.trust.cards] == [Verdict.SUPPORTED, Verdict.SUPPORTED, Verdict.ARTIFACT]
    # Nothing else was computed for verdicts that the labels decide.
    assert all(card.placements == 0 and card.fill_agreement is None for card in run.trust.cards)


def test_without_a_label_check_the_run_ends_when_its_target_is_lost():
    run = run_of(label_check=None)
    assert [region.target for region in run.regions] == ["a"]
    assert run.stop.kind is StopKind.TARGET_LOST
    assert run.labels == ()
    assert run.regions[0].shown is None


def test_a_fixed_target_ends_its_run_and_still_has_a_label_card():
    run = run_of(target=Class("b"))
    assert [region.target for region in run.regions] == ["b"]
    assert run.stop.kind in (StopKind.EXPLAINED, StopKind.TARGET_LOST)
    assert [(card.name, card.verdict) for card in run.labels] == [("b", Verdict.SUPPORTED)]


@pytest.mark.parametrize(("rounds", "done"), [(1, 3), (2, 3)])
def test_rounds_without_a_label_end_a_run(rounds, done):
    run = run_of(stop=MaxRounds(9) | NothingShown(rounds, probability=0.0), min_drop_share=0.0, trust=None)
    shown = [bool(region.shown) for region in run.regions]
    assert shown[:done] == [True, True, False]
    assert run.stop.kind is StopKind.NOTHING_SHOWN
    assert len(run.rounds) == 2 + rounds


def test_all_tests_are_made_where_settings_are_not_adaptive():
    run = run_of(trust=replace(RECIPE.trust, adaptive=False))
    assert all(card.placements > 0 and card.fill_agreement is not None for card in run.trust.cards)
    assert [card.verdict for card in run.trust.cards] == [card.verdict for card in run_of().trust.cards]


def test_labels_are_saved_and_loaded(tmp_path):
    run = run_of()
    loaded = load_run(run.save(tmp_path / "run"))
    assert loaded == run
    assert loaded.labels == run.labels
    assert loaded.regions[0].shown == (ShownLabel(A, "a", run.regions[0].box_gain),)


def test_a_label_of_the_whole_image_that_no_region_shows_is_weak():
    """Either square alone is enough for the label, and neither box is: the gain stays below the threshold."""
    module = Strongest(SQUARES[:2], [[0.02, 0.0112], [0.0, 0.0]], [-1.5, 0.0])
    classifier = toy(module, labels=("a", "b"), output=Output.SOFTMAX)
    check = LabelCheck(0, (), 0.95)
    run = find_regions(white(), classifier, replace(RECIPE, label_check=check, trust=None, stop=MaxRounds(1)))
    (card,) = run.labels
    assert (card.name, card.verdict) == ("a", Verdict.WEAK)
    assert "predicted for the whole image" in card.reason


def region(target: int, *shown: tuple[int, float], drop: float = 1.0) -> Region:
    mask = Mask.from_array(square(0, 0, 4))
    labels = tuple(ShownLabel(index, "abc"[index], gain) for index, gain in shown)
    score = TargetScore("abc"[target], ((target, 1.0),))
    return Region(score, mask, mask, None, drop, 0.0, 0.9, 0.5, None, 0.0, 0.0, shown=labels, box_gain=0.0)


@pytest.mark.parametrize(
    ("one", "follows", "verdict"),
    [
        (region(A, (A, 0.4)), True, Verdict.SUPPORTED),
        (region(A, (A, 0.4)), False, Verdict.SUPPORTED),
        (region(A, (A, 0.39)), True, None),  # shown, but not surely: other tests decide
        (region(A, (A, 0.9), drop=0.0), True, None),  # erasing it doesn't lower the score
        (region(A, (B, 0.9)), True, Verdict.SUPPORTED),  # it belongs to the other label
        (region(A, (B, 0.9)), False, None),  # a fixed target isn't shown by it
        (region(C), True, Verdict.ARTIFACT),
        (region(C), False, None),
        (region(A), True, None),  # of a label that other regions show
    ],
)
def test_labels_decide_about_regions(one, follows, verdict):
    cards = {card.class_index: card for card in run_of(trust=None).labels}
    decided = judge_by_label(one, cards, follows=follows)
    assert (decided and decided[0]) is verdict
    assert decided is None or decided[1]
