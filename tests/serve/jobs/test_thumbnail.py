"""Small pictures, decoded again and compared with means of the pixels."""

import io

import numpy as np
from PIL import Image as Pillow

from unveil.images import Image
from unveil.serve.jobs.thumbnail import draw_thumbnail


def decoded(image: Image, **options) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(draw_thumbnail(image, **options))))


def test_small_8_bit_images_stay_as_they_are():
    for shape in ((20, 31), (20, 31, 3)):
        pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        np.testing.assert_array_equal(decoded(Image.from_array(pixels)), pixels)


def test_large_images_are_means():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 64), dtype=np.uint8)
    means = pixels.reshape(10, 4, 16, 4).mean((1, 3))
    assert np.abs(decoded(Image.from_array(pixels), side=16) - means).max() <= 0.51


def test_a_dark_radiograph_is_stretched():
    pixels = np.linspace(100, 4000, 900).reshape(30, 30).astype(np.uint16)
    shown = decoded(Image.from_array(pixels, value_range=(0, 65535)))
    assert shown.min() == 0
    assert shown.max() == 255
    assert (np.diff(shown.astype(int).ravel()) >= 0).all()
    assert abs(int(shown.ravel()[450]) - 127) <= 2


def test_a_constant_image_and_many_channels_are_drawn():
    assert decoded(Image.from_array(np.full((9, 9), 300, np.uint16), value_range=(0, 600))).tolist() == [[128] * 9] * 9
    many = np.random.default_rng(0).integers(0, 256, (9, 9, 5), dtype=np.uint8)
    np.testing.assert_array_equal(decoded(Image.from_array(many, channels_last=True, channels=5)), many[..., 0])


def test_a_volume_shows_its_middle_slice():
    volume = np.random.default_rng(0).integers(0, 256, (9, 10, 11), dtype=np.uint8)
    np.testing.assert_array_equal(decoded(Image.from_array(volume, axes="d h w")), volume[4])
