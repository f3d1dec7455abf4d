"""Searches of many images give what searches of single images give, and end where the label is lost."""

import numpy as np
import pytest
import torch

from training_sets import QUICK, SIDE, quick, square_network, squares
from unveil import find_regions
from unveil.attribution import Gradient, SmoothGrad
from unveil.images import Image
from unveil.planted import LABELS, draw_scene
from unveil.recipes import Recipe, demo
from unveil.seeding import seeded_generator
from unveil.stopping import MaxRounds
from unveil.targets import Class
from unveil.training import TrainingError, TrainingSettings, find_regions_of_many


def columns_of(examples) -> list[int]:
    return examples.targets.argmax(1).tolist()


def test_each_round_finds_one_square_and_the_third_finds_nothing():
    examples = squares(7)
    found = find_regions_of_many(square_network(), examples.batch, columns_of(examples), quick(rounds=3), "s")
    assert found.rounds.tolist() == [2] * 7
    for row in range(7):
        cells = examples.pixels[row].max(0).reshape(4, 4, 4, 4).max((1, 3)) > 100
        first, second, third = (found.erased[row, number].reshape(4, 4, 4, 4).mean((1, 3)) for number in range(3))
        assert ((second > 0.4) == cells).all()
        assert (first > 0.4).sum() == 1
        assert (third == second).all()


def test_it_is_the_same_whatever_images_share_a_batch(monkeypatch):
    examples = squares(9)
    columns = columns_of(examples)
    together = find_regions_of_many(square_network(), examples.batch, columns, quick(rounds=2), "s")
    for name, value in (("IMAGES", 2), ("SAMPLES", 4)):
        monkeypatch.setattr(f"unveil.training.searching.{name}", value)
    apart = find_regions_of_many(square_network(), examples.batch, columns, quick(rounds=2), "s")
    assert (together.erased == apart.erased).all()


def test_an_image_without_a_label_or_whose_label_is_not_predicted_has_no_region():
    examples = squares(3)
    found = find_regions_of_many(square_network(), examples.batch, [-1, 0, 2], quick(), "s")
    assert found.rounds[:2].tolist() == [0, 0]  # the second is green, not red
    assert found.rounds[2] > 0
    assert not found.erased[:2].any()


def test_a_map_is_the_magnitude_of_the_mean_of_its_own_gradients():
    """A round by hand, one image and one sample at a time."""
    import unveil  # noqa: PLC0415

    classifier = unveil.load_classifier("planted/demo", precision="fp32")
    scenes = [scene for scene in map(draw_scene, range(200_000, 200_020)) if scene.labels][:3]
    pixels = torch.from_numpy(np.stack([scene.pixels for scene in scenes]))
    columns = [LABELS.index(scene.labels[0]) for scene in scenes]
    settings = TrainingSettings(rounds=1, samples=4, recipe=demo())
    found = find_regions_of_many(classifier, lambda rows: pixels[list(rows)], columns, settings, "s")
    recipe = settings.recipe
    for row, column in enumerate(columns):
        draws = torch.randn((2, *pixels.shape[1:]), generator=seeded_generator(f"s/{row}/0", 0))
        noise = recipe.attribution.noise * (pixels[row].max() - pixels[row].min()) * draws
        pairs = []
        for one in noise:
            gradients = []
            for sign in (1, -1):
                leaf = (pixels[row] + sign * one).requires_grad_()
                classifier.logits(leaf[None])[0, column].backward()
                gradients.append(leaf.grad.double())
            pairs.append((gradients[0] + gradients[1]) / 2)
        from unveil.attribution import Moments  # noqa: PLC0415

        stacked = torch.stack(pairs)
        moments = Moments(2, stacked.sum(0)[None], stacked.square().sum(0)[None])
        saliency = recipe.magnitude.saliency(moments)[0].astype(np.float32)
        regions = recipe.selector.select(saliency, np.zeros(saliency.shape, bool)).regions
        assert (found.erased[row, 0] == np.logical_or.reduce(regions)).mean() > 0.999


def test_regions_agree_with_those_of_find_regions():
    import unveil  # noqa: PLC0415

    classifier = unveil.load_classifier("planted/demo", precision="fp32")
    scene = draw_scene(200_010)
    column = LABELS.index(scene.labels[0])
    recipe = demo()
    found = find_regions_of_many(
        classifier,
        lambda rows: torch.from_numpy(scene.pixels)[None],
        [column],
        TrainingSettings(rounds=1, samples=32, recipe=recipe),
        "s",
    )
    run = find_regions(Image.from_array(scene.pixels), classifier, recipe, target=Class(scene.labels[0]), trust=False)
    expected = run.rounds[0].erased_after.to_array()
    both = (found.erased[0, 0] & expected).sum() / (found.erased[0, 0] | expected).sum()
    assert both > 0.7


@pytest.mark.parametrize("attribution", [Gradient(), SmoothGrad(samples=4)])
def test_only_averaged_gradients_can_be_searched_with(attribution):
    recipe = Recipe(attribution=attribution, stop=MaxRounds(2))
    examples = squares(2)
    if isinstance(attribution, SmoothGrad):
        assert len(find_regions_of_many(square_network(), examples.batch, [0, 1], quick(recipe=recipe), "s")) == 2
        return
    with pytest.raises(TrainingError, match="SmoothGrad over gradients"):
        find_regions_of_many(square_network(), examples.batch, [0, 1], quick(recipe=recipe), "s")


def test_progress_counts_the_images_that_are_searched():
    told = []
    examples = squares(4)
    find_regions_of_many(
        square_network(), examples.batch, [0, 1, 2, -1], quick(), "s", lambda done, total: told.append((done, total))
    )
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert QUICK.selector.size_px < SIDE
