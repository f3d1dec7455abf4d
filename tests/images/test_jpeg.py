"""JPEG files whose data end early are refused, complete ones aren't."""

import io
import struct

import numpy as np
import pytest
from PIL import Image as Pillow
from refusals import refused

from unveil.images import read_image
from unveil.images.jpeg import with_extra_data

RNG = np.random.default_rng(5)
NOISE = RNG.integers(0, 256, (200, 150, 3), dtype=np.uint8)
OPTIONS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "no subsampling": {"subsampling": 0},
    "optimized": {"optimize": True},
}


def jpeg(image: Pillow.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def taller(content: bytes) -> bytes:
    """A header that promises twice as many rows as the data hold."""
    at = next(at for at in (content.find(b"\xff\xc0"), content.find(b"\xff\xc2")) if at > 0) + 5
    (height,) = struct.unpack(">H", content[at : at + 2])
    return content[:at] + struct.pack(">H", 2 * height) + content[at + 2 :]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("kind", list(OPTIONS))
def test_data_that_end_early_are_refused_with_and_without_an_end_marker(kind, mode):
    content = jpeg(Pillow.fromarray(NOISE).convert(mode), **OPTIONS[kind])
    assert read_image(content).shape == (200, 150)
    told = "a whole image; got bytes, which is damaged or cut off"
    for share in (0.3, 0.6, 0.9):
        cut = content[: int(share * len(content))].rstrip(b"\xff")
        refused(cut, told)
        refused(cut + b"\xff\xd9", told)
        refused(cut + bytes(len(content)), told)  # a download into a file that had its full length from the start
    if kind != "progressive":
        refused(taller(content), told)


@pytest.mark.parametrize("value", [127, 128, 129, 255])
@pytest.mark.parametrize("kind", list(OPTIONS))
def test_a_complete_picture_with_a_gray_corner_is_read(kind, value):
    values = NOISE.copy()
    values[100:, 50:] = value
    image = read_image(jpeg(Pillow.fromarray(values), quality=95, **OPTIONS[kind]))
    np.testing.assert_allclose(image.pixels[:, 150:, 100:] * 255, value, atol=3)


def test_extra_data_go_to_the_end_of_the_first_picture():
    first, second = (jpeg(Pillow.fromarray(NOISE[:rows])) for rows in (64, 128))
    longer = with_extra_data(first + second)
    assert longer is not None
    assert longer.startswith(first[:-2])
    assert longer.endswith(first[-2:] + second)
    assert len(longer) > len(first + second)
    assert with_extra_data(first[:-2]) is None
    assert with_extra_data(b"\xff\xd8\xff") is None


def test_what_follows_the_picture_does_not_matter():
    content = jpeg(Pillow.fromarray(NOISE))
    plain = read_image(content)
    for more in (bytes(100), b"\xff\xd9", b"a trailer", content):
        assert read_image(content + more).sha256 == plain.sha256
