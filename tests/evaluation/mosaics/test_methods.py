"""What methods name in mosaics of plain colors: recipes in rounds, and as many leading labels as the reference named."""

from dataclasses import replace

import numpy as np
import pytest
from colored_photographs import COLORS, color_network, photographs
from handmade import handmade, inside

from unveil.attribution import SmoothGrad
from unveil.classifiers import load_classifier
from unveil.classifiers.engine.passes import counting_passes
from unveil.evaluation.coalitions.superpixels import SuperpixelLime
from unveil.evaluation.mosaics.drawing import MosaicCanvas
from unveil.evaluation.mosaics.kinds import Kind, PhotographPool, Role
from unveil.evaluation.mosaics.leading import CoalitionLabels, naming_methods
from unveil.evaluation.mosaics.methods import RecipeNaming, get_naming_recipe, named_regions
from unveil.evaluation.mosaics.pool import draw_mosaic
from unveil.evaluation.mosaics.scoring import MosaicScore, ScoredRegion, score_mosaic
from unveil.fills import Mean
from unveil.recipes import Recipe
from unveil.regions import RelativeToMax, SmoothedThreshold
from unveil.stopping import MaxRounds

CANVAS = MosaicCanvas(color_network().preprocessing)
NETWORK = load_classifier(color_network(), preprocessing=CANVAS.unscaled)
SELECTOR = SmoothedThreshold(size_px=5, passes=1, threshold=RelativeToMax(0.3))
QUICK = Recipe(
    "quick", attribution=SmoothGrad(samples=4), selector=SELECTOR, fill=Mean(), stop=MaxRounds(4), trust=None
)


PASSES = 60  # of the reference
# Quickshift's usual settings are for larger images.
RIVALS = {**naming_methods(), "LIME": CoalitionLabels(SuperpixelLime(max_dist=10, ratio=1.0))}


@pytest.fixture
def mosaic(tmp_path):
    """Four tiles of different colors."""
    known = tuple(photographs(tmp_path))
    return draw_mosaic(NETWORK, CANVAS, Kind.DIFFERENT, PhotographPool({Role.TILE: known}, 6), 0, 0)


def test_rounds_name_one_color_after_the_other(mosaic):
    """All four tiles give the same logit but for rounding; what one round erases can't be named again."""
    regions = RecipeNaming("quick", QUICK).find(NETWORK, mosaic, 0, None)
    score = score_mosaic(mosaic, regions, 1.0, 10)
    assert set(score.found) == set(mosaic.labels)
    assert sorted(score.found.values()) == [1, 2, 3, 4]
    assert score.invented == () == score.marked
    assert {region.verdict for region in regions} == {None}


def test_another_seed_is_another_run(mosaic):
    one, other = (
        [region.mask for region in RecipeNaming("quick", QUICK).find(NETWORK, mosaic, seed, None)] for seed in (0, 1)
    )
    assert one != other


def reference(*areas: int) -> MosaicScore:
    """A reference that named as many labels with these areas, and one more that is marked as an artifact."""
    named = [ScoredRegion(label, 1, "weak", area, 1.0) for label, area in enumerate(areas)]
    return MosaicScore(0, (), (), (*named, ScoredRegion(5, 1, "artifact", 400, 0.0)), 1.0, PASSES)


COALITIONS = {"PartitionSHAP": "shap", "ShapBPT": "shap_bpt", "LIME": "skimage"}


@pytest.mark.parametrize("name", naming_methods())
def test_rivals_name_as_many_labels_with_as_much_area(mosaic, name):
    pytest.importorskip(COALITIONS.get(name, "torch"), exc_type=ImportError)
    rival = RIVALS[name]
    regions = rival.find(NETWORK, mosaic, 0, reference(100, 60))
    assert len({region.label for region in regions} & set(mosaic.labels)) == 2, "two of the four with equal logits"
    for region in regions:
        assert 0 < region.mask.area_px <= 80
        assert (region.round, region.verdict) == (1, None)
    if name in ("SmoothGrad", "IntegratedGradients", "h-shap", *COALITIONS):
        score = score_mosaic(mosaic, regions, 1.0, 10)
        assert [one.area_px for one in score.regions] == [80, 80]
        assert len(score.found) == 2
    assert rival.find(NETWORK, mosaic, 0, reference()) == ()


@pytest.mark.parametrize("name", COALITIONS)
def test_coalition_methods_take_as_many_passes_as_the_reference(mosaic, name):
    """Counted at the network; one more predicts the leading labels, and two images may end the last batch.

    The four tiles are LIME's superpixels, so that it has 2^4 different images only.
    """
    pytest.importorskip(COALITIONS[name], exc_type=ImportError)
    with counting_passes() as count:
        RIVALS[name].find(NETWORK, mosaic, 0, reference(100, 60))
    least, most = (2**3, 1 + 2**4) if name == "LIME" else (PASSES + 1, PASSES + 3)
    assert least <= count.total <= most and count.backward == 0


def test_regions_of_a_run_with_their_verdicts():
    """Two regions in the first round and one in the second, without trust cards."""
    first, second = inside((6, 8), slice(0, 2), slice(0, 3)), inside((6, 8), slice(4, 6), slice(0, 3))
    run = handmade(
        ["crane", "crane", "dog"],
        [[1.0, 2.0, 3.0], [1.0, 2.0, 0.0], [1.0, 0.0, 0.0]],
        [[(2, first), (1, second)], [(1, first & ~second)]],
    )
    regions = named_regions(run)
    assert [(region.label, region.round, region.verdict) for region in regions] == [
        (2, 1, None),
        (1, 1, None),
        (1, 2, None),
    ]
    assert all(
        np.array_equal(region.mask.to_array(), drawn)
        for region, drawn in zip(regions, (first, second, first), strict=True)
    )


def test_verdicts_are_those_of_the_trust_cards(mosaic):
    from unveil.rounds import find_regions  # noqa: PLC0415

    recipe = replace(QUICK, trust=get_naming_recipe("recommended").recipe.trust, stop=MaxRounds(2))
    image = CANVAS.as_image(CANVAS.draw(mosaic.pieces), "mosaic")
    run = find_regions(image, NETWORK, recipe)
    assert [region.verdict for region in named_regions(run)] == [run.card(region).verdict for region in run.regions]
    assert len(run.regions) >= 2


def test_margins_name_no_label(mosaic):
    recipe = QUICK.with_target("margin:red,blue")
    assert RecipeNaming("margin", recipe).find(NETWORK, mosaic, 0, None) == ()


def test_every_setting_counts():
    assert get_naming_recipe("recommended").settings != get_naming_recipe("paper").settings
    settings = [method.settings for method in naming_methods().values()]
    assert all(settings.count(one) == 1 for one in settings)
    assert set(COLORS) == set(NETWORK.labels)
