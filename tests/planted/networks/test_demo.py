"""The network that ships: small, safe to load, decided by the strongest place alone, and proven on fresh scenes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

import unveil.planted
from unveil.classifiers import load_classifier
from unveil.images import Image
from unveil.planted import LABELS, draw_scene
from unveil.planted.networks.demo import PIXEL_MEAN, PIXEL_STD, WEIGHTS, build_network, load_network, logits_of
from unveil.planted.training.proof import SuccessCount, prove, wilson

REPORT = json.loads(WEIGHTS.with_name("demo-report.json").read_text())


def test_the_weights_are_small_and_no_pickle():
    assert WEIGHTS.suffix == ".safetensors"
    assert WEIGHTS.stat().st_size < 5_000_000
    folder = Path(unveil.planted.__file__).parent
    assert {path.suffix for path in folder.iterdir() if path.is_file()} <= {".py", ".safetensors", ".json"}


def test_the_logit_is_the_strongest_place_of_its_map():
    network = load_network()
    x = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps, logits = network.evidence_maps(x), network(x)
        assert maps.shape == (2, 5, 16, 16)
        assert torch.equal(logits, maps.flatten(2).max(2).values)
        average = build_network("average").eval()
        average.load_state_dict(network.state_dict())
        torch.testing.assert_close(average(x), maps.flatten(2).mean(2))


def test_the_constants_are_those_of_scenes():
    pixels = np.stack([draw_scene(seed).pixels for seed in range(80)])
    np.testing.assert_allclose(pixels.mean((0, 2, 3)), PIXEL_MEAN, atol=0.02)
    np.testing.assert_allclose(pixels.std((0, 2, 3)), PIXEL_STD, atol=0.02)


def test_the_classifier_and_the_network_have_equal_inputs():
    scene = draw_scene(7)
    classifier = load_classifier("planted/demo")
    prepared = classifier.prepare(Image.from_array(scene.pixels))
    assert np.array_equal(prepared.pixels.numpy(), scene.pixels)
    with torch.no_grad():
        expected = logits_of(load_network(), torch.from_numpy(scene.pixels)[None])
    np.testing.assert_allclose(classifier.predict(prepared.pixels[None])[0].logits, expected[0], rtol=1e-4, atol=1e-4)
    assert classifier.labels == LABELS


class Always(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x):
        return torch.full((len(x), len(LABELS)), self.value)


def test_the_proof_can_fail():
    """Networks that say nothing, or everything, fail exactly where the design says they must."""
    scenes = [draw_scene(500_000 + number) for number in range(25)]
    nothing, everything = (prove(Always(value), 25) for value in (-1.0, 1.0))
    assert nothing["exact"]["rate"] == sum(not scene.labels for scene in scenes) / 25
    assert [
        nothing[name]["rate"]
        for name in ("one_suffices", "one_removed_keeps", "all_removed_loses", "no_evidence_no_label")
    ] == [0, 0, 1, 1]
    assert [
        everything[name]["rate"]
        for name in ("exact", "one_suffices", "one_removed_keeps", "all_removed_loses", "no_evidence_no_label")
    ] == [0, 1, 1, 0, 0]
    assert nothing["one_suffices"]["n"] == sum(len(scene.cues) for scene in scenes)
    assert nothing["all_removed_loses"]["n"] == sum(len(scene.labels) for scene in scenes)


def test_the_shipped_weights_pass_the_proof_they_come_with():
    """On the first scenes of the report's own, anew: within what so many trials can vary."""
    proof = prove(load_network(), 60)
    for name in ("exact", "one_suffices", "one_removed_keeps", "all_removed_loses", "no_evidence_no_label"):
        assert REPORT["proof"][name]["rate"] >= 0.99, name
        assert proof[name]["high"] >= REPORT["proof"][name]["low"], name
        assert proof[name]["rate"] >= 0.95, name
    assert REPORT["training"]["seconds"] < 1800
    assert REPORT["proof"]["scenes"] >= 500


@pytest.mark.parametrize(("held", "tried"), [(0, 10), (10, 10), (3, 7), (480, 500)])
def test_wilson_against_scipy(held, tried):
    expected = stats.binomtest(held, tried).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(wilson(held, tried), (expected.low, expected.high), atol=1e-4)
    count = SuccessCount(held, tried)
    count.add(True)
    assert count.as_dict()["n"] == tried + 1


def test_without_trials_the_interval_is_0_to_1():
    assert wilson(0, 0) == (0.0, 1.0)
