"""Preparation against the libraries' own transforms, on the same image."""

import numpy as np
import pytest
import timm.data
import torch
import torchvision
from PIL import Image as Pillow

from unveil.classifiers import Fit, Interpolation, Preprocessing
from unveil.classifiers.loading import load_classifier
from unveil.errors import ClassifierError
from unveil.images import Image

RNG = np.random.default_rng(0)


def photograph(height: int, width: int) -> np.ndarray:
    """Smooth colors with some texture, 8 bit."""
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 9 + y / 31), np.cos(y / 7), np.sin((x + y) / 13)], 2)
    return np.clip(128 + 100 * waves + 10 * RNG.standard_normal((height, width, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(300, 400), (500, 375), (224, 224), (230, 1000), (100, 150)])
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "efficientnet_b0", "convnext_tiny", "inception_v3"])
def test_torchvision_s_own_transforms(name, size):
    weights = torchvision.models.get_model_weights(name).DEFAULT
    pixels = photograph(*size)
    theirs = weights.transforms()(torch.from_numpy(pixels).permute(2, 0, 1))
    from unveil.classifiers.sources.torchvision import _preparation  # noqa: PLC0415

    preprocessing = _preparation(weights)
    ours, geometry = preprocessing.apply(Image.from_array(pixels))
    normal = preprocessing.normalize(ours[None])[0]
    assert normal.shape == theirs.shape
    assert geometry.model_shape == tuple(theirs.shape[1:])
    # They round to 8 bits after resizing; ours keeps the fractions: half a gray value, and its share of the deviation.
    assert float((normal - theirs).abs().max()) < 1.2 / 255 / min(preprocessing.std)
    assert float((normal - theirs).abs().mean()) < 0.4 / 255 / min(preprocessing.std)


@pytest.mark.parametrize("size", [(300, 400), (500, 375)])
@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "mobilenetv3_small_100"])
def test_timm_s_own_transforms(name, size):
    module = timm.create_model(name)
    theirs_of = timm.data.create_transform(**timm.data.resolve_data_config({}, model=module))
    pixels = photograph(*size)
    theirs = theirs_of(Pillow.fromarray(pixels))
    preprocessing = load_classifier(f"timm/{name}", "none").preprocessing
    ours, _ = preprocessing.apply(Image.from_array(pixels))
    normal = preprocessing.normalize(ours[None])[0]
    assert normal.shape == theirs.shape
    assert float((normal - theirs).abs().mean()) < 0.6 / 255 / min(preprocessing.std)


def test_the_geometry_is_where_the_pixels_come_from():
    """A bright block in the source lands where the geometry says."""
    pixels = np.zeros((300, 500), np.uint8)
    pixels[90:150, 200:280] = 255
    grid, geometry = Preprocessing((64, 64), (0.5,), (0.5,), 80).apply(Image.from_array(pixels))
    expected = geometry.region_to_model(pixels > 0)
    assert expected.any()
    assert np.count_nonzero((grid[0].numpy() > 0.5) != expected) <= 0.02 * expected.size
    assert (grid[0].numpy()[expected] > 0.4).all()


def test_an_image_smaller_than_the_crop_is_padded_and_the_geometry_knows():
    grid, geometry = Preprocessing((40, 40), (0.0,), (1.0,), 20).apply(
        Image.from_array(np.full((20, 20), 255, np.uint8))
    )
    assert float(grid.sum()) == pytest.approx(400)
    assert np.array_equal(geometry.region_to_model(np.ones((20, 20), bool)), grid[0].numpy() > 0.5)


def test_gray_to_color_and_back():
    gray, color = Preprocessing((16, 16), (0.0,), (1.0,), 16), Preprocessing((16, 16), (0.0,) * 3, (1.0,) * 3, 16)
    values = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    luma, _ = gray.apply(Image.from_array(values))
    np.testing.assert_allclose(luma[0] * 255, np.asarray(Pillow.fromarray(values).convert("L")), atol=1.0)
    three, _ = color.apply(Image.from_array(values[..., 0]))
    assert all(torch.equal(three[0], three[c]) for c in (1, 2))


def test_squash_keeps_everything():
    _, geometry = Preprocessing.square(32, (0.0,), (1.0,)).apply(Image.from_array(np.zeros((50, 90), np.uint8)))
    assert geometry.visible().all()
    assert (geometry.scale, geometry.offset) == ((50 / 32, 90 / 32), (0.0, 0.0))
    tall = Preprocessing((64, 32), (0.0,), (1.0,), 64, Fit.SQUASH, Interpolation.BICUBIC)
    pixels, geometry = tall.apply(Image.from_array(np.zeros((50, 90), np.uint8)))
    assert pixels.shape == (1, 64, 32)
    assert geometry.visible().all()


def test_values_outside_their_range():
    with pytest.raises(ClassifierError, match="as many means"):
        Preprocessing((8, 8), (0.0,), (1.0, 1.0), 8)
    with pytest.raises(ClassifierError, match="as many means as positive"):
        Preprocessing((8, 8), (0.0,), (0.0,), 8)
    with pytest.raises(ClassifierError, match="3 spatial axes"):
        Preprocessing((8, 8, 8), (0.0,), (1.0,), 8).apply(Image.from_array(np.zeros((9, 9), np.uint8)))


def test_an_image_too_elongated_to_be_resized_is_refused():
    preprocessing = Preprocessing((224, 224), (0.5,) * 3, (0.2,) * 3, 256)
    pixels, _ = preprocessing.apply(Image.from_array(np.zeros((8, 3000), np.uint8)))
    assert pixels.shape == (3, 224, 224)
    told = r"an image that isn't so elongated; got 8x100000, which would be resized to 256x3200000; cut out a part"
    with pytest.raises(ClassifierError, match=told):
        preprocessing.apply(Image.from_array(np.zeros((8, 100_000), np.uint8)))
    squashed = Preprocessing.square(32, (0.5,), (0.2,)).apply(Image.from_array(np.zeros((8, 100_000), np.uint8)))
    assert squashed[0].shape == (1, 32, 32)


@pytest.mark.parametrize("count", [2, 4, 13])
def test_any_number_of_channels(count):
    mean, std = tuple(np.linspace(0.1, 0.9, count)), tuple(np.linspace(0.2, 0.4, count))
    preprocessing = Preprocessing.square(32, mean, std)
    values = np.random.default_rng(0).random((count, 32, 32)).astype(np.float32)
    pixels, _ = preprocessing.apply(Image.from_array(values, channels=count))
    np.testing.assert_allclose(pixels, values, atol=1e-6)
    expected = (values - np.array(mean)[:, None, None]) / np.array(std)[:, None, None]
    np.testing.assert_allclose(preprocessing.normalize(pixels[None])[0], expected, atol=1e-5)


@pytest.mark.parametrize(("has", "wants"), [(1, 2), (1, 4), (3, 4), (3, 13), (13, 3), (2, 1), (13, 1), (5, 13)])
def test_an_image_and_a_network_with_other_channels(has, wants):
    image = Image.from_array(np.full((has, 32, 32), 0.5), channels=has)
    with pytest.raises(ClassifierError, match=f"an image with {wants} channels; got {has}; give the channels"):
        Preprocessing.square(32, (0.5,) * wants, (0.2,) * wants).apply(image)


def test_no_channels_at_all():
    with pytest.raises(ClassifierError, match="at least 1 channel; got no means"):
        Preprocessing.square(32, (), ())
