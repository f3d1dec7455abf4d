"""TIFF files with other channels than gray and color, and with JPEG data that end early."""

import io
import struct

import numpy as np
import pytest
from PIL import Image as Pillow
from refusals import refused

from unveil.images import read_image
from unveil.images.tiff import channels_of_tiff

RNG = np.random.default_rng(7)
NOISE = RNG.integers(0, 256, (120, 90, 3), dtype=np.uint8)
COLOR, GRAY = 2, 1  # the tag of the photometric interpretation


def written(values: np.ndarray, planar: int = 1, photometric: int = GRAY, order: str = "<") -> bytes:
    """An uncompressed TIFF of (h, w, c) values, in one strip or in one per channel, by the format's specification."""
    height, width, count = values.shape
    data = (values if planar == 1 else values.transpose(2, 0, 1)).astype(values.dtype.newbyteorder(order)).tobytes()
    strips = count if planar == 2 else 1
    kind = 3 if values.dtype.kind == "f" else 1
    start, size = 1024, len(data) // strips
    tags = {
        256: ("I", [width]), 257: ("I", [height]), 258: ("H", [values.dtype.itemsize * 8] * count), 259: ("H", [1]),
        262: ("H", [photometric]), 273: ("I", [start + size * strip for strip in range(strips)]), 277: ("H", [count]),
        278: ("I", [height]), 279: ("I", [size] * strips), 284: ("H", [planar]),
        338: ("H", [0] * (count - (3 if photometric == COLOR else 1))), 339: ("H", [kind] * count),
    }  # fmt: skip
    tags = {tag: pair for tag, pair in tags.items() if pair[1]}
    entries, extra, base = b"", b"", 8 + 2 + 12 * len(tags) + 4
    for tag, (letter, numbers) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        if len(packed) > 4:
            packed, extra = struct.pack(f"{order}I", base + len(extra)), extra + packed
        entries += struct.pack(f"{order}HHI", tag, 4 if letter == "I" else 3, len(numbers)) + packed.ljust(4, b"\0")
    head = struct.pack(f"{order}2sHIH", b"II" if order == "<" else b"MM", 42, 8, len(tags))
    return (head + entries + bytes(4) + extra).ljust(start, b"\0") + data


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("count", [2, 4, 13])
def test_many_channels_are_refused_with_the_way_out(count, dtype, planar, order, capfd, caplog):
    values = (RNG.random((20, 30, count)) * 200).astype(dtype)
    content = written(values, planar, order=order)
    bits = values.dtype.itemsize * 8
    assert channels_of_tiff(io.BytesIO(content)) == (count, bits)
    with pytest.raises(Exception, match=f"gray, RGB or RGBA; got bytes with {count} channels of {bits} bits") as error:
        read_image(content, channels=count)
    assert str(error.value).endswith("save its pixels with numpy.save as a .npy file, and give that")
    assert (capfd.readouterr().err, caplog.text) == ("", "")


@pytest.mark.parametrize("count", [2, 4, 13])
def test_the_way_out_works(count, tmp_path):
    values = RNG.integers(0, 256, (20, 30, count), dtype=np.uint8)
    np.save(tmp_path / "a.npy", values)
    image = read_image(tmp_path / "a.npy", channels=count)
    np.testing.assert_allclose(image.pixels, values.transpose(2, 0, 1) / 255, atol=1e-6)


def test_channels_beside_color_are_left_out_only_for_networks_without_them():
    """A mask beside the photograph, or near infrared: the number of channels of the network decides."""
    for count in (4, 5):
        values = RNG.integers(0, 256, (20, 30, count), dtype=np.uint8)
        content = written(values, photometric=COLOR)
        np.testing.assert_allclose(read_image(content).pixels, values[..., :3].transpose(2, 0, 1) / 255, atol=1e-6)
        refused(content, f"got bytes with {count} channels of 8 bits", channels=count)


def test_a_header_that_ends_early_has_no_channels():
    content = written(RNG.integers(0, 256, (20, 30, 13), dtype=np.uint8))
    for end in range(150):
        assert channels_of_tiff(io.BytesIO(content[:end])) in ((0, 0), (13, 8))
    assert channels_of_tiff(io.BytesIO(b"\x89PNG" + bytes(50))) == (0, 0)


def parts_of(content: bytes) -> list[tuple[int, int]]:
    """Offsets and sizes of the strips."""
    with Pillow.open(io.BytesIO(content)) as image:
        tags = image.tag_v2  # type: ignore[attr-defined]
        return list(zip(tags[273], tags[279], strict=True))


@pytest.mark.parametrize("strip_rows", [120, 48])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_inside_that_ends_early_is_refused(mode, strip_rows):
    buffer = io.BytesIO()
    photo = Pillow.fromarray(NOISE).convert(mode)
    photo.save(buffer, "TIFF", compression="jpeg", strip_size=strip_rows * 90 * len(mode))
    content = buffer.getvalue()
    assert read_image(content).shape == (120, 90)
    parts = parts_of(content)
    assert len(parts) == -(-120 // strip_rows)
    told = r"a whole image; got bytes, which is damaged or cut off \(the data of a JPEG end before its last block\)"
    for offset, size in parts:
        for share in (0.5, 0.9):
            kept = offset + int(share * size)
            # The rest of the strip is lost, and its end is marked: libjpeg fills what is missing with gray.
            lost = content[:kept].rstrip(b"\xff")
            broken = lost + b"\xff\xd9" + bytes(offset + size - len(lost) - 2) + content[offset + size :]
            with Pillow.open(io.BytesIO(broken)) as image:
                image.load()
            refused(broken, told)
