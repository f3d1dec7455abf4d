"""Image processors of transformers: the same pixels as theirs on other pictures than those that they were probed with."""

import numpy as np
import pytest
import torch
import transformers
from scipy import ndimage

from unveil.classifiers import Fit, Interpolation, Preprocessing
from unveil.classifiers.sources.image_processors import read_image_processor
from unveil.errors import ClassifierError
from unveil.images import Image

SIDE = {"height": 64, "width": 64}
CROP = {"crop_size": SIDE, "do_center_crop": True}
# Processors round to whole levels after resizing, some twice; bicubic ones also cut off what overshoots in between.
MEAN_LEVELS, MAX_LEVELS = 0.5, 2.0

PROCESSORS = {
    "squashed": ("ViTImageProcessor", {"size": SIDE}, 64, Fit.SQUASH),
    "squashed onto a rectangle": ("ViTImageProcessor", {"size": {"height": 48, "width": 80}}, 80, Fit.SQUASH),
    "bicubic": ("SiglipImageProcessor", {"size": SIDE, "resample": 3}, 64, Fit.SQUASH),
    "squashed and cropped": ("BeitImageProcessor", {"size": {"height": 72, "width": 72}, **CROP}, 72, Fit.SQUASH),
    "shorter side": ("CLIPImageProcessor", {"size": {"shortest_edge": 70}, **CROP}, 70, Fit.SHORTER_SIDE_CROP_DOWN),
    "padded": ("CLIPImageProcessor", {"size": {"shortest_edge": 52}, **CROP}, 52, Fit.SHORTER_SIDE_CROP_DOWN),
    "share of the crop": ("ConvNextImageProcessor", {"size": {"shortest_edge": 64}}, 73, Fit.SHORTER_SIDE_CROP_DOWN),
    "share, given": (
        "ConvNextImageProcessor",
        {"size": {"shortest_edge": 64}, "crop_pct": 0.95, "resample": 2},
        67,
        Fit.SHORTER_SIDE_CROP_DOWN,
    ),
    "large ones are squashed": ("ConvNextImageProcessor", {"size": {"shortest_edge": 384}}, 384, Fit.SQUASH),
    "LeViT": ("LevitImageProcessor", {"size": {"shortest_edge": 64}, **CROP}, 73, Fit.SHORTER_SIDE_CROP_DOWN),
    "PoolFormer": ("PoolFormerImageProcessor", {"size": {"shortest_edge": 64}, **CROP}, 71, Fit.SHORTER_SIDE_CROP_DOWN),
    "twice normalized": ("EfficientNetImageProcessor", {"size": SIDE, "resample": 2}, 64, Fit.SQUASH),
    "with an offset": (
        "EfficientNetImageProcessor",
        {"size": SIDE, "resample": 3, "rescale_offset": True, "rescale_factor": 1 / 127.5, "include_top": False},
        64,
        Fit.SQUASH,
    ),
    "not rescaled": ("ViTImageProcessor", {"size": SIDE, "do_rescale": False}, 64, Fit.SQUASH),
    "not normalized": ("ViTImageProcessor", {"size": SIDE, "do_normalize": False}, 64, Fit.SQUASH),
    "other channels": ("ViTImageProcessor", {"size": SIDE, "image_mean": [0.1, 0.2, 0.3], "image_std": [1, 2, 0.5]}, 64, Fit.SQUASH),
}  # fmt: skip


if int(transformers.__version__.split(".")[0]) < 5:
    del PROCESSORS["padded"]  # by half a pixel more, as no `Preprocessing` does it


def make(name, options):
    return getattr(transformers, name)(**options)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth shapes and a little noise, uint8 (h, w, 3)."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(height, width, 3)), (4, 4, 0))
    levels = 128 + 40 * smooth / smooth.std() + rng.normal(size=(height, width, 3)) * 5
    return levels.clip(20, 235).round().astype(np.uint8)


@pytest.mark.parametrize("case", PROCESSORS)
def test_pixels_are_those_of_the_processor(case):
    name, options, resize, fit = PROCESSORS[case]
    processor = make(name, options)
    preprocessing = read_image_processor(processor, 3)
    assert (preprocessing.resize, preprocessing.fit) == (resize, fit)
    for height, width in ((211, 300), (303, 208), (200, 203), (40, 50)):
        image = picture(height, width)
        expected = processor(images=image, return_tensors="pt", input_data_format="channels_last").pixel_values
        pixels, _ = preprocessing.apply(Image.from_array(image))
        found = preprocessing.normalize(pixels[None])
        assert found.shape == expected.shape
        levels = (found - expected).abs()[0] * torch.tensor(preprocessing.std)[:, None, None] * 255
        assert levels.mean() < MEAN_LEVELS
        assert levels.max() < MAX_LEVELS


def test_numbers_are_those_that_the_processor_states():
    """Not those that were measured, which differ in the last digits."""
    processor = make("ViTImageProcessor", {"size": SIDE, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]})  # fmt: skip
    assert read_image_processor(processor, 3) == Preprocessing.square(64, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_gray_images():
    processor = make("ViTImageProcessor", {"size": SIDE, "image_mean": [0.13], "image_std": [0.31]})
    preprocessing = read_image_processor(processor, 1)
    assert preprocessing == Preprocessing.square(64, (0.13,), (0.31,))
    image = picture(90, 120)[:, :, :1]
    expected = processor(images=image, return_tensors="pt", input_data_format="channels_last").pixel_values
    pixels, _ = preprocessing.apply(Image.from_array(image[:, :, 0]))
    np.testing.assert_allclose(preprocessing.normalize(pixels[None]), expected, atol=1.1 / 255 / 0.31)


def test_a_crop_that_begins_at_half_a_pixel():
    """67 px wide onto 64: 1.5 px are cut off, and both ways differ by one pixel."""
    processor = make("CLIPImageProcessor", {"size": {"shortest_edge": 64}, **CROP})
    preprocessing = read_image_processor(processor, 3)
    image = picture(64, 67)
    pixels, geometry = preprocessing.apply(Image.from_array(image))
    np.testing.assert_allclose(pixels, image[:, 1:65].transpose(2, 0, 1) / 255, atol=1e-6)
    assert geometry.offset == (0, 1)
    rounded = Preprocessing((64, 64), (0.5,) * 3, (0.5,) * 3, 64)
    np.testing.assert_allclose(
        rounded.apply(Image.from_array(image))[0], image[:, 2:66].transpose(2, 0, 1) / 255, atol=1e-6
    )


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ViTImageProcessor", {"size": SIDE, "resample": 0}, "the interpolation nearest"),
        ("ViTImageProcessor", {"size": SIDE, "resample": 1}, "the interpolation Lanczos"),
        ("ViTImageProcessor", {"do_resize": False}, "different sizes for different images"),
        ("CLIPImageProcessor", {"size": {"shortest_edge": 64}, "do_center_crop": False}, "different sizes"),
        ("MobileViTImageProcessor", {"size": {"shortest_edge": 64}, **CROP}, "in the order blue, green, red"),
        ("PerceiverImageProcessor", {"size": SIDE, "crop_size": {"height": 72, "width": 72}}, "with other steps"),
        ("ViTImageProcessor", {"size": {"height": 100_000, "width": 100_000}}, "100000 px; check its file"),
        ("ViTImageProcessor", {"size": SIDE, "image_std": [-1, 1, 1]}, "white above black"),
        ("ViTImageProcessor", {"size": SIDE, "image_mean": [0.5], "image_std": [0.5, 0.5]}, "give a preprocessing"),
        ("ImageGPTImageProcessor", {"clusters": [[0, 0, 0], [1, 1, 1]], "size": SIDE}, "one array of pixels"),
    ],
)
def test_what_cannot_be_expressed_is_refused_with_the_reason(name, options, message):
    with pytest.raises(ClassifierError, match=message) as error:
        read_image_processor(make(name, options), 3)
    assert "\n" not in str(error.value)


def test_every_interpolation_that_a_preprocessing_has_is_found():
    for resample, interpolation in ((2, Interpolation.BILINEAR), (3, Interpolation.BICUBIC)):
        processor = make("ViTImageProcessor", {"size": SIDE, "resample": resample})
        assert read_image_processor(processor, 3).interpolation is interpolation
