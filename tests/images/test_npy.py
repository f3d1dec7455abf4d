"""Arrays in .npy files: read as the arrays themselves, never unpickled, checked before they are read."""

import io

import numpy as np
import pytest
from refusals import refused

from unveil.images import Image, read_image

RNG = np.random.default_rng(11)


@pytest.mark.parametrize("shape", [(16, 24), (3, 16, 24), (16, 24, 3), (16, 24, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, ">f8"])
def test_an_array_from_a_file_is_the_array(tmp_path, shape, dtype):
    values = (RNG.random(shape) * (255 if dtype is np.uint8 else 1)).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    image = read_image(tmp_path / "a.npy")
    expected = Image.from_array(values)
    assert np.array_equal(image.pixels, expected.pixels)
    assert image.source == str(tmp_path / "a.npy")


@pytest.mark.parametrize("count", [2, 4, 13])
def test_channels_are_found_by_their_number(tmp_path, count):
    values = RNG.random((count, 16, 24))
    np.save(tmp_path / "first.npy", values)
    np.save(tmp_path / "last.npy", values.transpose(1, 2, 0))
    for name in ("first", "last"):
        image = read_image(tmp_path / f"{name}.npy", channels=count)
        np.testing.assert_allclose(image.pixels, values, rtol=1e-6)
    if count != 4:
        refused(tmp_path / "first.npy", r"one axis of 1, 3 or 4 channels; got shape")


def test_a_value_range_is_applied(tmp_path):
    np.save(tmp_path / "a.npy", np.full((9, 9), -300, np.int16))
    image = read_image(tmp_path / "a.npy", value_range=(-1000, 400))
    np.testing.assert_allclose(image.pixels, 0.5)


def test_files_that_are_none(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((20, 20), np.uint8))
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    refused(path, "a whole .npy file; got .*damaged or cut off")
    path.write_bytes(b"no array")
    refused(path, "a whole .npy file")
    np.save(path, np.array([{"a": 1}]), allow_pickle=True)
    refused(path, "an array of numbers; got .*of dtype object")
    np.save(path, np.array(["text"]))
    refused(path, "an array of numbers")
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"shape": (1 << 20, 1 << 20), "fortran_order": False, "descr": "|u1"})
    path.write_bytes(buffer.getvalue())
    refused(path, "an array of at most 100 megapixels; got .*1048576")
    np.save(path, np.zeros((20, 20, 3), np.uint8))
    refused(path, "at most 0 megapixels", max_pixels=399)
    assert read_image(path, max_pixels=400).shape == (20, 20)
