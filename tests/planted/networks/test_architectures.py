"""The benchmark's networks: small, safe to load, with heads that do what they are called, and proven."""

import json

import numpy as np
import pytest
import torch
from torch.nn import functional

from unveil.classifiers import load_classifier
from unveil.errors import ClassifierError
from unveil.images import Image
from unveil.planted.networks.architectures import (
    ARCHITECTURES,
    HEADS,
    NAMES,
    NETWORKS,
    PARTS,
    Attention,
    DenseLayer,
    build_evidence_net,
    load_trained,
    save_halves,
)
from unveil.planted.networks.demo import logits_of
from unveil.planted.scenes.signs import BENCHMARK
from unveil.planted.scenes.suites import suite_scene
from unveil.planted.training.suite_proof import prove_suite

SCENES = [suite_scene(suite, 820_000) for suite in ("usual", "many", "several", "absent")]
PIXELS = torch.from_numpy(np.stack([scene.pixels for scene in SCENES]))
REPORT = json.loads((NETWORKS / "report.json").read_text())


def test_all_eight_ship_and_are_small():
    shipped = {path for path in NETWORKS.iterdir() if path.suffix in (".json", ".safetensors")}
    names = ["report.json", "demo-report.json", *(f"{name}.safetensors" for name in ("demo", *NAMES))]
    assert {path.name for path in shipped} == set(names)
    assert sum((NETWORKS / f"{name}.safetensors").stat().st_size for name in NAMES) < 8_000_000
    for architecture in ARCHITECTURES:
        assert sum(one.numel() for one in build_evidence_net(architecture, "max").parameters()) < 400_000


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_head_takes_the_largest_or_the_mean_of_its_map(architecture):
    for head in HEADS:
        network = load_trained(architecture, head)
        with torch.no_grad():
            maps, logits = network.evidence_maps(PIXELS), network(PIXELS)
        flat = maps.flatten(2)
        torch.testing.assert_close(logits, flat.max(2).values if head == "max" else flat.mean(2))
        assert maps.shape[1] == len(BENCHMARK.labels)


@pytest.mark.parametrize("name", NAMES)
def test_the_classifier_and_the_network_have_equal_inputs(name):
    classifier = load_classifier(f"planted/{name}")
    prepared = torch.stack([classifier.prepare(Image.from_array(scene.pixels)).pixels for scene in SCENES])
    assert torch.equal(prepared, PIXELS)
    with torch.no_grad():
        expected = logits_of(load_trained(*PARTS[name]), PIXELS)
    result = np.stack([one.logits for one in classifier.predict(prepared)])
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-3)
    assert classifier.labels == BENCHMARK.labels


def test_weights_of_a_file_replace_those_that_ship(tmp_path):
    network = load_trained("convnet", "max")
    with torch.no_grad():
        network.evidence.bias += 1.0
    save_halves(network, tmp_path / "other.safetensors")
    one, other = (load_classifier("planted/convnet-max", path) for path in (None, tmp_path / "other.safetensors"))
    shift = other.predict(PIXELS)[0].logits - one.predict(PIXELS)[0].logits
    np.testing.assert_allclose(shift, 1.0, atol=5e-3)


def test_another_planted_network_is_refused_by_name():
    with pytest.raises(ClassifierError, match="planted/demo, planted/convnet-max.*got planted/alexnet-max"):
        load_classifier("planted/alexnet-max")


def test_attention_compared_with_torch():
    torch.manual_seed(0)
    layer = Attention(32, 4)
    x = torch.randn(2, 10, 32)
    q, k, v = layer.qkv(x).chunk(3, -1)
    heads = [one.view(2, 10, 4, 8).transpose(1, 2) for one in (q, k, v)]
    expected = layer.out(functional.scaled_dot_product_attention(*heads).transpose(1, 2).reshape(2, 10, 32))
    torch.testing.assert_close(layer(x), expected)


def test_a_dense_layer_keeps_its_input():
    layer = DenseLayer(5, 3).eval()
    x = torch.randn(1, 5, 6, 6)
    out = layer(x)
    assert torch.equal(out[:, :5], x)
    weight = layer.conv.weight.double()
    patch = functional.pad(torch.relu(x / np.sqrt(1 + layer.norm.eps)).double(), (1, 1, 1, 1))[:, :, 2:5, 3:6]
    torch.testing.assert_close(out[0, 5:, 2, 3].double(), (weight * patch).sum((1, 2, 3)), rtol=1e-4, atol=1e-4)


def test_the_shipped_weights_pass_the_proof_they_come_with():
    """Anew, on the first scenes of the report's own: within what so few trials can vary."""
    proofs = prove_suite({name: load_trained(*PARTS[name]) for name in NAMES}, 1)
    for name in NAMES:
        expected, result = REPORT["proofs"][name], proofs[name].as_dict()
        for rate in ("exact", "alone_predicts", "none_loses", "used"):
            assert result[rate]["high"] >= expected[rate]["low"], (name, rate)
            assert result[rate]["low"] <= expected[rate]["high"], (name, rate)
        assert expected["used"]["n"] > 500


def test_none_leaves_random_weights():
    one, two = (load_classifier("planted/convnet-max", "none").fingerprint for _ in range(2))
    assert len({one, two, load_classifier("planted/convnet-max").fingerprint}) == 3
