"""Small pictures of runs: the model's input, with the contours of all regions in the colors of their verdicts."""

import io
from dataclasses import replace

import numpy as np
from PIL import Image as Pillow

import cubes
from tiny_runs import run
from unveil.images import Image
from unveil.masks import Mask
from unveil.records import Run, Verdict
from unveil.report.thumbnails import CONTOURS, run_thumbnail
from unveil.rounds import find_regions


def pixels_of(made: Run) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(run_thumbnail(made))))


def colored(pixels: np.ndarray, verdict: Verdict | None) -> np.ndarray:
    return (pixels == CONTOURS[verdict]).all(axis=-1)


def with_one_region(size: int, verdict: Verdict | None) -> Run:
    """A run on a gray grid of `size` px, whose only region is the square of the inner half."""
    made = run()
    first = made.rounds[0]
    inside = np.zeros((size, size), bool)
    inside[size // 4 : -(size // 4), size // 4 : -(size // 4)] = True
    region = replace(first.regions[0], model_mask=Mask.from_array(inside))
    image = np.full((1, size, size), 80, np.uint8)
    round_ = replace(first, regions=(region,), image=image)
    assert made.trust
    trust = replace(made.trust, cards=(replace(made.trust.cards[0], verdict=verdict),)) if verdict else None
    return replace(made, rounds=(round_,), trust=trust)


def test_a_contour_lies_around_the_region_in_the_color_of_its_verdict():
    for verdict in (*Verdict, None):
        pixels = pixels_of(with_one_region(256, verdict))
        assert pixels.shape == (128, 128, 3)
        line = colored(pixels, verdict)
        # The square of 64 px: a closed line along its edge, nothing in its middle, nothing far outside.
        assert line[32, 34:94].all()
        assert line[34:94, 32].all()
        assert not line[40:88, 40:88].any()
        assert not line[:30].any()
        assert (pixels[48:80, 48:80] == 80).all()


def test_of_a_volume_the_slice_with_the_largest_regions_is_drawn():
    made = find_regions(Image.from_array(cubes.volume(), axes="d h w"), cubes.classifier(), cubes.RECIPE)
    sizes = sum(region.model_mask.to_array().sum(axis=(1, 2)) for region in made.regions)
    depth = int(np.argmax(sizes))
    pixels = pixels_of(made)
    drawn = np.logical_or.reduce([colored(pixels, verdict) for verdict in CONTOURS])
    inside = np.logical_or.reduce([region.model_mask.to_array()[depth] for region in made.regions])
    assert drawn.any()
    # Contours lie on the regions of that slice, or just beside them.
    rows, columns = np.nonzero(drawn)
    for row, column in zip(rows, columns, strict=True):
        assert inside[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].any()


def test_a_run_without_rounds_shows_the_image():
    made = replace(run(), rounds=(), trust=None)
    image = np.moveaxis(next(iter(made.final_images.values())), 0, -1)
    assert (pixels_of(made) == image & 0b11111000).all()
