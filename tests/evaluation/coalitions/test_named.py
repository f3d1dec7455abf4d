"""Coalition methods against additive truth, interactions, and numbers of passes that are counted elsewhere."""

import sys

import numpy as np
import pytest
import torch
from additive import CELL, SIDE, WEIGHTS, additive_network, cells_image, true_maps

from unveil.classifiers import BlackBox, Preprocessing
from unveil.classifiers.engine.passes import counting_passes
from unveil.errors import MissingLibraryError
from unveil.evaluation.coalitions.base import CoalitionGame, CoalitionMethod
from unveil.evaluation.coalitions.named import coalition_methods
from unveil.evaluation.coalitions.superpixels import SuperpixelLime

LABELS = [1, 0]
# Quickshift's usual settings are for photographs; with these, superpixels are the cells of the image.
METHODS = {**coalition_methods(), "LIME": SuperpixelLime(max_dist=10, ratio=1.0)}
LIBRARIES = {"PartitionSHAP": "shap", "ShapBPT": "shap_bpt", "LIME": "skimage"}


@pytest.fixture(params=METHODS)
def method(request) -> CoalitionMethod:
    """One that is installed."""
    pytest.importorskip(LIBRARIES[request.param], exc_type=ImportError)
    return METHODS[request.param]


def game() -> CoalitionGame:
    return CoalitionGame(additive_network(), cells_image(), LABELS, "stream")


def by_cell(maps: np.ndarray) -> np.ndarray:
    """The sum of a map over each cell."""
    return maps.reshape(len(maps), SIDE // CELL, CELL, SIDE // CELL, CELL).sum((2, 4))


def test_cells_have_what_they_add(method):
    """Owen values of an additive game are the cells' own; LIME's lasso finds the same but for its shrinkage."""
    maps = method.maps(game(), 400)
    if method.name == "LIME":
        mean = by_cell(maps) / CELL**2
        assert np.abs(mean - WEIGHTS[LABELS]).max() < 0.15
    else:
        assert np.allclose(by_cell(maps), WEIGHTS[LABELS], atol=1e-9)
        assert np.allclose(maps, true_maps(LABELS), atol=1e-9), "spread evenly over each cell"


def test_as_many_passes_as_asked_for(method):
    """The network itself is counted, and all labels share the passes."""
    for passes in (40, 61):
        network = additive_network()
        with counting_passes() as count:
            method.maps(CoalitionGame(network, cells_image(), LABELS, "stream"), passes)
        assert passes <= count.total <= passes + 1


def test_both_parts_that_suffice_are_found(method):
    """Where one of two cells is enough, logit = 6 · max over both, the Shapley value of each is 3."""

    def either(images: np.ndarray) -> np.ndarray:
        shown = (np.abs(images).max(1) > 0.1).astype(float)
        first = shown[:, :CELL, CELL : 2 * CELL].mean((1, 2))
        second = shown[:, 2 * CELL : 3 * CELL, 3 * CELL :].mean((1, 2))
        return np.stack([6 * np.maximum(first, second), np.zeros(len(images))], axis=1)

    preprocessing = Preprocessing.square(SIDE, (0.5,) * 3, (1.0,) * 3)
    network = BlackBox(either, preprocessing, ["a", "b"], output="softmax", returns="logits")
    (values,) = by_cell(method.maps(CoalitionGame(network, cells_image(), [0], "stream"), 400))
    strongest = np.argsort(-values.ravel())[:2]
    assert set(strongest) == {1, 2 * (SIDE // CELL) + 3}
    if method.name != "LIME":
        assert np.allclose(values.ravel()[strongest], 3, atol=1e-9)
        assert np.isclose(values.sum(), 6), "all values add up to the logit"


def test_repeatable_and_without_a_trace_in_global_random_numbers(method):
    np.random.seed(3)
    torch.manual_seed(3)
    expected = np.random.rand(), torch.rand(1)
    np.random.seed(3)
    torch.manual_seed(3)
    first = method.maps(game(), 50)
    assert (np.random.rand(), torch.rand(1)) == expected
    assert np.array_equal(method.maps(game(), 50), first)


@pytest.mark.parametrize("name", METHODS)
def test_missing_libraries_are_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, LIBRARIES[name], None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'unveil\["):
        METHODS[name].maps(game(), 10)


def test_settings_differ():
    settings = [method.settings for method in (*coalition_methods().values(), METHODS["LIME"])]
    assert all(settings.count(one) == 1 for one in settings)
