"""Cues that a network uses are counted right for networks that are known to use one, all, or none of them."""

import numpy as np
import pytest
import torch
from torch import nn

from unveil import load_classifier
from unveil.classifiers import TorchClassifier
from unveil.classifiers.preprocessing import Preprocessing
from unveil.evaluation.training.cues import count_used_cues
from unveil.evaluation.training.scenes import LABELS, TOGETHER, CueTest, draw_cue_tests, draw_examples, examples_for
from unveil.images import Image
from unveil.planted import KINDS, draw_scene
from unveil.training import TrainingError

SIDE = 8


class Sees(nn.Module):
    """Logit of the only label: positive if any of some pixels is bright, or always."""

    def __init__(self, places: tuple[int, ...], *, always: bool = False) -> None:
        super().__init__()
        self.places, self.always = places, always
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shape (n, 1)."""
        seen = torch.stack([x[:, 0, place, place] for place in self.places]).amax(0)
        return ((seen - 0.5) * self.weight + 10 * self.always)[:, None]


def scene_test() -> CueTest:
    """Three bright pixels on the diagonal are the cues."""

    def drawn(*places: int) -> np.ndarray:
        pixels = np.zeros((1, SIDE, SIDE), np.float32)
        pixels[0, list(places), list(places)] = 1
        return pixels

    cues = (1, 3, 5)
    alone = tuple(drawn(cue) for cue in cues)
    without = tuple(drawn(*(other for other in cues if other != cue)) for cue in cues)
    return CueTest(0, ("one", "three", "five"), drawn(*cues), alone, without, drawn())


def classifier(*places: int, always: bool = False) -> TorchClassifier:
    preprocessing = Preprocessing.square(SIDE, (0.0,), (1.0,))
    return TorchClassifier(Sees(places, always=always), preprocessing, ("label",), output="sigmoid")


def test_networks_that_use_one_two_or_three_cues():
    for places, needed in (((3,), 1), ((1, 5), 0), ((1, 3, 5), 0)):
        counted = count_used_cues(classifier(*places), [scene_test()] * 2)
        assert (counted.used, counted.needed, counted.recognized, counted.invented) == (len(places), needed, 1, 0)
        assert sum(counted.by_kind.values()) == len(places)


def test_a_network_that_always_says_yes_uses_nothing():
    counted = count_used_cues(classifier(1, always=True), [scene_test()])
    assert (counted.used, counted.needed, counted.recognized, counted.invented) == (0, 0, 1, 1)


def test_scenes_have_one_cue_of_each_kind_and_are_drawn_as_the_scenes_themselves():
    tests = draw_cue_tests(8_000_000, 4)
    for test in tests:
        assert set(test.kinds) <= {kind for label, kind in KINDS if label == LABELS[test.column]}
        assert len(set(test.kinds)) == len(test.kinds) == len(test.alone) == len(test.without)
    whole = [test for test in tests if len(test.kinds) == 3]
    assert len(whole) >= 2
    for test in whole:
        for alone, without in zip(test.alone, test.without, strict=True):
            # Where a cue is missing, the scene without any is seen; where it isn't, the whole one.
            assert (np.where(alone == test.none, without, alone) == test.whole).mean() > 0.99


def test_examples_are_the_scenes_as_bytes():
    examples = draw_examples(6_000_000, 3)
    for row in range(3):
        scene = draw_scene(6_000_000 + row, TOGETHER)
        np.testing.assert_allclose(examples.pixels[row] / 255, scene.pixels, atol=0.5001 / 255)
        assert {LABELS[column] for column in np.flatnonzero(examples.targets[row])} == set(scene.labels)


def test_scenes_for_a_classifier_with_more_labels_and_another_grid():
    examples, demo = draw_examples(6_000_000, 3), load_classifier("planted/demo")
    own = examples_for(demo, examples)
    assert own.pixels.shape == (3, 3, 128, 128)
    for row in range(3):
        names = {demo.labels[column] for column in np.flatnonzero(own.targets[row])}
        assert names == {LABELS[column] for column in np.flatnonzero(examples.targets[row])}
        expected = demo.prepare(Image.from_array(draw_scene(6_000_000 + row, TOGETHER).pixels)).pixels.numpy()
        np.testing.assert_allclose(own.pixels[row] / 255, expected, atol=1.01 / 255)
    with pytest.raises(TrainingError, match="a classifier with the labels clover, oak, poppy"):
        examples_for(classifier(1), examples)
