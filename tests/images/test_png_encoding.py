"""PNG files: what Pillow reads back is what was written."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from unveil.errors import ImageError
from unveil.images.png_encoding import encode_png


def read_back(content: bytes) -> np.ndarray:
    with Pillow.open(io.BytesIO(content)) as image:
        image.verify()
    with Pillow.open(io.BytesIO(content)) as image:
        return np.asarray(image)


@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from(["gray", "rgb", "deep"]), st.integers(0, 2**31))
def test_pillow_reads_the_same_pixels(height, width, kind, seed):
    draw = np.random.default_rng(seed)
    shape = (height, width, 3) if kind == "rgb" else (height, width)
    pixels = draw.integers(0, 65536 if kind == "deep" else 256, shape).astype("uint16" if kind == "deep" else "uint8")
    assert np.array_equal(read_back(encode_png(pixels)), pixels)


def test_smooth_pictures_become_small():
    ramp = np.add.outer(np.arange(200), np.arange(300)).astype(np.uint8)
    assert len(encode_png(ramp)) < ramp.size / 50


@pytest.mark.parametrize("pixels", [np.zeros((2, 2)), np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2, 3), np.uint16)])
def test_other_arrays_are_refused(pixels):
    with pytest.raises(ImageError, match="convert the array"):
        encode_png(pixels)
