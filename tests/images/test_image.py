"""Images from arrays and tensors: values, channels, ranges, hashes, and what is refused."""

import numpy as np
import pytest
import torch

from unveil.errors import ImageError, UnveilWarning
from unveil.images import Image, Placement, read_image

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (bool, 1)])
def test_whole_numbers_are_scaled_by_their_full_range(dtype, top):
    values = (RNG.random((9, 11)) * top).round().astype(dtype)
    image = Image.from_array(values)
    assert image.pixels.dtype == np.float32
    assert (image.shape, image.channels, image.value_range) == ((9, 11), 1, (0, top))
    np.testing.assert_allclose(image.pixels[0] * top, values, rtol=1e-6)


def test_channels_first_or_last_give_the_same_pixels():
    last = RNG.integers(0, 256, (9, 11, 3), dtype=np.uint8)
    first = np.ascontiguousarray(last.transpose(2, 0, 1))
    tensor = torch.from_numpy(first)
    expected = first.astype(np.float64) / 255
    for given in (last, first, tensor, last.tolist() and np.asarray(last)):
        np.testing.assert_allclose(Image.from_array(given).pixels, expected, rtol=1e-6)


def test_a_float_tensor_with_a_gradient_of_half_precision():
    tensor = torch.rand(3, 9, 10).half().requires_grad_()
    np.testing.assert_array_equal(read_image(tensor).pixels, tensor.detach().float().numpy())


def test_a_named_range_is_mapped_and_what_is_beyond_is_cut():
    hounsfield = np.linspace(-2000, 2000, 90).reshape(9, 10)
    image = Image.from_array(hounsfield, value_range=(-1000, 1000), spacing_mm=(0.5, 2))
    np.testing.assert_allclose(image.pixels[0], ((hounsfield + 1000) / 2000).clip(0, 1), atol=1e-6)
    assert (image.value_range, image.spacing_mm) == ((-1000, 1000), (0.5, 2.0))


def test_transparency_is_laid_onto_white():
    rgba = RNG.integers(0, 256, (8, 9, 4), dtype=np.uint8)
    alpha = rgba[..., 3:] / 255
    expected = rgba[..., :3] / 255 * alpha + 1 - alpha
    np.testing.assert_allclose(Image.from_array(rgba).pixels, expected.transpose(2, 0, 1), atol=1e-6)


def test_a_volume_is_named_by_its_axes():
    values = RNG.integers(0, 256, (9, 10, 11, 2), dtype=np.uint8)
    last = Image.from_array(values, axes="d h w c", spacing_mm=(3, 0.5, 0.5))
    first = Image.from_array(torch.from_numpy(values.transpose(3, 0, 1, 2).copy()), axes="c d h w")
    gray = Image.from_array(values[..., 1], axes="d h w")
    assert (last.shape, last.channels, last.spacing_mm) == ((9, 10, 11), 2, (3, 0.5, 0.5))
    assert (gray.shape, gray.channels) == ((9, 10, 11), 1)
    np.testing.assert_allclose(last.pixels * 255, values.transpose(3, 0, 1, 2), atol=1e-4)
    assert np.array_equal(first.pixels, last.pixels)
    assert np.array_equal(gray.pixels[0], last.pixels[1])


def test_four_channels_of_a_volume_are_no_transparency():
    values = RNG.random((4, 8, 8, 8)).astype(np.float32)
    image = Image.from_array(values, axes="c d h w")
    assert np.array_equal(image.pixels, values)


def test_axes_may_be_named_for_images_too():
    values = RNG.random((9, 10, 3)).astype(np.float32)
    assert np.array_equal(Image.from_array(values, axes="h w c").pixels, Image.from_array(values).pixels)
    three = RNG.random((3, 9, 3)).astype(np.float32)
    with pytest.raises(ImageError, match="at least 8x8 pixels; got 9x3"):
        Image.from_array(three, axes="c h w")


@pytest.mark.parametrize(
    ("shape", "options", "told"),
    [
        ((9, 9, 9), {}, r'one axis of 1, 3 or 4 channels; got shape \(9, 9, 9\); .*or axes="d h w" for a volume'),
        ((2, 9, 9, 9), {}, 'give one image at a time; a volume with channels has axes="c d h w"'),
        ((9, 9, 9), {"axes": "c d h w"}, r"axes h w, .*; got 'c d h w' for shape \(9, 9, 9\); name every axis"),
        ((9, 9, 9), {"axes": "z y x"}, "got 'z y x' for shape"),
        ((9, 9, 9), {"axes": "d h w", "channels_last": True}, "and channels_last"),
        ((9, 9, 9, 2), {"axes": "c d h w"}, "a volume of at least 8x8x8 voxels; got 9x9x2; give a larger volume"),
        ((9, 9, 7), {"axes": "d h w"}, "got 9x9x7"),
        ((9, 9, 9), {"axes": "d h w", "spacing_mm": (1, 1)}, r"3 positive sizes in mm, one per axis; got \(1.0, 1.0\)"),
        ((9, 9), {"spacing_mm": (1, 0)}, "2 positive sizes in mm"),
        ((9, 9), {"spacing_mm": (1, np.nan)}, "2 positive sizes in mm"),
    ],
)
def test_volumes_that_are_none(shape, options, told):
    with pytest.raises(ImageError, match=told) as error:
        Image.from_array(np.zeros(shape, np.uint8), **options)
    assert "\n" not in str(error.value)


def test_a_range_beyond_float32_gives_no_nan():
    image = Image.from_array(np.linspace(-1e300, 1e300, 81).reshape(9, 9), value_range=(-1e300, 1e300))
    np.testing.assert_allclose(image.pixels[0].ravel(), np.linspace(0, 1, 81), atol=1e-6)
    with pytest.raises(ImageError, match="value range"):
        Image.from_array(np.zeros((9, 9)), value_range=(-1e308, 1e308))


@pytest.mark.parametrize(
    ("affine", "axes", "told"),
    [
        (np.eye(3), "IPL", r"an affine of 4 x 4 finite numbers; got shape \(3, 3\)"),
        (np.full((4, 4), np.nan), "IPL", "an affine of 4 x 4 finite numbers"),
        (np.eye(4), "IPP", "one each of R/L, A/P and S/I; got 'IPP'; name them as IPL or RAS"),
        (np.eye(4), "xyz", "got 'xyz'"),
        (np.eye(4), "IP", "got 'IP'"),
    ],
)
def test_places_that_are_none(affine, axes, told):
    rows = tuple(map(tuple, affine.tolist()))
    with pytest.raises(ImageError, match=told):
        Placement(rows, axes, "RAS")


def test_the_hash_is_of_the_content():
    values = RNG.integers(0, 256, (9, 11), dtype=np.uint8)
    one = Image.from_array(values).sha256
    assert Image.from_array(np.asfortranarray(values), source="elsewhere").sha256 == one
    changed = values.copy()
    changed[8, 10] ^= 1
    wider = Image.from_array(values.astype(np.uint16), value_range=(0, 255))
    others = [Image.from_array(changed), wider, Image.from_array(values.T)]
    assert len({one, *(other.sha256 for other in others)}) == 4


def test_an_image_is_read_as_itself():
    image = Image.from_array(np.zeros((8, 8), np.uint8))
    assert read_image(image) is image


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.full((9, 9), np.nan), "expected finite pixel values; got 81 of 81 that are NaN or infinite; replace them"),
        (np.where(np.eye(9) > 0, np.inf, 0.5), "got 9 of 81 that are NaN"),
        (np.linspace(-0.1, 1, 81).reshape(9, 9), r"float pixels in \[0, 1\]; got -0.1 to 1; give value_range"),
        (np.zeros((7, 9)), "at least 8x8 pixels; got 7x9"),
        (np.zeros((1, 1), np.uint8), "at least 8x8 pixels; got 1x1"),
        (np.zeros((9, 9, 5)), "one axis of 1, 3 or 4 channels"),
        (np.zeros((3, 9, 3)), "give channels_last"),
        (np.zeros((2, 3, 9, 9)), "one image at a time"),
        (np.zeros(9), "one image at a time"),
        (np.zeros((9, 9), np.int32), "uint8, uint16 or float pixels; got int32"),
        (np.zeros((9, 9), complex), "an array of numbers"),
        (np.full((9, 9), "a"), "an array of numbers"),
        (np.array([[{}]]), "an array of numbers"),
    ],
)
def test_what_is_no_image_is_one_clear_line(values, told):
    with pytest.raises(ImageError, match=told) as error:
        Image.from_array(values)
    assert "\n" not in str(error.value)


def test_a_range_that_is_none():
    with pytest.raises(ImageError, match="value range"):
        Image.from_array(np.zeros((9, 9)), value_range=(1, 1))
    with pytest.raises(ImageError, match="check channels_last"):
        Image.from_array(np.zeros((3, 9, 9)), channels_last=True)


def test_a_constant_image_is_an_image():
    assert float(np.ptp(Image.from_array(np.full((9, 9), 0.5)).pixels)) == 0


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_large_images_are_converted_in_parts_without_seams(monkeypatch, last, dtype):
    """By the formula for all pixels at once, with parts of one row and of a few."""
    top = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    values = (RNG.random((4, 13, 17)) * top).astype(dtype)
    scaled = values.astype(np.float64) / top
    expected = scaled[:3] * scaled[3] + 1 - scaled[3]
    given = np.moveaxis(values, 0, -1) if last else values
    results = []
    for piece in (1, 150, 1 << 20):
        monkeypatch.setattr("unveil.images.scaling.PIECE", piece)
        results.append(Image.from_array(given, channels_last=last).pixels)
    np.testing.assert_allclose(results[0], expected, atol=1e-6)
    assert all(np.array_equal(result, results[0]) for result in results)


TWELVE = (RNG.random((9, 11)) * 4095).astype(np.uint16)
TWELVE[0, 0] = 4095


@pytest.mark.parametrize(
    ("highest", "depth"), [(1, 8), (255, 8), (256, 10), (4095, 12), (4096, 14), (8191, 14), (8192, None), (65535, None)]
)
def test_sixteen_bits_that_are_hardly_used_are_noticed(highest, depth):
    values = np.zeros((9, 9), np.uint16)
    values[4, 4] = highest
    if depth is None:
        assert Image.from_array(values).warning is None
        return
    told = rf"array: .*values of {depth} bits at most.*give value_range=\(0, {2**depth - 1}\)"
    with pytest.warns(UnveilWarning, match=told):
        image = Image.from_array(values)
    assert image.warning is not None
    assert image.value_range == (0, 65535), "a warning changes nothing"
    np.testing.assert_allclose(image.pixels[0] * 65535, values, rtol=1e-6)


def test_a_value_range_answers_the_warning():
    image = Image.from_array(TWELVE, value_range=(0, 4095))
    assert image.warning is None
    np.testing.assert_allclose(image.pixels[0], TWELVE / 4095, rtol=1e-6)
    assert Image.from_array(np.zeros((9, 9), np.uint16)).warning is None, "black"
    assert Image.from_array(TWELVE.astype(np.uint8)).warning is None


def test_opacity_does_not_hide_that_color_is_dark():
    values = np.stack([TWELVE, TWELVE, TWELVE, np.full_like(TWELVE, 65535)])
    with pytest.warns(UnveilWarning, match="12 bits"):
        Image.from_array(values)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1), (np.float64, 200)])
def test_a_value_range_scales_colors_and_not_their_opacity(dtype, top):
    """Half of the range is white; alpha of a half mixes half of the white background in."""
    values = np.zeros((4, 8, 8), dtype)
    values[:3] = top / 4
    values[3] = top / 2
    image = Image.from_array(values, value_range=(0, top / 2) if top != 200 else (0, 200))
    expected = 0.5 * (0.5 if top != 200 else 0.25) + 0.5
    np.testing.assert_allclose(image.pixels, expected, atol=0.01)


@pytest.mark.parametrize("value_range", [(1, 1), (2, 1), (0, np.nan), (0, np.inf)])
def test_what_is_no_value_range_is_one_clear_line(value_range):
    for source in (np.zeros((9, 9)), b"content"):
        with pytest.raises(ImageError, match="a value range .lowest, highest.; got ") as error:
            read_image(source, value_range=value_range)
        assert "\n" not in str(error.value)


def test_an_image_takes_no_value_range():
    with pytest.raises(ImageError, match="whose values aren't scaled yet; got one that is scaled already"):
        read_image(Image.from_array(TWELVE, value_range=(0, 4095)), value_range=(0, 2047))


MEAN, STD = np.array([0.485, 0.456, 0.406])[:, None, None], np.array([0.229, 0.224, 0.225])[:, None, None]
PHOTOGRAPH = RNG.random((3, 16, 16))


@pytest.mark.parametrize(
    ("values", "do"),
    [
        ((PHOTOGRAPH - MEAN) / STD, "give the pixels before normalization, x \\* std \\+ mean"),
        ((PHOTOGRAPH - 0.5) / 0.5, "give the pixels before normalization"),
        (PHOTOGRAPH * 255, "give value_range=\\(0, 255\\)"),
        (PHOTOGRAPH * 1.02 - 0.01, "clip them"),
        (PHOTOGRAPH * 2000 - 1000, "give value_range=\\(lowest, highest\\)"),
    ],
)
def test_what_to_do_about_floats_depends_on_their_values(values, do):
    """A value range for pixels that are normalized already would normalize them twice."""
    for array in (values, torch.from_numpy(values), torch.from_numpy(values).float().requires_grad_()):
        with pytest.raises(ImageError, match=do) as error:
            read_image(array)
        assert ("value_range" in error.value.do) == ("normalization" not in error.value.do)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_tensors_of_any_precision(dtype):
    image = read_image(torch.from_numpy(PHOTOGRAPH).to(dtype))
    np.testing.assert_allclose(image.pixels, PHOTOGRAPH, atol=5e-3)
    scaled = read_image(torch.from_numpy(PHOTOGRAPH * 255).to(dtype), value_range=(0, 255))
    np.testing.assert_allclose(scaled.pixels, PHOTOGRAPH, atol=5e-3)


def test_advice_for_arrays_that_are_nearly_images():
    for values, do in (
        (np.zeros((1, 3, 9, 9)), r"give array\[0\]"),
        (np.array(["a.png", "b.png"]), "use run_images"),
        (RNG.integers(0, 256, (9, 9)), r"give value_range=\(0, 255\)"),
    ):
        with pytest.raises(ImageError, match=do):
            read_image(values)


@pytest.mark.parametrize("count", [2, 4, 5, 13])
def test_as_many_channels_as_the_classifier_has(count):
    values = RNG.random((count, 9, 30))
    for given in (values, values.transpose(1, 2, 0), torch.from_numpy(values)):
        image = Image.from_array(given, channels=count)
        np.testing.assert_allclose(image.pixels, values, rtol=1e-6)
    if count != 4:
        assert np.array_equal(Image.from_array(values, channels_last=False).pixels, image.pixels)
        assert np.array_equal(Image.from_array(values, axes="c h w").pixels, image.pixels)
        told = f"one axis of 1, 3, 4 or {count + 9} channels; .*; give the {count + 9} channels that the classifier has"
        with pytest.raises(ImageError, match=told):
            Image.from_array(values, channels=count + 9)


def test_a_fourth_channel_is_alpha_unless_the_classifier_has_four():
    values = RNG.random((4, 9, 9))
    np.testing.assert_allclose(Image.from_array(values).pixels, values[:3] * values[3] + 1 - values[3], rtol=1e-5)
    assert np.array_equal(Image.from_array(values, channels=13).pixels, Image.from_array(values).pixels)
    np.testing.assert_allclose(Image.from_array(values, channels=4).pixels, values, rtol=1e-6)
