"""The loop on classifiers whose regions, order, drops and stop reason are known in closed form."""

import dataclasses
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tiny_runs import RECIPES, classifier, differences, image
from toys import SIDE, Additive, Strongest, square, toy, white
from unveil.attribution import Gradient, SmoothGrad
from unveil.errors import ClassifierError, RecipeError, RecordError, TargetError
from unveil.fills import Constant
from unveil.predictions import Output, Prediction
from unveil.recipes import Recipe
from unveil.recording import to_uint8
from unveil.regions import RelativeToMax, SmoothedThreshold
from unveil.rounds import Progress, find_regions, finish_run, iter_rounds, start_run
from unveil.saliency import MaxAbs
from unveil.stopping import CoverageAbove, Explained, MaxRounds, NotPredicted, ScoreBelow, StopKind, TargetLost
from unveil.store import load_run
from unveil.targets import Class, Margin, Predicted, TargetScore, Top

# A box of one pixel: a region is exactly where the gradient is above the threshold.
EXACT = SmoothedThreshold(size_px=1, passes=1, threshold=RelativeToMax(0.9), split=True)
BLACK = Constant(0.0)
A = Class("a")


def recipe(**settings) -> Recipe:
    return Recipe(
        **{"attribution": Gradient(), "magnitude": MaxAbs(), "selector": EXACT, "fill": BLACK, "target": A, **settings}
    )


SQUARES = [(2, 3, 6), (20, 8, 8), (30, 30, 10)]
# Additive: the square with the largest weight has the largest gradient, whatever its size.
WEIGHTS = [[0.05, 0.03, 0.02], [0.0, 0.01, 0.0]]


def total(index: int, label: int = 0) -> float:
    """What a square adds to a logit in a white image: weight · 3 channels · area."""
    return WEIGHTS[label][index] * 3 * SQUARES[index][2] ** 2


def test_regions_come_in_the_order_of_their_gradient_with_exact_drops():
    offset = -1.0
    run = find_regions(white(), toy(Additive(SQUARES, WEIGHTS, [offset, 0.0])), recipe(stop=MaxRounds(3)))
    left = sum(total(i) for i in range(3)) + offset
    for index, one in enumerate(run.rounds):
        (region,) = one.regions
        assert np.array_equal(region.mask.to_array(), square(*SQUARES[index]))
        assert np.array_equal(region.model_mask.to_array(), square(*SQUARES[index]))
        assert region.drop == pytest.approx(total(index), rel=1e-5)
        assert region.score_before == pytest.approx(left, rel=1e-5)
        left -= total(index)
        assert region.score_after == pytest.approx(left, rel=1e-4, abs=1e-4)
        assert region.probability_after == pytest.approx(1 / (1 + math.exp(-left)), rel=1e-3)
        assert one.after.logits[0] == pytest.approx(left, rel=1e-4, abs=1e-4)
        assert one.erased_after.area_px == sum(side**2 for _, _, side in SQUARES[: index + 1])
        assert one.coverage == pytest.approx(one.erased_after.area_px / SIDE**2)
        # The gradient is the weight of the square, in the places that are erased too.
        np.testing.assert_allclose(one.maps[0].saliency[region.model_mask.to_array()], WEIGHTS[0][index], rtol=1e-3)
    # The map of the whole image shows all squares at their weights: nothing was hidden.
    assert [region.revealed for region in run.regions] == [0, 0, 0]
    assert run.stop.kind is StopKind.MAX_ROUNDS
    assert run.union.area_px == sum(side**2 for _, _, side in SQUARES)


def test_hidden_evidence_is_found_round_by_round():
    module = Strongest(SQUARES, WEIGHTS, [0.0, 0.0])
    run = find_regions(white(), toy(module), recipe(stop=MaxRounds(5)))
    strength = [total(i) for i in range(3)]
    order = sorted(range(3), key=lambda i: -strength[i])
    assert order != [0, 1, 2], "the order must not be that of the gradients"
    assert [one.regions[0].mask.to_array().tolist() for one in run.rounds[:3]] == [
        square(*SQUARES[i]).tolist() for i in order
    ]
    after = [*(strength[i] for i in order[1:]), 0.0]
    for one, here, then in zip(run.rounds, (strength[i] for i in order), after, strict=False):
        assert one.regions[0].drop == pytest.approx(here - then, rel=1e-5)
    # In the first map there was nothing but the first square. At equal area, some of the zeros are drawn: nearly all hidden.
    first, *others = run.regions[:3]
    assert first.revealed == 0
    assert min(region.revealed for region in others) > 0.8


def test_a_run_ends_when_no_evidence_is_left():
    # A rectified score: once all squares are gone, the gradient is 0.
    class Rectified(Additive):
        def forward(self, x):
            return torch.relu(super().forward(x))

    run = find_regions(white(), toy(Rectified(SQUARES, WEIGHTS, [-0.5, 0.0])), recipe(stop=MaxRounds(9)))
    # All but 0.5 goes with the squares; in the round where the sum falls below 0.5 the gradient vanishes.
    assert run.stop.kind is StopKind.NOTHING_FOUND
    assert run.rounds[-1].regions == ()
    assert "below the floor" in (run.rounds[-1].maps[0].reason or "")
    assert "a: the largest saliency" in run.stop.text


def test_target_lost_in_closed_form():
    """Logit of a: 5.4 + 5.76 + 6 − 8 = 9.16; it turns negative after the second square."""
    offset = -8.0
    run = find_regions(
        white(), toy(Additive(SQUARES, WEIGHTS, [offset, 0.0])), recipe(stop=MaxRounds(5) | TargetLost())
    )
    logits = np.cumsum([sum(total(i) for i in range(3)) + offset, *(-total(i) for i in range(3))])
    expected = next(index for index, logit in enumerate(logits) if logit < 0)
    assert (run.stop.kind, len(run.rounds)) == (StopKind.TARGET_LOST, expected)
    assert run.disappeared(run.rounds[-1]) == ("a",)


def test_the_repr_of_a_run_is_one_line():
    run = find_regions(white(), toy(Additive(SQUARES, WEIGHTS, [0.0, 0.0])), recipe(stop=MaxRounds(2)))
    assert repr(run) == f"<Run of {run.source.name} by Additive: 2 regions in 2 rounds; stopped: 2 rounds done>"


def test_a_run_ends_when_enough_is_explained():
    """Squares take 5.4, 5.76 and 6 of 17.16 beyond the black image, which is the mean here: .31, .65, 1."""
    for share, rounds_ in ((0.3, 1), (0.6, 2), (0.7, 3)):
        requested = recipe(stop=MaxRounds(5) | Explained(share))
        run = find_regions(white(), toy(Additive(SQUARES, WEIGHTS, [-4.0, 0.0])), requested)
        assert (run.stop.kind, len(run.rounds)) == (StopKind.EXPLAINED, rounds_)
    assert run.stop.text == "the erased regions account for 100% of the score"


# All squares are above the threshold at once, in the order of their saliency's sum; a small one takes 0.36.
ALL = SmoothedThreshold(size_px=1, passes=1, threshold=RelativeToMax(0.1), split=True)
UNEQUAL = [(2, 3, 6), (20, 8, 2), (30, 30, 10)]  # take 5.4, 0.36 and 6 from a; nothing, 0.24 and nothing from b


def test_a_region_with_a_small_drop_is_left_for_later_rounds():
    module = Additive(UNEQUAL, [WEIGHTS[0], [0.0, 0.02, 0.0]], [-1.0, 0.0])
    for least, result in ((0.0, [{0, 1, 2}]), (0.059, [{0, 1, 2}]), (0.061, [{0, 2}, {1}]), (0.95, [{2}, {0}, {1}])):
        requested = recipe(selector=ALL, min_drop_share=least, stop=MaxRounds(len(result)))
        run = find_regions(white(), toy(module), requested)
        seen = [
            {index for index in range(3) for region in one.regions if region.mask.to_array()[UNEQUAL[index][:2]]}
            for one in run.rounds
        ]
        assert seen == result
        # Regions left for later aren't erased: the next prediction is the closed form without the kept regions.
        kept = sum((5.4, 0.36, 6.0)[index] for index in result[0])
        assert run.rounds[0].after.logits[0] == pytest.approx(11.76 - 1 - kept, rel=1e-4)
        assert run.rounds[0].erased_after.area_px == sum(UNEQUAL[index][2] ** 2 for index in result[0])


def test_a_target_is_compared_with_itself():
    """The small square is all that b has, and is kept for it, though it is little to a."""
    module = Additive(UNEQUAL, [WEIGHTS[0], [0.0, 0.02, 0.0]], [-1.0, 0.0])
    run = find_regions(white(), toy(module), recipe(selector=ALL, target=Top(2), min_drop_share=0.5, stop=MaxRounds(1)))
    assert sorted((region.target, region.mask.area_px) for region in run.regions) == [
        ("a", 36),
        ("a", 100),
        ("b", 4),
    ]


def test_without_a_drop_the_most_salient_region_is_kept():
    module = Additive(UNEQUAL, [[-weight for weight in WEIGHTS[0]], [0.0] * 3], [-1.0, 0.0])
    run = find_regions(white(), toy(module), recipe(selector=ALL, min_drop_share=0.1, stop=MaxRounds(1)))
    (region,) = run.regions
    assert region.mask.area_px == 100, "the largest sum: .02 · 100 px"
    assert region.drop == pytest.approx(-6.0, rel=1e-4)


@pytest.mark.parametrize("least", [-0.1, 1.0, float("nan")])
def test_no_share_of_a_drop(least):
    with pytest.raises(RecipeError, match="min_drop_share in"):
        recipe(min_drop_share=least)


def test_runs_do_not_explain_classes_that_are_not_predicted():
    """Logit of a: 9.16 (as above) less 7.8 is 1.36; less 20 it is far below, but for an explicit answer."""
    for offset, regions in ((-8.0 - 7.8, True), (-8.0 - 20, False)):
        classifier_ = toy(Additive(SQUARES, WEIGHTS, [offset, 0.0]))
        requested = recipe(target=Class("a"), stop=MaxRounds(5) | NotPredicted())
        run = find_regions(white(), classifier_, requested)
        assert bool(run.regions) is regions
        assert (run.stop.kind is StopKind.NOTHING_PREDICTED, len(run.rounds) == 0) == (not regions, not regions)
    assert "below 0.1" in run.stop.text
    assert run.trust is None or run.trust.cards == ()


def test_score_below_and_coverage_above():
    classifier_ = toy(Additive(SQUARES, WEIGHTS, [-8.0, 0.0]))
    low = find_regions(white(), classifier_, recipe(stop=MaxRounds(5) | ScoreBelow(0.9)))
    probabilities = [float(one.after.probabilities[0]) for one in low.rounds]
    assert low.stop.kind is StopKind.SCORE_BELOW
    assert probabilities[-1] < 0.9 <= min(probabilities[:-1], default=1)
    share = (36 + 64 - 1) / SIDE**2
    much = find_regions(white(), classifier_, recipe(stop=MaxRounds(5) | CoverageAbove(share)))
    assert (much.stop.kind, len(much.rounds)) == (StopKind.COVERAGE_ABOVE, 2)


def test_classes_that_appear_after_erasing_are_recorded():
    """b is hidden while square 0 counts against it; once that is erased, b is predicted and asked about."""
    weights = [[0.05, 0.0, 0.0], [-0.05, 0.0, 0.03]]
    run = find_regions(
        white(), toy(Additive(SQUARES, weights, [-1.0, -6.0])), recipe(target=Predicted(), stop=MaxRounds(3))
    )
    first, second = run.rounds[:2]
    assert [region.target for region in first.regions] == ["a"]
    assert (run.appeared(first), run.disappeared(first)) == (("b",), ("a",))
    assert [region.target for region in second.regions] == ["b"]
    assert np.array_equal(second.regions[0].mask.to_array(), square(*SQUARES[2]))


def test_nothing_predicted():
    run = find_regions(
        white(), toy(Additive(SQUARES, WEIGHTS, [-99.0, -99.0])), recipe(target=Predicted(), stop=MaxRounds(3))
    )
    assert (run.rounds, run.regions) == ((), ())
    assert run.stop.kind is StopKind.NOTHING_PREDICTED


def test_joint_and_separate_tracks():
    weights = [[0.05, 0.0, 0.0], [0.0, 0.04, 0.0]]
    classifier_ = toy(Additive(SQUARES, weights, [0.0, 0.0]))
    joint = find_regions(white(), classifier_, recipe(target=Top(2), stop=MaxRounds(1)))
    assert joint.tracks == (None,)
    assert sorted(region.target for region in joint.rounds[0].regions) == ["a", "b"]
    # Each is erased alone for its own drop, and both for the round's end.
    a, b = sorted(joint.rounds[0].regions, key=lambda region: region.target)
    assert (a.drop, b.drop) == (pytest.approx(0.05 * 108, rel=1e-5), pytest.approx(0.04 * 192, rel=1e-5))
    np.testing.assert_allclose(joint.rounds[0].after.logits, 0, atol=1e-4)
    separate = find_regions(white(), classifier_, recipe(target=Top(2), stop=MaxRounds(1), joint=False))
    assert sorted(str(track) for track in separate.tracks) == ["a", "b"]
    for one in separate.rounds:
        (region,) = one.regions
        assert region.target == one.track
        assert one.erased_after.area_px == region.model_mask.area_px


def test_a_margin_has_a_drop_and_no_probability():
    weights = [[0.05, 0.0, 0.0], [0.0, 0.02, 0.0]]
    run = find_regions(
        white(), toy(Additive(SQUARES, weights, [0.0, 0.0])), recipe(target=Margin("a", "b"), stop=MaxRounds(2))
    )
    first, second = run.regions
    assert first.target == "a − b"
    assert first.drop == pytest.approx(0.05 * 108, rel=1e-5)
    assert second.drop == pytest.approx(-0.02 * 192, rel=1e-5)  # what speaks for b speaks against the margin
    assert (first.probability_before, first.probability_drop) == (None, None)


def test_regions_along_a_rim_are_marked():
    """A classifier that looks at nothing but the edges of a black hole finds a rim, and the record says so."""

    class Edges(Additive):
        def forward(self, x):
            hole = (x.mean(1, keepdim=True) < 0.5).float()
            near = nn.functional.max_pool2d(hole, 5, 1, 2) - hole
            return super().forward(x) + torch.stack([(near * x).sum((1, 2, 3)) * 0.1, torch.zeros(len(x))], 1)

    run = find_regions(white(), toy(Edges(SQUARES, [[0.05, 0, 0], [0, 0, 0]], [0.0, 0.0])), recipe(stop=MaxRounds(2)))
    assert [region.is_rim for region in run.regions] == [False, True]
    assert run.regions[1].rim_share == pytest.approx(1)


def test_regions_have_masks_of_source_size():
    """The image is four times the grid: areas are sixteen times those on the grid, in the same place."""
    big = np.ones((4 * SIDE, 4 * SIDE, 3), np.float32)
    run = find_regions(big, toy(Additive(SQUARES, WEIGHTS, [0.0, 0.0])), recipe(stop=MaxRounds(2)))
    for region, (top, left, side) in zip(run.regions, SQUARES, strict=False):
        expected = np.kron(square(top, left, side), np.ones((4, 4), bool))
        assert np.array_equal(region.mask.to_array(), expected)
        assert region.box is not None
        assert region.box.start == (4 * top, 4 * left)


# ---- the same regions, whatever the batch


@pytest.mark.parametrize("name", ["guided, joint, top 2", "plain, separate tracks"])
def test_regions_do_not_depend_on_the_batch_size_and_are_reproducible(name):
    runs = [find_regions(image(), classifier(), RECIPES[name], seed=7, batch_size=size) for size in (8, 8, 1, 3)]
    stability = [dataclasses.replace(run, seconds=0.0) for run in runs]
    assert runs[0].regions
    assert differences(stability[0], stability[1]) == []
    for other in stability[2:]:
        for one, same in zip(stability[0].rounds, other.rounds, strict=True):
            assert (one.erased, one.erased_after) == (same.erased, same.erased_after)
            for region, again in zip(one.regions, same.regions, strict=True):
                assert (region.target, region.mask, region.model_mask) == (
                    again.target,
                    again.mask,
                    again.model_mask,
                )
                assert (region.stability, region.revealed) == (again.stability, again.revealed)
                assert again.drop == pytest.approx(region.drop, rel=1e-4, abs=1e-5)
        assert other.stops == stability[0].stops


def test_another_seed_gives_other_noise():
    one, other = (find_regions(image(), classifier(), RECIPES["guided, joint, top 2"], seed=seed) for seed in (7, 8))
    assert not np.array_equal(one.rounds[0].maps[0].saliency, other.rounds[0].maps[0].saliency)


def three_rounds():
    return start_run(find_image(), toy(Additive(SQUARES, WEIGHTS, [0.0, 0.0])), recipe(stop=MaxRounds(3)))


def test_iter_rounds_gives_the_rounds_of_the_run():
    context = three_rounds()
    run = find_regions(find_image(), toy(Additive(SQUARES, WEIGHTS, [0.0, 0.0])), recipe(stop=MaxRounds(3)))
    assert differences(tuple(iter_rounds(context)), run.rounds) == []
    assert finish_run(context) == run
    assert list(iter_rounds(context)) == [], "nothing is left to do"


def test_rounds_can_be_left_early_recorded_and_continued(tmp_path):
    """After one round the run holds that round and says that it was left; another call goes on where it was left."""
    context = three_rounds()
    for round_ in iter_rounds(context):
        assert context.tracks[0].rounds[-1] is round_
        break
    early = finish_run(context)
    assert [round_.index for round_ in early.rounds] == [1]
    assert (early.stop.kind, early.stop.text) == (StopKind.LEFT_EARLY, "left early, after 1 round")
    assert np.array_equal(
        early.final_images[None],
        to_uint8(context.masked.render(context.masked.view(early.rounds[0].erased_after.to_array()))),
    )
    early.save(tmp_path / "early")
    assert load_run(tmp_path / "early") == early
    assert [round_.index for round_ in iter_rounds(context)] == [2, 3]
    assert finish_run(context) == find_regions(
        find_image(), toy(Additive(SQUARES, WEIGHTS, [0.0, 0.0])), recipe(stop=MaxRounds(3))
    )


def test_before_the_first_round_there_is_a_run_without_rounds():
    run = finish_run(three_rounds())
    assert (run.rounds, run.regions, run.stop.kind) == ((), (), StopKind.LEFT_EARLY)
    assert run.stop.text == "left early, after 0 rounds"


def test_separate_tracks_are_left_one_by_one():
    chosen = recipe(target=Top(2), stop=MaxRounds(2), joint=False)
    context = start_run(find_image(), toy(Additive(SQUARES, WEIGHTS, [0.0, 0.0])), chosen)
    rounds = iter_rounds(context)
    names = [next(rounds).track for _ in range(3)]
    run = finish_run(context)
    assert names == ["a", "a", "b"]
    assert [reason.kind for reason in run.stops.values()] == [StopKind.MAX_ROUNDS, StopKind.LEFT_EARLY]


def test_classes_with_one_label_are_distinguished_by_index():
    """Two classes of one name have tracks, maps, drops and cards of their own; the name alone isn't a target."""
    module = Additive(SQUARES, [[0.05, 0.0, 0.0], [0.0, 0.04, 0.0]], [0.0, 0.0])
    twins = toy(module, labels=("crane", "crane"))
    named = find_regions(find_image(), toy(module), recipe(target=Top(2), joint=False, stop=MaxRounds(1)))
    run = find_regions(find_image(), twins, recipe(target=Top(2), joint=False, stop=MaxRounds(1)))
    assert set(run.tracks) == {"crane (class 0)", "crane (class 1)"}
    for region, other in zip(run.regions, named.regions, strict=True):
        assert region.target_score.weights == other.target_score.weights
        assert (region.drop, region.revealed, region.mask) == (other.drop, other.revealed, other.mask)
        card, expected = run.card(region), named.card(other)
        assert (card.necessity, card.p_value, card.shapley_value) == (
            expected.necessity,
            expected.p_value,
            expected.shapley_value,
        )
    with pytest.raises(
        TargetError, match="a label that only one class has; got 'crane', which 2 classes have; give the index: 0 or 1"
    ):
        find_regions(find_image(), twins, recipe(target=Class("crane")))
    by_name = find_regions(find_image(), twins, recipe(target=Class("crane (class 1)"), stop=MaxRounds(1)))
    assert by_name.regions[0].target_score.class_index == 1


def test_cards_belong_to_regions():
    run = find_regions(find_image(), toy(Additive(SQUARES, WEIGHTS, [0.0, 0.0])), recipe(stop=MaxRounds(3)))
    assert [run.card(region) for region in reversed(run.regions)] == list(reversed(run.trust.cards))
    with pytest.raises(RecordError, match=r"a region of this run; got <Region of b.*; take it from run\.regions"):
        run.card(replace(run.regions[0], target_score=TargetScore("b", ((1, 1.0),))))


def test_runs_that_differ_in_a_map_a_logit_or_an_image_are_not_equal():
    run = find_regions(find_image(), toy(Additive(SQUARES, WEIGHTS, [0.0, 0.0])), recipe(stop=MaxRounds(2)))
    first = run.rounds[0]
    map_ = first.maps[0]
    brighter = replace(map_, saliency=map_.saliency * 2)
    image_ = first.image.copy()
    image_[0, 0, 0] ^= 1
    for changed in (
        replace(first, maps=(brighter,)),
        replace(first, image=image_),
        replace(first, before=Prediction(first.before.logits + 1e-12, first.before.output)),
    ):
        assert changed != first
        assert replace(run, rounds=(changed, *run.rounds[1:])) != run
    assert replace(run, seconds=run.seconds + 1) == run
    assert replace(run, seed=run.seed + 1) != run


def find_image():
    from unveil.images import read_image  # noqa: PLC0415

    return read_image(white())


def test_progress_counts_every_sample_of_every_round():
    calls: list[Progress] = []
    chosen = recipe(attribution=SmoothGrad(samples=5), stop=MaxRounds(2))
    find_regions(white(), toy(Additive(SQUARES, WEIGHTS, [0.0, 0.0])), chosen, batch_size=2, on_progress=calls.append)
    looking, cards = [one for one in calls if not one.cards], [one for one in calls if one.cards]
    assert [(one.round, one.sample) for one in looking] == [(r, s) for r in (1, 2) for s in (2, 4, 5)]
    assert {(one.rounds, one.samples) for one in looking} == {(2, 5)}
    # Then the cards: two regions, and the Shapley game of their target.
    assert calls[len(looking) :] == cards == [Progress(2, 2, done, 3, cards=True) for done in (1, 2, 3)]


# ---- no evidence, and what can't be asked


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_constant_image_and_a_blind_classifier_give_no_region_and_the_reason(value):
    flat = np.full((40, 50, 3), value)
    for name in ("no region", "guided, joint, top 2"):
        run = find_regions(flat, classifier(blind=True), RECIPES[name])
        assert run.regions == ()
        assert run.stop.kind is StopKind.NOTHING_FOUND
        assert run.stop.text


class Nan(nn.Module):
    def forward(self, x):
        return x.mean((2, 3)) * float("nan")


class NanGradient(nn.Module):
    """A finite logit whose gradient isn't: the square root at 0."""

    def forward(self, x):
        return (x - x.detach()).square().sum((2, 3)).sqrt()


def test_a_model_that_returns_nan():
    with pytest.raises(
        ClassifierError, match="expected finite logits from Nan; got NaN or infinity for a, b, c; check the weights"
    ):
        find_regions(white(), toy(Nan(), ("a", "b", "c")), recipe())


def test_a_model_with_a_gradient_of_nan_gives_no_region():
    run = find_regions(white(), toy(NanGradient(), ("a", "b", "c")), recipe())
    assert run.regions == ()
    assert "NaN or infinite" in run.stop.text


def test_unknown_targets_and_batch_sizes_are_refused_before_any_work():
    calls: list = []
    for settings, error in (({"target": Class("Edma")}, TargetError), ({"batch_size": 0}, RecipeError)):
        with pytest.raises(error):
            find_regions(image(), classifier(), RECIPES["guided, joint, top 2"], on_progress=calls.append, **settings)
    assert calls == []


def test_softmax_probabilities_in_the_record():
    run = find_regions(
        white(), toy(Additive(SQUARES, WEIGHTS, [0.0, 0.0]), output=Output.SOFTMAX), recipe(stop=MaxRounds(1))
    )
    a, b = run.first.logits
    assert run.regions[0].probability_before == pytest.approx(1 / (1 + math.exp(b - a)))
