"""Training: what is erased is no evidence, what stays is; an interrupted training ends as if it hadn't been."""

import dataclasses

import numpy as np
import pytest
import torch

from unveil.planted import LABELS, SIZE
from unveil.planted.scenes.scene import draw_scene
from unveil.planted.training.demo_training import DemoSettings, train
from unveil.planted.training.pool import CUES_KEPT, NO_LABEL, Pool, _draw_chunk, _labels, batch, draw_pool, erase_cues

SEEDS = range(3000, 3012)
POOL = Pool(*_draw_chunk(SEEDS))


def test_the_pool_is_the_scenes():
    for row, seed in enumerate(SEEDS):
        scene = draw_scene(seed)
        np.testing.assert_allclose(POOL.pixels[row] / 255, scene.pixels, atol=0.51 / 255)
        for number, cue in enumerate(scene.cues, start=1):
            assert (POOL.cue[row][cue.inside] == number).all()
            assert LABELS[POOL.label_of[row, number - 1]] == cue.label
        assert (POOL.label_of[row, len(scene.cues) :] == NO_LABEL).all()
        assert np.count_nonzero(POOL.cue[row]) == sum(np.count_nonzero(cue.inside) for cue in scene.cues)


def test_a_label_is_removed_with_the_last_of_its_cues():
    label_of = np.full((1, CUES_KEPT), NO_LABEL, np.uint8)
    label_of[0, :3] = (2, 2, 4)
    for gone, left in (((), {2, 4}), ((0,), {2, 4}), ((0, 1), {4}), ((2,), {2}), ((0, 1, 2), set())):
        flags = np.zeros((1, CUES_KEPT), bool)
        flags[0, list(gone)] = True
        assert set(np.flatnonzero(_labels(label_of, flags)[0].numpy()).tolist()) == left


@pytest.mark.parametrize("seed", range(8))
def test_an_erased_cue_is_removed_and_the_others_are_kept(seed):
    """The second image differs from the first only where cues are erased: afterwards the two are the same."""
    pixels = torch.from_numpy(POOL.pixels).float() / 255
    cue = torch.from_numpy(POOL.cue)
    gone = np.random.default_rng(seed).random((len(pixels), CUES_KEPT)) < 0.5
    is_gone = torch.zeros_like(cue, dtype=torch.bool)
    for row in range(len(pixels)):
        for number in np.flatnonzero(gone[row]):
            is_gone[row] |= cue[row] == number + 1
    stays = (cue > 0) & ~is_gone
    assert bool(is_gone.any())
    assert bool(stays.any())
    other = torch.where(is_gone[:, None], torch.rand(pixels.shape), pixels)
    one, two = (erase_cues(given.clone(), cue, gone, np.random.default_rng(100 + seed)) for given in (pixels, other))
    torch.testing.assert_close(one, two, rtol=0, atol=1e-5)
    assert torch.equal(one[stays[:, None].expand_as(one)], pixels[stays[:, None].expand_as(one)])


def test_a_batch_is_rotated_together_with_its_masks():
    pixels, labels = batch(POOL, np.arange(len(SEEDS)), np.random.default_rng(0))
    assert pixels.shape == (len(SEEDS), 3, SIZE, SIZE)
    assert labels.shape == (len(SEEDS), len(LABELS))
    assert 0 <= float(pixels.min()) <= float(pixels.max()) <= 1
    full = _labels(POOL.label_of, np.zeros((len(SEEDS), CUES_KEPT), bool))
    assert bool((labels <= full).all())
    again, _ = batch(POOL, np.arange(len(SEEDS)), np.random.default_rng(0))
    assert torch.equal(pixels, again)


SHORT = DemoSettings(scenes=48, epochs=2, batch_size=16, bf16=False)


class PowerOutError(Exception):
    """The power goes out."""


def test_an_interrupted_training_gives_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "unveil.planted.training.demo_training.draw_pool",
        lambda first, count, workers, tell: Pool(*_draw_chunk(range(first, first + count))),
    )
    torch.set_num_threads(1)
    calls = []
    straight = train(SHORT, tmp_path / "straight", 1, lambda what, done, total, text: calls.append((what, done, total)))
    assert calls[-1] == ("training", 6, 6)

    def power(what: str, done: int, total: int, text: str) -> None:
        if what == "training" and done == 5:
            raise PowerOutError

    with pytest.raises(PowerOutError):
        train(SHORT, tmp_path / "cut", 1, power)
    steps = []
    resumed = train(SHORT, tmp_path / "cut", 1, lambda what, done, total, text: steps.append(done))
    assert steps[0] == 4, "the first epoch isn't done twice"
    a, b = straight.state_dict(), resumed.state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == ["checkpoint.json", "epoch-2.safetensors"]
    # Another setting begins anew; a finished one has nothing left to do.
    steps.clear()
    train(dataclasses.replace(SHORT, seed=1), tmp_path / "cut", 1, lambda what, done, total, text: steps.append(done))
    assert steps[0] == 1
    steps.clear()
    train(SHORT, tmp_path / "straight", 1, lambda what, done, total, text: steps.append(done))
    assert steps == []


def test_the_pool_does_not_depend_on_the_number_of_workers():
    calls = []
    drawn = draw_pool(3000, 12, 2, calls.append)
    assert np.array_equal(drawn.pixels, POOL.pixels)
    assert np.array_equal(drawn.label_of, POOL.label_of)
    assert sum(calls) == 12
