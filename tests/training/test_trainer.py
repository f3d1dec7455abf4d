"""Trainings: learn, keep the best weights, end with the same weights when they were killed, and refuse what can't be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import binary_cross_entropy

from training_sets import LABELS, QUICK, quick, square_network, squares
from unveil import find_regions, load_classifier
from unveil.classifiers import TorchClassifier
from unveil.errors import UnveilError
from unveil.fills import Constant
from unveil.images import Image
from unveil.training import TrainingError, train_classifier

pytest.importorskip("lightning")


def spoiled() -> TorchClassifier:
    """The network with a bias for the wrong label."""
    network = square_network().copy_of_module()
    with torch.no_grad():
        network.scale.bias.copy_(torch.tensor([-12.0, -12.0, 5.0]))
    return TorchClassifier(network, square_network().preprocessing, LABELS, output="sigmoid")


def test_it_learns_and_the_best_weights_are_kept(tmp_path):
    classifier = spoiled()
    before = {name: value.clone() for name, value in classifier.copy_of_module().state_dict().items()}
    settings = quick(erase="found", epochs=5, steps=20, learning_rate=0.5, batch_size=8)
    result = train_classifier(classifier, squares(24), tmp_path / "out", settings, validation=squares(9, 1))
    losses = [one["objective"] for one in result.history]
    assert result.best_epoch == 1 + int(np.argmin(losses))
    assert losses[-1] < losses[0]
    trained = load_classifier(classifier, weights=str(result.weights))
    held = squares(9, 1)
    right = [
        set(prediction.predicted()) == set(np.flatnonzero(row))
        for prediction, row in zip(trained.predict(held.batch(range(9))), held.targets, strict=True)
    ]
    assert np.mean(right) == result.history[result.best_epoch - 1]["accuracy"]
    after = classifier.copy_of_module().state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items()), "the classifier itself is unchanged"


def test_the_best_epoch_is_chosen_with_as_much_erased_as_in_the_training(tmp_path):
    held = squares(9, 1)
    changes = {"erase": "found", "rounds": 1, "clean_share": 0.3, "balanced": False, "fills": (Constant(0.0),)}
    settings = quick(**changes, epochs=3, batch_size=9, learning_rate=1e-3)
    result = train_classifier(square_network(), squares(24), tmp_path / "out", settings, validation=held)
    best = result.history[result.best_epoch - 1]
    trained = load_classifier(square_network(), weights=str(result.weights))
    clean, erased = held.pixels / 255.0, []
    for row, target in zip(clean, held.targets, strict=True):
        run = find_regions(Image.from_array(row.astype(np.float32)), trained, QUICK, target=LABELS[target.argmax()])
        predicted = target.argmax() in run.first.predicted()
        erased.append(np.where(run.rounds[0].erased_after.to_array(), 0.0, row) if predicted else row)
    losses = []
    for pixels in (clean, np.stack(erased)):
        rows = trained.predict(torch.from_numpy(pixels).float())
        logits = torch.tensor(np.stack([one.logits for one in rows]))
        losses.append(float(binary_cross_entropy(logits.sigmoid(), torch.from_numpy(held.targets).double())))
    np.testing.assert_allclose(best["loss"], losses[0], rtol=0.01)
    np.testing.assert_allclose(best["erased_loss"], losses[1], rtol=0.05)  # the noise of the searches differs
    assert losses[1] > 1.2 * losses[0]
    np.testing.assert_allclose(best["objective"], 0.3 * best["loss"] + 0.7 * best["erased_loss"], rtol=1e-6)
    assert best["objective"] == min(one["objective"] for one in result.history)


def test_a_finished_training_is_not_repeated_and_another_one_is_refused(tmp_path):
    settings = quick(erase="none")
    first = train_classifier(square_network(), squares(12), tmp_path / "out", settings)
    told = []
    again = train_classifier(
        square_network(), squares(12), tmp_path / "out", settings, on_work=lambda *told_now: told.append(told_now)
    )
    assert (again.best_epoch, again.history) == (first.best_epoch, first.history)
    assert not told
    with pytest.raises(TrainingError, match="a folder for this training"):
        train_classifier(square_network(), squares(12, 1), tmp_path / "out", settings)


@pytest.mark.parametrize(
    "dies",
    [("training", 1), ("training", 4), ("searching, epoch 3", 3), ("searching, validation 2", 1), ("training", 8)],
)
def test_killed_and_called_again_it_ends_with_the_same_weights(tmp_path, dies):
    settings = quick(erase="mix", epochs=3, steps=3, learning_rate=0.1, patience=5)
    whole = train_classifier(square_network(), squares(18), tmp_path / "whole", settings)
    code = f"""
import os, sys
sys.path[:0] = {[str(Path(__file__).parents[1])]!r}
from training_sets import quick, square_network, squares
from unveil.training import train_classifier
def tell(what, done, total, remark):
    if what == {dies[0]!r} and done >= {dies[1]}:
        os._exit(9)
train_classifier(square_network(), squares(18), {str(tmp_path / "killed")!r}, quick(erase="mix", epochs=3, steps=3,
    learning_rate=0.1, patience=5), on_work=tell)
"""
    killed = subprocess.run([sys.executable, "-c", code], env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False)
    assert killed.returncode == 9
    again = train_classifier(square_network(), squares(18), tmp_path / "killed", settings)
    assert again.weights.read_bytes() == whole.weights.read_bytes()
    assert again.history == whole.history


def test_a_checkpoint_holds_no_pickled_code(tmp_path):
    train_classifier(square_network(), squares(12), tmp_path / "out", quick(erase="none"))
    kept = torch.load(tmp_path / "out" / "last.ckpt", weights_only=True)
    assert kept["global_step"] == 6


class _Explodes(nn.Module):
    """Logits that aren't finite at its second step."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shape (n, 3)."""
        self.calls += self.training
        rows = x.amax((2, 3)) * self.weight
        return rows * torch.nan if self.training and self.calls == 2 else rows


def test_a_loss_that_is_not_finite_names_the_step_and_keeps_the_best_weights(tmp_path):
    classifier = TorchClassifier(_Explodes(), square_network().preprocessing, LABELS, output="sigmoid")
    with pytest.raises(TrainingError, match=r"(nan|inf) at step 2"):
        train_classifier(classifier, squares(12), tmp_path / "out", quick(erase="none", steps=3))
    # An epoch that ends well leaves its weights, and a later failure doesn't take them.
    with pytest.raises(TrainingError, match=r"at step 2"):
        train_classifier(classifier, squares(12), tmp_path / "kept", quick(erase="none", steps=1))
    assert load_file(tmp_path / "kept" / "model.safetensors")["weight"].isfinite()
    assert len(json.loads((tmp_path / "kept" / "history.json").read_text())) == 1


def test_a_classifier_without_weights_to_train_is_refused(tmp_path):
    class Fixed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.amax((2, 3))

    fixed = TorchClassifier(Fixed(), square_network().preprocessing, LABELS, output="sigmoid")
    with pytest.raises(TrainingError, match="a classifier with weights to train"):
        train_classifier(fixed, squares(6), tmp_path / "out", quick())


def test_a_missing_class_and_a_single_group_are_refused(tmp_path):
    examples = squares(12)
    with pytest.raises(UnveilError, match="images of red; got none for training"):
        only = examples.choose([row for row in range(12) if row % 3])
        train_classifier(square_network(), only, tmp_path / "out", quick(), validation=squares(3))
    one = type(examples)(examples.pixels, examples.targets, ("same",) * 12, examples.names)
    with pytest.raises(TrainingError, match="enough images for training and validation"):
        train_classifier(square_network(), one, tmp_path / "out", quick())


def test_a_full_disk_is_one_error(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("unveil.training.trainer.save_file", full)
    with pytest.raises(UnveilError, match="(?i)space|disk"):
        train_classifier(square_network(), squares(12), tmp_path / "out", quick(erase="none"))


def test_a_softmax_network_is_trained_as_well(tmp_path):
    result = train_classifier(
        square_network(output="softmax"), squares(24), tmp_path / "out", quick(epochs=3, steps=10)
    )
    assert result.history[-1]["accuracy"] == 1
