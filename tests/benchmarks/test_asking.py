"""What a masked image shows the classifier, and what it counts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from asking import Counted, MaskedImage, answer
from exhaustive import PIXELS, any_of, area
from patches import Patches

import unveil
from toys import PLAIN, SIDE, Additive
from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.planted import draw_scene
from unveil.predictions import Output
from unveil.recipes import demo


def test_patches_part_the_image_into_equal_squares():
    for cells, shape in ((7, (128, 128)), (3, (48, 48)), (5, (11, 23))):
        patches = Patches(cells, shape)
        every = patches.inside(np.eye(patches.count, dtype=bool))
        assert (every.sum(axis=0) == 1).all(), "every pixel is in one patch"
        heights, widths = every.any(2).sum(1), every.any(1).sum(1)
        assert np.ptp(heights) <= 1
        assert np.ptp(widths) <= 1
    assert (Patches(3, (48, 48)).inside(np.eye(9, dtype=bool))[5] == area({5})).all()


def test_what_is_not_kept_shows_the_mean_color():
    """logit = Σ x over a square − 3, with the mean colors where hidden; a NaN that is hidden doesn't leak."""
    mean = (0.1, 0.2, 0.6)
    preprocessing = Preprocessing.square(SIDE, mean, (1.0, 1.0, 1.0))
    module = Additive([(0, 0, 2)], [[1.0], [-1.0]], [0.0, 0.0])
    pixels = torch.rand((3, SIDE, SIDE), generator=torch.Generator().manual_seed(0))
    kept = np.zeros((2, SIDE, SIDE), bool)
    kept[0, 0, 0] = kept[1, :2, :2] = True
    seen = pixels[:, 0, 0].double().numpy().sum()
    whole = pixels[:, :2, :2].double().numpy().sum()
    pixels[:, 30:, :] = torch.nan
    for output, factor in ((Output.SIGMOID, 1), (Output.SOFTMAX, 2)):
        classifier = TorchClassifier(module, preprocessing, ("a", "b"), output=output)
        # The classifier takes the mean off: hidden pixels are 0.
        expected = [seen - sum(mean), whole - 4 * sum(mean)]
        found = MaskedImage(classifier, pixels, 0, batch_size=1).probabilities(kept)
        assert found == pytest.approx([1 / (1 + np.exp(-factor * z)) for z in expected], rel=1e-5)


def test_a_counted_classifier_answers_alike_and_counts_images():
    inner = unveil.load_classifier("planted/demo", precision="fp32")
    counted = Counted(inner)
    pixels = draw_scene(100_001).pixels.transpose(1, 2, 0)
    recipe = replace(demo(), label_check=None)
    one, other = (unveil.find_regions(pixels, model, recipe, trust=False) for model in (inner, counted))
    assert one.regions == other.regions
    samples, rounds = 16, len(one.rounds)
    targets = sum(len(item.maps) for item in one.rounds)
    asked_again = sum(len(item.regions) + (len(item.regions) > 1) for item in one.rounds)
    assert counted.backward_passes == samples * targets
    whole_and_blank = 2  # what is left of the score is measured between these (`Explained`)
    probe = 1  # one fixed image, for the record
    assert counted.forward_passes == whole_and_blank + samples * rounds + asked_again + probe


def test_the_whole_image_is_one_pass():
    found = answer(lambda masked: [np.full((SIDE, SIDE), masked.whole > 0.9)], PIXELS, any_of(4), 0)
    assert found.explanations[0].all()
    assert (found.forward_passes, found.backward_passes) == (1, 0)
    assert PLAIN.mean == (0.0, 0.0, 0.0)
