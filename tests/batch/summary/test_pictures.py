"""Pictures of examples: the pixels of the images that are named, as far as they can be read."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image as Pillow

from archive_columns import archive as columns_of
from archive_columns import random_regions
from batch_sets import quick_archive
from unveil.batch.summary import ConcentratedPlace, example_pictures, save_summary, summarize_columns
from unveil.batch.summary.pictures import MOST_PLACES, SIDE_PX

PLACE = ConcentratedPlace(
    label="red",
    where="upper left corner",
    box=(0.0, 0.25, 0.5, 1.0),
    images=20,
    count=18,
    mean_share=0.1,
    p_value=1e-9,
    others_share=0.05,
    others_p_value=1e-6,
    is_at_margin=True,
    is_own=True,
    share_if_true=None,
    share_if_false=None,
    examples=("001.png", "003.png"),
    example_items=(1, 3),
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return quick_archive(tmp_path_factory.mktemp("archive"), 5, {3: "damaged"})


def test_a_small_image_is_shown_as_it_is_and_a_damaged_one_not_at_all(archive):
    pictures = example_pictures(archive, [PLACE])
    assert list(pictures) == [1]
    shown = np.asarray(Pillow.open(BytesIO(pictures[1].png)))
    assert (shown == np.asarray(Pillow.open(archive.items[1].path).convert("RGB"))).all()
    assert pictures[1].shape == (16, 16)


def test_a_large_image_is_reduced_to_the_means_of_its_pixels(tmp_path):
    archive = quick_archive(tmp_path, 2)
    pixels = np.random.default_rng(0).integers(0, 256, (2 * SIDE_PX, 4 * SIDE_PX), dtype=np.uint8)
    Pillow.fromarray(pixels).save(archive.items[1].path)
    picture = example_pictures(archive, [replace(PLACE, examples=("x",), example_items=(1,))])[1]
    shown = np.asarray(Pillow.open(BytesIO(picture.png)))
    assert picture.shape == shown.shape == (SIDE_PX // 2, SIDE_PX)
    for y, x in ((0, 0), (7, 100), (SIDE_PX // 2 - 1, SIDE_PX - 1)):
        assert shown[y, x] == pytest.approx(pixels[4 * y : 4 * y + 4, 4 * x : 4 * x + 4].mean(), abs=0.51)


def test_only_so_many_images_are_read(archive):
    places = [PLACE] * MOST_PLACES
    assert list(example_pictures(archive, [*places, replace(PLACE, example_items=(0, 2))])) == [1]


def test_the_page_shows_the_pictures_with_the_place(archive, tmp_path):
    summary = summarize_columns(columns_of(("red",), 20, random_regions(20, 1, np.random.default_rng(0))))
    summary = replace(summary, places=(PLACE,))
    with_pictures = save_summary(summary, tmp_path / "a.html", pictures=example_pictures(archive, [PLACE]))
    page = with_pictures.read_text(encoding="utf-8")
    assert page.count('aria-label="The image, with the place"') == 1
    # The box in pixels of the picture: x, y, width, height.
    assert '<rect x="4.0" y="0.0" width="12.0" height="8.0"/></svg><span>001.png</span>' in page
    assert "<span>003.png</span>" in page
    without = save_summary(summary, tmp_path / "b.html").read_text(encoding="utf-8")
    assert "The image, with the place" not in without
    assert "<li>003.png</li>" in without
