"""NIfTI volumes: however a file stores them they become one array, and the way back; damaged files give one line."""

import gzip
import itertools
import struct
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

from unveil.errors import ImageError, MissingLibraryError
from unveil.images import Image, read_image
from unveil.images.nifti import MAX_OFFSET

RNG = np.random.default_rng(2)
# A lattice in the patient: numbers of points and mm from one to the next, to the right, front and head; its far corner.
COUNT, STEP, FAR = np.array([9, 10, 8]), np.array([0.7, 1.5, 4.0]), np.array([61.0, -20.0, 33.0])
VALUES = RNG.permutation(COUNT.prod()).reshape(COUNT).astype(np.int16)  # at x, y, z, the far corner first
# What a radiologist wants, written out: the head, the front and the patient's right first.
EXPECTED = VALUES.transpose(2, 1, 0)
ORDERS = ["".join(order) for axes in itertools.permutations(("RL", "AP", "SI")) for order in itertools.product(*axes)]


def as_stored(axes: str) -> tuple[np.ndarray, np.ndarray]:
    """The lattice as a file of these axes has it, point by point: the array and its affine."""
    world = ["RL".find, "AP".find, "SI".find]
    affine = np.eye(4)
    affine[:3, 3] = FAR
    which = []
    for axis, letter in enumerate(axes):
        (of,) = (number for number, find in enumerate(world) if find(letter) >= 0)
        which.append(of)
        affine[:3, axis] = 0
        towards_far = letter in "RAS"
        affine[of, axis] = STEP[of] if towards_far else -STEP[of]
        if towards_far:  # then index 0 lies at the near corner
            affine[of, 3] = FAR[of] - STEP[of] * (COUNT[of] - 1)
    array = np.empty(COUNT[which], np.int16)
    for index in np.ndindex(array.shape):
        point = affine[:3, :3] @ index + affine[:3, 3]
        array[index] = VALUES[tuple(np.round((FAR - point) / STEP).astype(int))]
    return array, affine


def written(
    path: Path, array: np.ndarray, affine: np.ndarray | None = None, kind=nibabel.Nifti1Image, **header
) -> Path:
    image = kind(array, np.eye(4) if affine is None else affine)
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


def volume(shape: tuple[int, ...] = (8, 9, 10), dtype=np.int16) -> np.ndarray:
    return RNG.integers(0, 100, shape).astype(dtype)


# ---- where things are


@pytest.mark.parametrize("axes", ORDERS)
def test_every_order_of_axes_gives_the_same_array(tmp_path, axes):
    array, affine = as_stored(axes)
    image = read_image(written(tmp_path / "a.nii.gz", array, affine))
    low, high = image.value_range
    np.testing.assert_array_equal(np.round(image.pixels[0] * (high - low) + low), EXPECTED)
    assert image.spacing_mm == pytest.approx(STEP[::-1])
    assert image.shape == (8, 10, 9)
    assert image.placement.stored == axes
    # Index (d, h, w) lies d steps below, h behind and w to the left of the far corner.
    corner = np.asarray(image.placement.affine) @ [2, 3, 5, 1]
    np.testing.assert_allclose(corner[:3], FAR - STEP * [5, 3, 2], atol=1e-4)
    # And back: what is on the image's voxels lies on the file's.
    np.testing.assert_array_equal(image.placement.to_stored(EXPECTED), array)
    np.testing.assert_allclose(image.placement.stored_affine(image.shape), affine, atol=1e-4)


def test_the_content_has_one_hash_however_it_is_stored(tmp_path):
    images = []
    for axes in ("LPS", "RAS", "SLA"):
        array, affine = as_stored(axes)
        images.append(read_image(written(tmp_path / f"{axes}.nii", array, affine)))
    swapped, affine = as_stored("RAS")
    images.append(read_image(written(tmp_path / "big.nii", swapped.astype(">i2"), affine)))
    assert len({image.sha256 for image in images}) == 1
    assert all(image.pixels.tobytes() == images[0].pixels.tobytes() for image in images)


@given(st.tuples(*[st.floats(-0.3, 0.3)] * 3), st.sampled_from(ORDERS))
def test_a_tilted_volume_keeps_every_voxel_where_it_was(tmp_path_factory, angles, axes):
    array, affine = as_stored(axes)
    turn = np.eye(4)
    for (a, b), angle in zip(((0, 1), (1, 2), (0, 2)), angles, strict=True):
        one = np.eye(4)
        one[[a, b, a, b], [a, b, b, a]] = np.cos(angle), np.cos(angle), -np.sin(angle), np.sin(angle)
        turn = turn @ one
    tilted = turn @ affine
    image = read_image(written(tmp_path_factory.mktemp("tilted") / "a.nii", array, tilted))
    there = {
        tuple(np.round((tilted @ [*index, 1])[:3], 2)): array[index] for index in [(0, 0, 0), (7, 7, 7), (3, 0, 6)]
    }
    low, high = image.value_range
    grid = np.stack(np.meshgrid(*map(np.arange, image.shape), indexing="ij"), -1).reshape(-1, 3)
    points = np.c_[grid, np.ones(len(grid))] @ np.asarray(image.placement.affine).T
    for point, value in there.items():
        nearest = grid[np.argmin(np.abs(points[:, :3] - point).sum(1))]
        assert np.abs(points[:, :3] - point).sum(1).min() < 0.05
        assert round(float(image.pixels[(0, *nearest)]) * (high - low) + low) == value
    assert image.spacing_mm == pytest.approx(STEP[::-1], rel=1e-4)


def test_a_file_that_says_nothing_of_its_place_has_none(tmp_path):
    nothing = nibabel.Nifti1Image(volume(), None)
    nothing.header.set_zooms((2, 3, 4))
    nibabel.save(nothing, tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii")
    assert image.placement is None
    assert image.spacing_mm == (4, 3, 2)
    only_q = nibabel.Nifti1Image(volume(), None)
    only_q.set_qform(np.diag([-2.0, 3, 4, 1]), code=1)
    nibabel.save(only_q, tmp_path / "q.nii")
    assert read_image(tmp_path / "q.nii").placement.stored == "LAS"


@pytest.mark.parametrize(("code", "factor"), [(0, 1), (1, 1000), (2, 1), (3, 0.001)])
def test_lengths_are_in_mm_whatever_the_unit(tmp_path, code, factor):
    image = read_image(written(tmp_path / "a.nii", volume(), np.diag([2.0, 3.0, 4.0, 1]), xyzt_units=code + 8))
    assert image.spacing_mm == pytest.approx((4 * factor, 3 * factor, 2 * factor))
    np.testing.assert_allclose(np.abs(np.asarray(image.placement.affine)[2, 0]), 4 * factor)


# ---- what becomes 0 and 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64])
def test_the_volume_s_own_range_becomes_0_to_1(tmp_path, dtype):
    values = volume().astype(dtype)
    values[0, 0, 0], values[1, 1, 1] = 3, 117
    image = read_image(written(tmp_path / "a.nii.gz", values))
    assert image.value_range == (values.min(), 117)
    low, high = image.value_range
    back = image.placement.to_stored(image.pixels[0])
    np.testing.assert_allclose(back, (values.astype(np.float64) - low) / (high - low), atol=1e-6)
    assert (float(back.min()), float(back.max())) == (0, 1)


def test_whole_numbers_keep_their_digits_far_from_zero(tmp_path):
    values = volume(dtype=np.int32) + 2_000_000_000
    image = read_image(written(tmp_path / "a.nii", values))
    back = image.placement.to_stored(image.pixels[0])
    np.testing.assert_allclose(back, (values - values.min()) / np.ptp(values), atol=1e-6)


def test_a_named_range_is_cut(tmp_path):
    hounsfield = np.linspace(-1024, 3071, 720).reshape(8, 9, 10).astype(np.float32)
    image = read_image(written(tmp_path / "a.nii", hounsfield), value_range=(-1000, 400))
    expected = ((hounsfield.astype(np.float64) + 1000) / 1400).clip(0, 1)
    np.testing.assert_allclose(image.placement.to_stored(image.pixels[0]), expected, atol=1e-6)
    assert image.value_range == (-1000, 400)


def test_slope_and_intercept_are_applied_and_no_slope_is_none(tmp_path):
    raw = volume()
    scaled = nibabel.Nifti1Image(raw, np.eye(4))
    scaled.header.set_slope_inter(2.5, -1000)
    path = tmp_path / "a.nii"
    nibabel.save(scaled, path)
    # nibabel divides by the slope when it writes: the numbers themselves are put back.
    content = bytearray(path.read_bytes())
    content[352:] = raw.tobytes(order="F")
    path.write_bytes(content)
    assert struct.unpack_from("<ff", content, 112) == (2.5, -1000)
    image = read_image(path)
    assert image.value_range == (2.5 * raw.min() - 1000, 2.5 * raw.max() - 1000)
    struct.pack_into("<ff", content, 112, 0.0, 7.0)
    path.write_bytes(content)
    assert read_image(path).value_range == (raw.min(), raw.max())


def test_a_constant_volume_is_a_volume(tmp_path):
    for value in (0, 7, -30000):
        image = read_image(written(tmp_path / "a.nii", np.full((8, 8, 8), value, np.int16)))
        assert float(np.abs(image.pixels).max()) == 0
        assert image.value_range[0] == value


# ---- what is written how


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "A.NII.GZ"])
def test_both_versions_packed_or_not_whatever_the_name(tmp_path, kind, name):
    values = volume()
    written(tmp_path / "plain.nii", values, kind=kind)
    content = (tmp_path / "plain.nii").read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if "GZ" in name else content)
    assert read_image(tmp_path / name).value_range == (values.min(), values.max())
    assert read_image(str(tmp_path / name)).source == str(tmp_path / name)


def test_axes_of_length_one_at_the_end_are_left_out(tmp_path):
    values = volume()
    whole, four, five = (
        read_image(written(tmp_path / f"{number}.nii", values.reshape(*values.shape, *(1,) * number)))
        for number in range(3)
    )
    assert whole.sha256 == four.sha256 == five.sha256


def test_extensions_are_skipped_and_a_pickle_is_not_opened(tmp_path):
    image = nibabel.Nifti1Image(volume(), np.eye(4))
    # The code of "pypickle"; unpickled, it would write a file.
    harm = b"cposix\nsystem\n(S'touch " + str(tmp_path / "harm").encode() + b"'\ntR."
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(16, harm))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(2, b"no DICOM at all"))
    nibabel.save(image, tmp_path / "a.nii")
    assert harm in (tmp_path / "a.nii").read_bytes()
    assert read_image(tmp_path / "a.nii").shape == (10, 9, 8)
    assert not (tmp_path / "harm").exists()


# ---- what is no volume


def test_a_series_of_volumes_is_refused(tmp_path):
    told = "one volume with three axes; got .*a.nii with 8x9x10x3 voxels; save the volume you mean as a file of its own"
    refused(written(tmp_path / "a.nii", volume((8, 9, 10, 3))), told)
    refused(written(tmp_path / "b.nii", volume((8, 9))), "with 8x9 voxels; check how it was made")
    refused(written(tmp_path / "c.nii", volume((8, 9, 7))), "a volume of at least 8x8x8 voxels; got 7x9x8")


def test_colors_and_complex_numbers_are_refused(tmp_path):
    colors = np.zeros((8, 8, 8), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    refused(written(tmp_path / "a.nii", colors), "one real number per voxel; got .* with colors; save one channel")
    refused(written(tmp_path / "b.nii", volume(dtype=np.complex64)), "with complex64 values")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted(tmp_path, bad):
    values = volume(dtype=np.float32)
    values[2, 3, :4] = bad
    refused(
        written(tmp_path / "a.nii.gz", values),
        "finite pixel values; got 4 of 720 that are NaN or infinite; replace them",
    )
    values = volume(dtype=np.float64)
    values[0, 0, 0] = 1e300
    assert np.isfinite(read_image(written(tmp_path / "b.nii", values)).pixels).all()


def test_files_that_are_none(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.touch()
    refused(path, r"empty \(0 bytes\); fetch the file again")
    for content in (b"a shopping list\n" * 60, b"\0" * 600, RNG.bytes(600), gzip.compress(b"not at all" * 100)):
        path.write_bytes(content)
        refused(path, r"a NIfTI file \(.nii, .nii.gz\); got .*, which is none; convert it")
    path.write_bytes(b"\x1f\x8b" + RNG.bytes(300))
    refused(path, "a whole NIfTI file; got .*, which is damaged or cut off")
    refused(tmp_path / "missing.nii", "does not exist; check the path")
    (tmp_path / "folder.nii").mkdir()
    refused(tmp_path / "folder.nii", "got the folder")


def test_halves_of_pairs_are_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Pair(volume(), np.eye(4)), tmp_path / "a.img")
    told = "a NIfTI of one file; got .*, half of a pair; save the pair as one .nii.gz file"
    for name in ("a.hdr", "a.img"):
        refused(tmp_path / name, told)
    (tmp_path / "a.hdr").rename(tmp_path / "b.nii")
    refused(tmp_path / "b.nii", told)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.999])
def test_a_file_cut_off_in_the_middle(tmp_path, name, share):
    path = written(tmp_path / name, RNG.integers(0, 30000, (12, 12, 12)).astype(np.int16))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "which is damaged or cut off|which is none")


def test_a_changed_bit_is_found_by_the_checksum(tmp_path):
    path = written(tmp_path / "a.nii", volume())
    content = gzip.compress(path.read_bytes())
    packed = tmp_path / "a.nii.gz"
    packed.write_bytes(content[:-6] + bytes([content[-6] ^ 1]) + content[-5:])
    refused(packed, "damaged or cut off .CRC check failed")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    """A header that promises 2^45 voxels; then one whose voxels begin far behind; then endless data behind a volume."""
    content = bytearray(written(tmp_path / "a.nii", volume()).read_bytes())
    struct.pack_into("<4h", content, 40, 3, 32767, 32767, 32767)
    path = tmp_path / "b.nii.gz"
    path.write_bytes(gzip.compress(content))
    refused(path, "a volume of at most 268 million voxels; got .*b.nii.gz with 32767x32767x32767; scale it down")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    struct.pack_into("<f", content, 108, 2.0 * MAX_OFFSET)
    path.write_bytes(gzip.compress(content))
    refused(path, "voxels from byte 3.355e.07 on")
    path.write_bytes(gzip.compress((tmp_path / "a.nii").read_bytes() + bytes(50_000_000)))
    asked = []
    monkeypatch.setattr(
        gzip.GzipFile, "read", lambda self, size, plain=gzip.GzipFile.read: asked.append(size) or plain(self, size)
    )
    assert read_image(path).shape == (10, 9, 8)
    assert sum(asked) < 5000
    refused(tmp_path / "a.nii", "at most 0 million voxels", max_pixels=100)


@pytest.mark.parametrize(
    "affine", [np.diag([1, 1, 0, 1]), np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])]
)
def test_axes_that_span_no_volume(tmp_path, affine):
    path = written(tmp_path / "a.nii", volume())
    content = bytearray(path.read_bytes())
    struct.pack_into("<12f", content, 280, *affine[:3].ravel().astype(float))
    path.write_bytes(content)
    refused(path, "an affine whose axes span a volume; got .*; fix the header's sform")


def test_an_affine_that_is_not_finite(tmp_path):
    path = written(tmp_path / "a.nii", volume())
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, 280, float("nan"))
    path.write_bytes(content)
    refused(path, "an affine whose axes span a volume; got .*nan")


def test_without_nibabel_it_says_how_to_get_it(tmp_path, monkeypatch):
    path = written(tmp_path / "a.nii", volume())
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(MissingLibraryError, match=r"nibabel for NIfTI files; .*pip install 'unveil\[nifti\]'"):
        read_image(path)


WHOLE = {
    kind.__name__: kind(volume(dtype=np.float32), np.eye(4)).to_bytes()
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image)
}


@given(st.data())
def test_a_damaged_header_is_a_volume_or_one_clear_error(tmp_path_factory, data):
    content = bytearray(WHOLE[data.draw(st.sampled_from(list(WHOLE)))])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, 543))] = data.draw(st.integers(0, 255))
    packed = data.draw(st.booleans())
    path = tmp_path_factory.mktemp("damaged") / "a.nii"
    path.write_bytes(gzip.compress(content) if packed else content)
    try:
        image = read_image(path)
    except ImageError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(image.pixels).all()
        assert 0 <= image.pixels.min() <= image.pixels.max() <= 1
        assert all(0 < side < float("inf") for side in image.spacing_mm or ())


def test_remarks_of_nibabel_stay_away_from_the_terminal(tmp_path, caplog):
    content = bytearray(written(tmp_path / "a.nii", volume()).read_bytes())
    struct.pack_into("<3f", content, 80, -1.0, 0.0, 1.0)  # voxel sizes
    (tmp_path / "a.nii").write_bytes(content)
    nibabel.load(tmp_path / "a.nii")
    assert "pixdim" in caplog.text
    caplog.clear()
    assert read_image(tmp_path / "a.nii").spacing_mm == (1, 1, 1)
    assert caplog.text == ""


def test_an_image_file_keeps_a_named_range_too(tmp_path):
    from PIL import Image as Pillow  # noqa: PLC0415

    twelve_bits = RNG.integers(0, 4096, (9, 10)).astype(np.uint16)
    Pillow.fromarray(twelve_bits).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", value_range=(0, 4095))
    np.testing.assert_allclose(image.pixels[0], twelve_bits / 4095, atol=1e-6)
    assert isinstance(image, Image)
