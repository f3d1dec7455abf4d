"""What a drawing does to the prediction, against erasing by hand; its p-value, against the trust card's."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from toys import SIDE, Additive, Strongest, square, toy, white
from unveil import Class, Margin, Top, finish_run, iter_rounds, start_run
from unveil.attribution import Gradient
from unveil.context import RunContext
from unveil.errors import RecipeError, RecordError, TargetError
from unveil.fills import Blur, Constant, Fill, FillContext, SoftEdge, erase
from unveil.masked import MaskedClassifier
from unveil.predictions import Output
from unveil.recipes import Recipe, TrustSettings
from unveil.regions import RelativeToMax, SmoothedThreshold
from unveil.stopping import MaxRounds
from unveil.trust.base import RegionContext
from unveil.trust.placement import PlacementTest
from unveil.what_if import Drawing, Stroke, StrokeKind, ask_what_if, predict_what_if, regions_by_id, test_what_if

# Two squares of 8 x 8 pixels; each pixel has three channels of 1.
SQUARES, WEIGHTS, OFFSETS = [(4, 4, 8), (30, 28, 8)], [[0.02, 0.01], [0.0, 0.015]], [-3.0, -1.0]
RECIPE = Recipe(
    attribution=Gradient(),
    target=Class("a"),
    fill=Constant(0.0),
    selector=SmoothedThreshold(
        size_px=1, passes=1, threshold=RelativeToMax(0.7), split=True, min_area_share=0.001, max_regions=1
    ),
    stop=MaxRounds(2),
    trust=TrustSettings(placements=39, adaptive=False),
    label_check=None,
)


def started(recipe: Recipe = RECIPE, rounds: int = 2, kind: type[Additive] = Additive) -> RunContext:
    classifier = toy(kind(SQUARES, WEIGHTS, OFFSETS))
    context = start_run(white(), classifier, recipe, seed=3)
    for _, _round in zip(range(rounds), iter_rounds(context), strict=False):
        pass
    return context


def lasso(top: int, left: int, side: int) -> Drawing:
    corners = ((top, left), (top, left + side), (top + side, left + side), (top + side, left))
    return Drawing((Stroke(StrokeKind.LASSO, corners),))


def named(region: str) -> Drawing:
    return Drawing((Stroke(StrokeKind.REGION, region=region),))


def test_the_answer_follows_from_the_weights():
    """Erasing n pixels of a square with black takes 3 n times its weight from the logits."""
    what_if = predict_what_if(started(), lasso(4, 4, 4))
    assert (what_if.area_px, what_if.area_share, what_if.target) == (16, 16 / SIDE**2, "a")
    assert what_if.drop == pytest.approx(3 * 16 * 0.02, abs=1e-5)
    full = {"a": -3 + 192 * 0.03, "b": -1 + 192 * 0.015}
    after = {"a": full["a"] - 0.96, "b": full["b"]}
    for change in what_if.labels:
        scores = full[change.name], after[change.name]
        assert (change.score_before, change.score_after) == pytest.approx(scores, abs=1e-5)
        assert (change.before, change.after) == pytest.approx([1 / (1 + np.exp(-score)) for score in scores], abs=1e-6)
    assert [change.name for change in what_if.labels] == ["a", "b"]
    assert not what_if.is_tested


@pytest.mark.parametrize("fill", [Constant(0.3), SoftEdge(Constant(0.1), 4), SoftEdge(Blur(3.0), 5)])
def test_the_answer_is_that_of_erasing_the_mask_by_hand(fill: Fill):
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    classifier = toy(Additive(SQUARES, WEIGHTS, OFFSETS))
    context = start_run(noise, classifier, replace(RECIPE, fill=fill))
    what_if = predict_what_if(context, lasso(2, 2, 9))
    pixels = torch.from_numpy(noise.astype(np.float32) / 255).permute(2, 0, 1)
    fill_context = FillContext(torch.zeros(3), context.stream)
    by_hand = erase(pixels, torch.from_numpy(square(2, 2, 9)), fill, fill_context)
    before, after = (float(prediction.logits[0]) for prediction in classifier.predict(torch.stack([pixels, by_hand])))
    assert (what_if.score_before, what_if.score_after) == pytest.approx((before, after), abs=1e-6)
    assert abs(after - before) > 0.01


def test_a_region_of_the_first_round_has_its_own_drop_and_the_p_value_of_its_card():
    context = started()
    run = finish_run(context)
    region = run.rounds[0].regions[0]
    what_if = ask_what_if(context, named("r1.1"))
    assert what_if.drop == region.drop
    card = run.card(region)
    assert (what_if.p_value, what_if.placements) == (card.p_value, card.placements)
    assert what_if.drop == pytest.approx(3 * 64 * 0.02, abs=1e-4)


def test_a_region_drawn_by_hand_is_that_region():
    context = started()
    by_hand, by_name = ask_what_if(context, lasso(4, 4, 8)), ask_what_if(context, named("r1.1"))
    np.testing.assert_array_equal(regions_by_id(context)["r1.1"].model_mask.to_array(), square(4, 4, 8))
    assert replace(by_hand, drawing=by_name.drawing) == by_name


def test_a_later_region_has_its_necessity_on_the_original_and_its_drop_in_its_round():
    """Where only the strongest square counts, the second one is hidden: alone it isn't needed."""
    context = started(kind=Strongest)
    run = finish_run(context)
    (region,) = run.rounds[1].regions
    assert predict_what_if(context, named("r2.1")).drop == run.card(region).necessity == 0
    assert predict_what_if(context, named("r2.1"), on="erased", rounds=1).drop == region.drop > 1


@pytest.mark.parametrize("on", ["original", "erased"])
@pytest.mark.parametrize("drawing", [lasso(4, 8, 8), lasso(20, 2, 12), lasso(2, 2, 20)])
def test_the_p_value_is_that_of_the_placement_test_on_the_same_shape(on, drawing):
    context = started(rounds=1)
    what_if = ask_what_if(context, drawing, on=on, placements=29)
    top, left, side = *drawing.strokes[0].points[0], drawing.strokes[0].points[1][1] - drawing.strokes[0].points[0][1]
    shape = square(int(top), int(left), int(side))
    erased = context.rounds[0].erased_after.to_array() if on == "erased" else np.zeros_like(shape)
    inside = shape & ~erased
    masked = MaskedClassifier(context.classifier, torch.ones(3, SIDE, SIDE), Constant(0.0), context.stream)
    score = RECIPE.target.resolve(context.first, context.first, ("a", "b"))[0]
    region = RegionContext(masked, score, inside, erased, erased | inside, np.zeros_like(shape))
    expected = PlacementTest(region, 29).result()
    assert (what_if.p_value, what_if.placements, what_if.exceeding) == (
        expected.p_value,
        expected.placements,
        expected.exceeding,
    )
    assert what_if.area_px == np.count_nonzero(inside)


def test_evidence_is_unusual_and_its_absence_is_not():
    """39 places of the first square's size never hold more of its weight; a place without weight is like any other."""
    context = started()
    evidence, nothing = (ask_what_if(context, drawing) for drawing in (lasso(4, 4, 8), lasso(14, 30, 8)))
    assert (evidence.p_value, evidence.exceeding) == (1 / 40, 0)
    assert "more than at all 39 other places tried (p = 0.025)" in evidence.sentence
    assert (nothing.p_value, nothing.placements) == (1.0, 5)
    assert nothing.sentence == (
        "Hiding it doesn't change the score of a; 5 of 5 other places lower it as much (p = 1.000)."
    )


def test_a_shape_that_fits_nowhere_else_has_no_p_value():
    what_if = ask_what_if(started(), lasso(0, 0, 47))
    assert (what_if.p_value, what_if.placements, what_if.is_tested) == (None, 0, True)
    assert what_if.notes == ("its shape fits nowhere else in the image, so there is nothing to compare its drop with",)


def test_the_test_is_made_of_the_state_that_was_asked_about_even_after_more_rounds():
    context = started(rounds=1)
    what_if = predict_what_if(context, lasso(28, 26, 8), on="erased")
    now = test_what_if(context, what_if)
    (_,) = iter_rounds(context)
    assert test_what_if(context, what_if) == now
    assert (what_if.rounds, predict_what_if(context, lasso(28, 26, 8), on="erased", target="b").rounds) == (1, 2)


def test_targets_can_be_chosen():
    context = started(replace(RECIPE, target=Top(2), joint=False))
    drawing = lasso(30, 28, 8)
    assert [predict_what_if(context, drawing, target=target).target for target in (None, "b", Class(0))] == [
        "a",
        "b",
        "a",
    ]
    margin = predict_what_if(context, drawing, target=Margin("b", "a"))
    assert (margin.target, margin.drop) == ("b − a", pytest.approx(192 * 0.005, abs=1e-4))
    # With separate tracks, what is erased is what the track of the target has erased.
    assert predict_what_if(context, drawing, target="b", on="erased").track == "b"
    with pytest.raises(TargetError, match="2 labels"):
        predict_what_if(context, drawing, target="c")


def test_a_drawing_of_one_region_tests_the_target_of_that_region():
    context = started(replace(RECIPE, target=Top(2)), rounds=1)
    targets = {name: predict_what_if(context, named(name)).target for name in regions_by_id(context)}
    assert targets == {"r1.1": "a", "r1.2": "b"}


def test_where_nothing_is_predicted_the_leading_label_is_tested():
    classifier = toy(Additive(SQUARES, WEIGHTS, [-30.0, -29.0]), output=Output.SIGMOID)
    context = start_run(white(), classifier, RECIPE, target="predicted")
    assert predict_what_if(context, lasso(4, 4, 8)).target == "a"


@pytest.mark.parametrize(
    ("drawing", "message"),
    [
        (
            Drawing((Stroke(StrokeKind.BRUSH, ((9.0, 9.0),), width_px=0.5),)),
            "got none; draw wider: a pixel there is 1 x 1",
        ),
        (
            Drawing((Stroke(StrokeKind.BRUSH, ((-90.0, 9.0),), width_px=5.0),)),
            "covers pixels of the model's grid; got none;",
        ),
        (named("r7.1"), "expected the id of a region of this run (r1.1, r2.1); got 'r7.1'"),
    ],
)
def test_drawings_that_hide_nothing_are_refused(drawing, message):
    with pytest.raises(RecordError) as raised:
        ask_what_if(started(), drawing)
    assert message in str(raised.value)


def test_questions_that_cannot_be_asked_are_refused():
    context = started(rounds=1)
    drawing = lasso(4, 4, 8)
    with pytest.raises(RecordError, match="on to be original or erased; got 'now'"):
        predict_what_if(context, drawing, on="now")
    with pytest.raises(RecordError, match="0 to 1 rounds, as many as were done; got 2"):
        predict_what_if(context, drawing, on="erased", rounds=2)
    with pytest.raises(RecordError, match="rounds with on=erased only; got 1 on the original"):
        predict_what_if(context, drawing, rounds=1)
    with pytest.raises(RecordError, match="pixels that aren't erased yet; got only erased ones"):
        predict_what_if(context, drawing, on="erased")
    with pytest.raises(RecipeError, match="placements of at least 1; got 0"):
        ask_what_if(context, drawing, placements=0)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"image_sha256": "0" * 64}, "image"),
        ({"classifier": "x"}, "classifier"),
        ({"seed": 9}, "seed"),
        ({"recipe": {"fill": {}}}, "fill"),
    ],
)
def test_the_answer_to_another_run_is_not_tested(change, name):
    context = started()
    what_if = replace(predict_what_if(context, lasso(4, 4, 8)), **change)
    with pytest.raises(RecordError, match=f"expected an answer of this run; got one with another {name}"):
        test_what_if(context, what_if)


def test_the_answer_costs_one_image_and_the_same_question_none():
    context = started()
    before = context.masked.passes
    predict_what_if(context, lasso(20, 20, 9))
    predict_what_if(context, lasso(20, 20, 9))
    assert context.masked.passes - before == 1
