"""Changes of a preprocessing: what is given replaces the model's own, the rest stays, and nonsense is refused."""

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from unveil.classifiers import Fit, Interpolation, Preprocessing, PreprocessingChanges, load_classifier
from unveil.errors import ClassifierError, UnveilError
from unveil.images import Image

OWN = Preprocessing(
    (224, 224), (0.4, 0.5, 0.6), (0.2, 0.25, 0.3), 256, Fit.SHORTER_SIDE, Interpolation.BICUBIC, value_range=(0, 2000)
)


def test_nothing_given_changes_nothing():
    assert PreprocessingChanges().is_empty
    assert PreprocessingChanges().applied_to(OWN) == OWN
    assert OWN.replaced() == OWN
    assert not PreprocessingChanges(size=(224, 224)).is_empty


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"size": (448, 448)}, {"crop": (448, 448), "resize": 512}),
        ({"size": (112, 448)}, {"crop": (112, 448), "resize": 128}),
        ({"size": (16, 32, 64)}, {"crop": (16, 32, 64), "resize": 64, "fit": Fit.SQUASH}),
        ({"mean": (0.1,)}, {"mean": (0.1, 0.1, 0.1)}),
        ({"mean": (0.1, 0.2, 0.3)}, {"mean": (0.1, 0.2, 0.3)}),
        ({"std": (0.5,)}, {"std": (0.5, 0.5, 0.5)}),
        ({"channels": 3}, {}),
        ({"channels": 1}, {"mean": (0.5,), "std": (0.25,)}),
        ({"channels": 4}, {"mean": (0.5,) * 4, "std": (0.25,) * 4}),
        ({"mean": (0.1, 0.9)}, {"mean": (0.1, 0.9), "std": (0.25, 0.25)}),
        ({"channels": 2, "mean": (0.1,), "std": (0.2, 0.3)}, {"mean": (0.1, 0.1), "std": (0.2, 0.3)}),
        ({"value_range": (-1000, 400)}, {"value_range": (-1000, 400)}),
    ],
)
def test_what_is_given_replaces_the_model_s_own(given, expected):
    changed = OWN.replaced(**given)
    wanted = replace(OWN, **expected)
    assert {name: value for name, value in vars(changed).items() if name not in ("mean", "std")} == {
        name: value for name, value in vars(wanted).items() if name not in ("mean", "std")
    }
    np.testing.assert_allclose(changed.mean, wanted.mean)
    np.testing.assert_allclose(changed.std, wanted.std)


def test_a_squashed_image_is_squashed_onto_the_new_size():
    own = Preprocessing.square(64, (0.5,), (0.25,))
    assert own.replaced(size=(28, 56)) == Preprocessing.whole((28, 56), (0.5,), (0.25,))
    pixels, _ = own.replaced(size=(28, 28)).apply(Image.from_array(np.full((90, 30), 51, np.uint8)))
    np.testing.assert_allclose(pixels, np.full((1, 28, 28), 0.2), atol=1e-6)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"size": (7, 28)}, "sides of 8 to 8192 px"),
        ({"size": (9000, 28)}, "sides of 8 to 8192 px"),
        ({"size": (8192, 8192, 8)}, "at most 67,108,864 in all"),
        ({"size": (28,)}, "give two or three sides"),
        ({"channels": 0}, "1 to 1024 channels; got 0"),
        ({"channels": 99999}, "1 to 1024 channels"),
        ({"mean": (123.675, 116.28, 103.53)}, "means in .0, 1.; got 123.675, 116.28, 103.53; .*divide means .* by 255"),
        ({"mean": (np.nan,)}, "means in .0, 1.; got nan"),
        ({"mean": ()}, "as many means and deviations as channels"),
        ({"std": (58.0,)}, "deviations above 0, at most 10; got 58; .*by 255"),
        ({"std": (0.0,)}, "deviations above 0"),
        ({"std": (-0.2,)}, "deviations above 0"),
        ({"std": (np.nan,)}, "deviations above 0"),
        ({"mean": (0.1, 0.2), "std": (0.1, 0.2, 0.3)}, "got 2 means, 3 deviations; give one value per channel"),
        ({"mean": (0.1, 0.2), "channels": 3}, "got 2 means for 3 channels"),
        ({"value_range": (5.0, 5.0)}, "a value range"),
    ],
)
def test_what_no_network_has_is_refused(given, told):
    with pytest.raises(UnveilError, match=told) as error:
        PreprocessingChanges(**given)
    assert "\n" not in str(error.value)
    with pytest.raises(UnveilError, match=told):
        OWN.replaced(**given)


def test_a_classifier_is_loaded_with_changes_of_the_default():
    network = nn.Sequential(nn.Conv2d(1, 2, 28), nn.Flatten())
    with pytest.raises(ClassifierError, match="3x224x224"):
        load_classifier(network)
    changes = PreprocessingChanges(size=(28, 28), channels=1, mean=(0.13,), std=(0.31,))
    preprocessing = load_classifier(network, preprocessing=changes).preprocessing
    assert (preprocessing.crop, preprocessing.mean, preprocessing.std) == ((28, 28), (0.13,), (0.31,))


def test_changes_of_a_source_s_own_preprocessing():
    own = load_classifier("planted/demo").preprocessing
    changed = load_classifier("planted/demo", preprocessing=PreprocessingChanges(std=(0.5,))).preprocessing
    assert changed == replace(own, std=(0.5,) * own.channels)
