"""Originals are found by their content, whatever they are called and whatever lies beside them."""

import numpy as np
import pytest
from PIL import Image as Pillow

from unveil.errors import ImageError
from unveil.images import read_image
from unveil.images.originals import find_originals


@pytest.fixture
def folder(tmp_path):
    draw = np.random.default_rng(3)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("one.png", "deep/two.tif", "deep/er/three.bmp"):
        Pillow.fromarray(draw.integers(0, 256, (9, 11, 3), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def test_originals_are_found_by_their_content(folder):
    wanted = [read_image(folder / name).sha256 for name in ("one.png", "deep/er/three.bmp")]
    found = find_originals(folder, [*wanted, "0" * 64])
    assert set(found) == set(wanted)
    assert [found[digest].source for digest in wanted] == [str(folder / "one.png"), str(folder / "deep/er/three.bmp")]


def test_a_renamed_copy_in_another_format_is_the_same_image(folder):
    with Pillow.open(folder / "one.png") as image:
        image.save(folder / "deep" / "renamed.bmp")
    digest = read_image(folder / "one.png").sha256
    (folder / "one.png").unlink()
    assert find_originals(folder, [digest])[digest].source.endswith("renamed.bmp")


def test_it_must_be_a_folder(folder):
    with pytest.raises(ImageError, match="the folder of the images"):
        find_originals(folder / "one.png", [])
