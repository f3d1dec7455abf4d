"""Previews: exact for small images, area means for large ones, bounded whatever a file promises."""

import struct

import numpy as np
import pytest

from unveil.errors import ImageError
from unveil.images import Image
from unveil.images.png_encoding import encode_png
from unveil.images.preview import Preview, make_preview, preview_shape, reduce_area

DRAW = np.random.default_rng(0)


@pytest.mark.parametrize(
    "pixels",
    [
        DRAW.integers(0, 256, (9, 13), dtype=np.uint8),
        DRAW.integers(0, 256, (9, 13, 3), dtype=np.uint8),
        DRAW.integers(40000, 65536, (9, 13), dtype=np.uint16),
    ],
    ids=["gray", "rgb", "16 bits"],
)
def test_small_images_are_kept_exactly(pixels):
    preview = make_preview(Image.from_array(pixels))
    assert preview.shape == (9, 13)
    assert np.array_equal(preview.to_array(), pixels)
    assert preview.to_array().dtype == pixels.dtype


def test_values_between_the_ends_of_a_range_have_16_bits():
    pixels = np.linspace(-1000, 3000, 8 * 16).reshape(8, 16)
    preview = make_preview(Image.from_array(pixels, value_range=(-1000, 3000)))
    assert preview.bits == 16
    assert np.abs(preview.to_array() / 65535 * 4000 - 1000 - pixels).max() < 0.05


def test_large_images_become_area_means():
    """Against means over blocks, where the sides divide, and against finer copies of the pixels, where they don't."""
    plane = DRAW.random((12, 20))
    blocks = plane.reshape(4, 3, 5, 4).mean(axis=(1, 3))
    assert np.allclose(reduce_area(plane, (4, 5)), blocks, atol=1e-6)
    copies = np.kron(plane, np.ones((5, 3)))  # 60 x 60: 5 rows of 12, 3 columns of 20
    assert np.allclose(reduce_area(plane, (5, 3)), copies.reshape(5, 12, 3, 20).mean(axis=(1, 3)), atol=1e-6)


def test_the_longer_side_has_2048_pixels():
    preview = make_preview(Image.from_array(np.full((40, 5000), 7, dtype=np.uint8)))
    assert preview.shape == preview_shape((40, 5000)) == (16, 2048)
    assert np.unique(preview.to_array()).tolist() == [7]


def test_volumes_have_none_and_other_channels_are_shown_by_the_first():
    assert make_preview(Image.from_array(np.zeros((8, 8, 8)), axes="d h w")) is None
    pixels = DRAW.integers(0, 256, (2, 9, 13), dtype=np.uint8)
    assert np.array_equal(make_preview(Image.from_array(pixels, axes="c h w")).to_array(), pixels[0])


def bomb() -> bytes:
    png = encode_png(np.zeros((8, 8), dtype=np.uint8))
    return png[:16] + struct.pack(">II", 60000, 60000) + png[24:]


@pytest.mark.parametrize("content", [b"", b"GIF89a", bomb(), b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_other_files_are_refused(content):
    with pytest.raises(ImageError, match="make it with make_preview"):
        Preview(content)


def test_a_cut_off_file_is_noticed_when_it_is_decoded():
    preview = make_preview(Image.from_array(DRAW.integers(0, 256, (64, 64), dtype=np.uint8)))
    with pytest.raises(ImageError, match="damaged"):
        Preview(preview.png[:2000]).to_array()
