"""Uploads: what is stored, what is refused, and what is left of them."""

import gzip
import hashlib
import io
import os
import struct
import threading
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from unveil.errors import DiskFullError, ImageError
from unveil.images import read_image
from unveil.images.png_encoding import encode_png
from unveil.serve.jobs import NotFoundError, UploadTooLargeError
from unveil.serve.jobs import image_store as store_module
from workplaces import all_events, open_workplace, picture


@pytest.fixture
def workplace(tmp_path):
    """A workplace whose worker isn't started."""
    opened = open_workplace(tmp_path, upload_limit_bytes=300_000, pixel_limit=500_000)
    yield opened
    opened.close()


def files(tmp_path: Path) -> dict[str, int]:
    """How many files there are in each folder of images."""
    return {name: len(list((tmp_path / name).iterdir())) for name in ("images", "previews", "uploads")}


def test_an_image_is_kept_byte_for_byte_under_its_hash(workplace, tmp_path):
    content = picture(side=64)
    stored = workplace.add_image("a.png", [content[:10], b"", content[10:]])
    assert stored.id == hashlib.sha256(content).hexdigest()[:32]
    assert workplace.image_path(stored.id).read_bytes() == content
    assert (stored.name, stored.shape, stored.channels, stored.size_bytes) == ("a.png", (64, 74), 3, len(content))
    assert workplace.images() == [workplace.image(stored.id)] == [stored]
    assert files(tmp_path) == {"images": 1, "previews": 1, "uploads": 0}


def test_equal_bytes_are_stored_once_under_their_first_name(workplace, tmp_path):
    first = workplace.add_image("first.png", [picture()])
    assert workplace.add_image("second.png", [picture()]) == first
    assert files(tmp_path) == {"images": 1, "previews": 1, "uploads": 0}
    assert [event.kind for event in all_events(workplace)] == ["image"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\scans\\a b.png", "a b.png"),
        ("a\x1b[2J\n.png", "a\\x1b[2J\\n.png"),
        ("", "image"),
        ("///", "image"),
        ("浮腫.png", "浮腫.png"),
        ("\ud800", "\\ud800"),
        ("x" * 5000, "x" * 200),
    ],
)
def test_names_are_the_last_part_in_one_printable_line(workplace, given, kept):
    assert workplace.add_image(given, [picture()]).name == kept


def test_too_many_bytes_are_refused_while_they_come(workplace, tmp_path):
    taken = []

    def endless():
        while True:
            taken.append(65536)
            yield os.urandom(65536)

    with pytest.raises(UploadTooLargeError, match=r"at most 0\.3 MB; got big\.png with more"):
        workplace.add_image("big.png", endless())
    assert sum(taken) <= 300_000 + 65536
    assert files(tmp_path) == {"images": 0, "previews": 0, "uploads": 0}


@pytest.mark.parametrize("error", [ConnectionResetError("gone"), ValueError("gone"), KeyboardInterrupt()])
def test_a_sender_that_is_gone_leaves_nothing_and_its_error_arrives(workplace, tmp_path, error):
    def broken():
        yield picture()[:500]
        raise error

    with pytest.raises(type(error)) as caught:
        workplace.add_image("a.png", broken())
    assert caught.value is error
    assert files(tmp_path) == {"images": 0, "previews": 0, "uploads": 0}
    assert workplace.images() == []


def png_of(width: int, height: int) -> bytes:
    """A complete PNG whose header promises a size, with hardly any pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def npy_of(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue() + bytes(100)


def nifti_of(side: int) -> bytes:
    nibabel = pytest.importorskip("nibabel")
    header = nibabel.Nifti1Header()
    header.set_data_shape((side, side, side))
    header.set_data_dtype(np.uint8)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    return gzip.compress(header.binaryblock + bytes(4) + bytes(2_000_000))


@pytest.mark.parametrize(
    "make",
    [lambda: png_of(60_000, 60_000), lambda: npy_of((60_000, 60_000)), lambda: nifti_of(2000)],
    ids=["png", "npy", "nii.gz"],
)
def test_bombs_are_refused_before_they_are_decoded(workplace, tmp_path, make):
    content = make()
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match="at most"):
            workplace.add_image("bomb", [content])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5e6, "3.6 billion pixels were promised"
    assert files(tmp_path) == {"images": 0, "previews": 0, "uploads": 0}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><script>alert(1)</script></html>",
        picture()[:-300],
        picture()[:2000] + bytes(1000) + picture()[3000:],
        b"\x93NUMPY\x01\x00"
        + b"v\x00{'descr': '|O', 'fortran_order': False, 'shape': (9, 9), }".ljust(120)
        + b"\n"
        + b"cos\nsystem\n" * 20,
        gzip.compress(b"no volume" * 100),
        b"%PDF-1.4",
    ],
    ids=["empty", "html", "cut off", "damaged", "pickle", "gzip", "pdf"],
)
def test_what_cannot_be_read_is_refused_in_one_line_without_our_paths(workplace, tmp_path, content):
    with pytest.raises(ImageError) as caught:
        workplace.add_image("mine.dat", [content])
    assert "mine.dat" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == {"images": 0, "previews": 0, "uploads": 0}


def test_arrays_and_volumes_are_known_by_their_content_not_their_names(workplace):
    nibabel = pytest.importorskip("nibabel")
    values = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    stream = io.BytesIO()
    np.save(stream, values)
    array = workplace.add_image("array.png", [stream.getvalue()])
    assert array.shape == (20, 30)
    volume = nibabel.Nifti1Image(np.random.default_rng(0).integers(0, 99, (9, 10, 11), dtype=np.uint8), np.eye(4))
    for content in (volume.to_bytes(), gzip.compress(volume.to_bytes(), mtime=0)):
        stored = workplace.add_image("scan", [content])
        assert stored.shape == (11, 10, 9), "depth, height, width"
        assert np.asarray(Pillow.open(io.BytesIO(workplace.image_preview(stored.id)))).shape == (10, 9)
    assert len(workplace.images()) == 3


def test_fifty_uploads_at_once_take_the_memory_of_one(tmp_path):
    contents = [picture(seed, side=250) for seed in range(50)]

    def peak_of(folder: Path, chosen: list[bytes], threads: int) -> int:
        with open_workplace(folder) as workplace, ThreadPoolExecutor(threads) as pool:
            workplace.add_image("warm.png", [picture(99)])
            tracemalloc.start()
            try:
                pieces = [[content[at : at + 8192] for at in range(0, len(content), 8192)] for content in chosen]
                tracemalloc.reset_peak()
                before = tracemalloc.get_traced_memory()[0]
                stored = list(pool.map(lambda one: workplace.add_image("a.png", one), pieces))
                peak = tracemalloc.get_traced_memory()[1] - before
            finally:
                tracemalloc.stop()
            assert len({one.id for one in stored}) == len(chosen)
            for one, content in zip(stored, chosen, strict=True):
                assert workplace.image_path(one.id).read_bytes() == content
            assert len(workplace.images()) == len(chosen) + 1
            return peak

    one, all_of_them = peak_of(tmp_path / "one", contents[:1], 1), peak_of(tmp_path / "all", contents, 50)
    assert all_of_them < 2.5 * one, "decoded one after the other"


def test_the_same_image_from_many_threads_is_one_image(workplace, tmp_path):
    barrier = threading.Barrier(8)

    def upload(number: int):
        barrier.wait()
        return workplace.add_image(f"{number}.png", [picture()])

    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(upload, range(8)))
    assert len(set(stored)) == 1
    assert files(tmp_path) == {"images": 1, "previews": 1, "uploads": 0}


def test_a_full_disk_leaves_nothing_and_says_so(workplace, tmp_path, monkeypatch):
    def full(number, chunk):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module.os, "write", full)
    with pytest.raises(DiskFullError, match="free some space"):
        workplace.add_image("a.png", [picture()])
    monkeypatch.undo()
    assert files(tmp_path) == {"images": 0, "previews": 0, "uploads": 0}
    assert workplace.add_image("a.png", [picture()]).channels == 3


def test_what_killed_servers_left_is_removed(tmp_path):
    with open_workplace(tmp_path) as workplace:
        kept = workplace.add_image("kept.png", [picture(1)])
        lost = workplace.add_image("lost.png", [picture(2)])
    (tmp_path / "images" / lost.id).unlink()
    (tmp_path / "images" / ("0" * 32)).write_bytes(b"without a row")
    (tmp_path / "uploads" / "half").write_bytes(b"an upload")
    with open_workplace(tmp_path) as workplace:
        assert workplace.images() == [kept]
        assert files(tmp_path)["images"] == 1
        assert files(tmp_path)["uploads"] == 0
        with pytest.raises(NotFoundError):
            workplace.image(lost.id)
        again = workplace.add_image("again.png", [picture(2)])
        assert (again.id, again.name) == (lost.id, "again.png")


def test_previews_are_made_again_if_they_are_gone(workplace, tmp_path):
    stored = workplace.add_image("a.png", [picture()])
    first = workplace.image_preview(stored.id)
    (tmp_path / "previews" / f"{stored.id}.png").unlink()
    assert workplace.image_preview(stored.id) == first
    np.testing.assert_array_equal(
        np.asarray(Pillow.open(io.BytesIO(first))), np.asarray(Pillow.open(io.BytesIO(picture())))
    )


def test_unused_bits_are_told_with_the_image(workplace):
    dark = encode_png(np.random.default_rng(0).integers(0, 4096, (30, 30), dtype=np.uint16))
    stored = workplace.add_image("dark.png", [dark])
    stream = io.BytesIO(dark)
    stream.name = "dark.png"
    with pytest.warns(UserWarning, match="dark"):
        expected = read_image(stream)
    assert stored.warning == expected.warning is not None
