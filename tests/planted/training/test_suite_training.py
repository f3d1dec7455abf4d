"""Training of the benchmark's networks: where cues are, against a slow twin; and what a network owes to its own
batches alone."""

import numpy as np
import pytest
import torch

from unveil.planted import SIZE
from unveil.planted.networks.architectures import CELL_PX, build_evidence_net
from unveil.planted.networks.demo import normalized
from unveil.planted.scenes.signs import BENCHMARK
from unveil.planted.scenes.suites import SUITES
from unveil.planted.training.pool import CUES_KEPT
from unveil.planted.training.suite_pool import (
    SHARE_OF_CELL,
    UNKNOWN,
    SuitePool,
    draw_chunk,
    locate_cues,
    open_pool,
    suite_batch,
    training_scene,
)
from unveil.planted.training.suite_training import NOTHING, SPREAD, SuiteTraining, _spread, train_suite

NUMBERS = range(30)
POOL = SuitePool(*draw_chunk(NUMBERS))


def test_the_pool_is_the_scenes_of_all_suites_in_turn():
    for row, number in enumerate(NUMBERS):
        scene = training_scene(number)
        assert scene.settings is list(SUITES.values())[number % len(SUITES)]
        np.testing.assert_allclose(POOL.pixels[row] / 255, scene.pixels, atol=0.51 / 255)
        drawn = np.logical_or.reduce([cue.inside for cue in scene.cues] or [np.zeros((SIZE, SIZE), bool)])
        assert np.array_equal(POOL.cue[row] > 0, drawn)
        announced = {BENCHMARK.labels[index] for index in np.flatnonzero(POOL.announces[row].any(0))}
        assert announced == set(scene.labels)
        assert POOL.announces[row].sum() == len(scene.cues)


def test_places_of_cues_compared_with_a_slow_twin():
    rng = np.random.default_rng(0)
    left = POOL.announces & (rng.random((len(NUMBERS), CUES_KEPT, 1)) < 0.7)
    result = locate_cues(torch.from_numpy(POOL.cue), torch.from_numpy(left)).numpy()
    cells = SIZE // CELL_PX
    seen = set()
    for row in range(len(NUMBERS)):
        for label in range(len(BENCHMARK.labels)):
            numbers = [number + 1 for number in np.flatnonzero(left[row, :, label])]
            inside = np.isin(POOL.cue[row], numbers)[::2, ::2]
            for y, x in np.ndindex(cells, cells):
                half = CELL_PX // 2
                share = inside[y * half : (y + 1) * half, x * half : (x + 1) * half].mean()
                expected = 1.0 if share >= SHARE_OF_CELL else UNKNOWN if share > 0 else 0.0
                assert result[row, label, y, x] == expected
                seen.add(expected)
    assert seen == {0.0, UNKNOWN, 1.0}


def test_a_batch_has_the_labels_that_remain():
    batch = suite_batch(POOL, np.arange(len(NUMBERS)), np.random.default_rng(3))
    full = torch.from_numpy(POOL.announces.any(1).astype(np.float32))
    assert bool((batch.labels <= full).all())
    assert float(batch.labels.sum()) < float(full.sum()), "something is erased"
    anywhere = batch.places.flatten(2).amax(2)
    assert bool((anywhere[batch.labels == 0] == 0).all()), "no place without its label"
    assert float((anywhere[batch.labels == 1] == 1).float().mean()) > 0.9


SHORT = SuiteTraining(scenes=30, steps=3, batch_size=8, bf16=False)


def test_a_network_does_not_depend_on_others_trained_with_it():
    torch.set_num_threads(1)
    alone = train_suite({("convnet", "max"): None}, SHORT, POOL)
    beside = train_suite({("vit", "max"): None, ("convnet", "max"): None}, SHORT, POOL)
    one, other = (result["convnet", "max"].state_dict() for result in (alone, beside))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not alone["convnet", "max"].training


def test_a_head_starts_from_a_trunk_and_learns():
    torch.set_num_threads(1)
    trunk = train_suite({("convnet", "max"): None}, SHORT, POOL)["convnet", "max"]
    unmoved = train_suite({("convnet", "average"): trunk}, SuiteTraining(30, 0, 8), POOL)["convnet", "average"]
    assert torch.equal(unmoved.features[0].weight, trunk.features[0].weight)
    said = []
    settings = SuiteTraining(30, 12, 30, learning_rate=5e-3, bf16=False)
    train_suite({("convnet", "average"): trunk}, settings, POOL, lambda done, total, text, networks: said.append(text))
    first, last = (float(text.split()[-1]) for text in (said[0], said[-1]))
    assert last < first


def test_an_opened_pool_is_the_drawn_one(tmp_path, monkeypatch):
    drawn = []

    def draw(chunk, numbers: range, workers: int, tell) -> tuple[np.ndarray, ...]:
        drawn.append(numbers)
        return tuple(part[: len(numbers)] for part in (POOL.pixels, POOL.cue, POOL.announces))

    monkeypatch.setattr("unveil.planted.training.suite_pool.draw_in_processes", draw)
    opened, again = (open_pool(tmp_path, 12, 1) for _ in range(2))
    assert np.array_equal(opened.pixels, POOL.pixels[:12])
    assert np.array_equal(again.announces, POOL.announces[:12])
    assert drawn == [range(12)], "the second time it is there already"
    with pytest.raises(ValueError, match="read-only"):
        opened.cue[0, 0, 0] = 1


def test_a_map_for_its_largest_value_becomes_one_for_its_mean():
    torch.manual_seed(0)
    network = build_evidence_net("convnet", "average").train()
    batch = suite_batch(POOL, np.arange(len(NUMBERS)), np.random.default_rng(3))
    with torch.no_grad():
        before = network.evidence_maps(normalized(batch.pixels)).double()
        _spread(network, batch)
        after = network(normalized(batch.pixels))
    differences = (before - before[:1]).mean((2, 3))
    torch.testing.assert_close((after - after[:1]).double(), SPREAD * differences, rtol=1e-3, atol=1e-3)
    for label in range(len(BENCHMARK.labels)):
        absent = batch.labels[:, label] == 0
        assert float(after[absent, label].mean()) == pytest.approx(NOTHING, abs=1e-3)
