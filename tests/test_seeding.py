"""Seeds: which numbers are one, and that every use refuses the others."""

import numpy as np
import pytest

import unveil
from unveil.errors import RecipeError
from unveil.maximization import maximize
from unveil.seeding import check_seed


@pytest.mark.parametrize("seed", [0, 7, 2**63 - 1, np.int64(7), np.uint8(7)])
def test_integers_from_zero_on_are_seeds(seed):
    assert check_seed(seed) == int(seed)
    assert type(check_seed(seed)) is int


@pytest.mark.parametrize("seed", [-1, -5, 2**63, 10**23, 1e23, 0.0, True, "7", None, np.float32(3)])
def test_anything_else_is_refused(seed):
    with pytest.raises(RecipeError, match="seed"):
        check_seed(seed)


@pytest.mark.parametrize("seed", [-5, 10**23])
def test_every_function_with_a_seed_refuses_it(seed, tmp_path):
    classifier = unveil.load_classifier("planted/demo")
    image = np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(RecipeError, match="seed"):
        unveil.find_regions(image, classifier, "demo", seed=seed)
    with pytest.raises(RecipeError, match="seed"):
        unveil.run_images([], classifier, "demo", out=tmp_path / "out", seed=seed)
    with pytest.raises(RecipeError, match="seed"):
        maximize(classifier, unveil.Class("oak"), seed=seed)
