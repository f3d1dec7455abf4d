"""Marks of regions: line style, hatch, color and number of each, in the right place."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb

from drawn import named, picture_rows, winding
from marked_runs import A, Given, S, W, marked_run
from unveil.records import Run
from unveil.render import draw_run
from unveil.render.marks import BADGE, place_badges
from unveil.render.parts import COLORS
from unveil.render.pictures import shrink_planes

THREE = [Given((5, 5, 20, 25), 2.0, S), Given((30, 8, 40, 30), 1.0, W), Given((45, 40, 60, 62), 0.5, A)]
DASHED = {S: "solid", W: (0, (2.6, 1.5)), A: (0, (0.05, 1.9))}


def test_the_line_of_each_region_goes_around_its_pixels_in_the_style_of_its_verdict():
    shown = marked_run([THREE, [Given((22, 40, 28, 50), 1.0, W, label=1)]])
    figure = draw_run(shown)
    for number, region in enumerate(shown.regions, start=1):
        (line,) = named(figure, f"contour-{number}")
        assert np.array_equal(winding(line.get_path(), (64, 64)) == 1, region.model_mask.to_array())
        assert line.get_linestyle() == DASHED[shown.verdicts[number - 1]]
        assert line.get_capstyle() == ("round" if shown.verdicts[number - 1] is A else "butt")
        assert to_hex(line.get_edgecolor()).upper() == COLORS[("oak", "holly").index(region.target)]
        column = shown.rounds.index(next(one for one in shown.rounds if any(region is own for own in one.regions)))
        assert line.axes is picture_rows(figure)[2][column]


def test_without_cards_all_lines_are_solid():
    figure = draw_run(marked_run([[Given((5, 5, 20, 25), verdict=None), Given((30, 5, 40, 25), verdict=None)]]))
    assert {line.get_linestyle() for number in (1, 2) for line in named(figure, f"contour-{number}")} == {"solid"}


def test_only_regions_that_speak_against_their_label_are_hatched():
    """A drop of exactly 0 says nothing against it."""
    given = [Given((5, 5, 20, 25), 2.0), Given((30, 8, 40, 30), -1.0), Given((45, 40, 60, 62), 0.0)]
    shown = marked_run([given])
    figure = draw_run(shown)
    (hatched,) = named(figure, "against-2")
    assert hatched.get_hatch()
    assert np.array_equal(winding(hatched.get_path(), (64, 64)) == 1, given[1].inside((64, 64)))
    assert not named(figure, "against-1")
    assert not named(figure, "against-3")


def in_gray(shown: Run) -> tuple[np.ndarray, tuple[int, ...]]:
    """The figure in gray, and where the picture of regions is: left, top, right, bottom."""
    figure = draw_run(shown)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].astype(float) @ (0.299, 0.587, 0.114)
    place = picture_rows(figure)[2][0].get_window_extent()
    height = pixels.shape[0]
    return pixels, tuple(round(side) for side in (place.x0, height - place.y1, place.x1, height - place.y0))


def test_verdicts_and_hatches_differ_in_gray():
    """Along the right side of a box, and in its middle: brightness changes as often as dashes, dots and hatches say."""
    changes = {}
    for name, verdict, drop in (("solid", S, 1.0), ("dashed", W, 1.0), ("dotted", A, 1.0), ("hatched", S, -1.0)):
        pixels, (left, top, right, _) = in_gray(marked_run([[Given((12, 12, 52, 52), drop, verdict)]]))
        size = (right - left) / 64
        side = pixels[round(top + 16 * size) : round(top + 48 * size), round(left + 52 * size) - 1]
        middle = pixels[round(top + 32 * size), round(left + 16 * size) : round(left + 48 * size)]
        changes[name] = [int(np.sum(np.abs(np.diff(line > line.mean() + 5)))) for line in (side, middle)]
    assert changes["solid"][0] <= 2 < changes["dashed"][0] < changes["dotted"][0]
    assert [changes[name][1] for name in ("solid", "dashed", "dotted")] == [0, 0, 0]
    assert changes["hatched"][1] > 5


def test_pixels_outside_of_the_regions_stay_as_they_are():
    """Rendered with and without the region: what differs is the region, its line and its number."""
    given = Given((20, 20, 44, 50), 1.0, S)
    with_region, (left, top, right, bottom) = in_gray(marked_run([[given]]))
    without, _ = in_gray(marked_run([[Given((62, 0, 63, 1), 1.0, S)]]))
    size = (right - left) / 64
    differs = np.abs(with_region - without)[top:bottom, left:right] > 3
    ys, xs = ((np.arange(side) + 0.5) / size for side in differs.shape)
    outside = np.add.outer(np.square(np.clip(np.maximum(20 - ys, ys - 44), 0, None)), 0 * xs)
    outside = outside + np.square(np.clip(np.maximum(20 - xs, xs - 50), 0, None))[None]
    badge = 2.2 * BADGE * 64 / 1.64
    corner = np.add.outer(ys > 58, xs < 6)  # the other figure's region
    assert not differs[(np.sqrt(outside) > badge) & ~corner].any()
    assert differs[outside == 0].mean() > 0.95


@pytest.mark.parametrize("seed", range(6))
def test_a_number_stands_at_its_region_and_no_other_number_is_on_it(seed):
    """Up to 15 boxes that don't overlap: each badge touches its own, lies in the picture, and is apart from the others."""
    rng = np.random.default_rng(seed)
    cells = rng.permutation(16)[: int(rng.integers(1, 16))]
    insides = []
    for cell in cells:
        top, left = 30 * (cell // 4), 30 * (cell % 4)
        y, x = rng.integers(2, 12, 2)
        box = (top + y, left + x, top + y + int(rng.integers(3, 14)), left + x + int(rng.integers(3, 14)))
        insides.append(Given(tuple(map(int, box))).inside((120, 120)))
    radius = BADGE * 120 / 1.64
    places = place_badges(insides, (radius, radius))
    for inside, (y, x) in zip(insides, places, strict=True):
        ys, xs = np.nonzero(inside)
        assert np.hypot(ys - y, xs - x).min() <= radius + 0.5
        assert radius - 0.51 <= min(y, x)
        assert max(y, x) <= 119.51 - radius
    for number, (y, x) in enumerate(places):
        assert all(np.hypot(y - b, x - a) >= 2 * radius for b, a in places[:number])


def test_numbers_on_the_picture_are_drawn_where_they_are_placed():
    shown = marked_run([THREE])
    figure = draw_run(shown)
    axes = picture_rows(figure)[2][0]
    for number, region in enumerate(shown.regions, start=1):
        on_picture = [text for text in named(figure, f"number-{number}") if text.axes is axes]
        rings = [disk for disk in named(figure, f"badge-{number}") if disk.axes is axes]
        assert [text.get_text() for text in on_picture] == [str(number)]
        (x, y), (ring,) = on_picture[0].get_position(), rings
        assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (x, y)
        assert to_hex(ring.get_markeredgecolor()).upper() == COLORS[0]
        ys, xs = np.nonzero(region.model_mask.to_array())
        assert np.hypot(ys - y, xs - x).min() <= BADGE * 64 / 1.64 + 0.5


def test_colors_of_labels_and_of_verdicts_are_told_apart_with_every_kind_of_color_blindness():
    """Machado et al. (2009), full severity: colors of labels differ by 10 or more of 255 in some channel, and lines of
    verdicts don't need their color at all."""
    blind = (
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    )
    rgb = np.array([to_rgb(color) for color in COLORS])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    for matrix in blind:
        seen = np.clip(linear @ np.array(matrix).T, 0, 1)
        seen = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
        for number in range(len(COLORS)):
            for other in range(number):
                assert np.abs(seen[number] - seen[other]).max() > 10 / 255


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_a_smaller_picture_has_the_means_of_its_blocks_and_loses_no_region(step):
    rng = np.random.default_rng(step)
    values = rng.random((11, 13)).astype(np.float32)
    small = shrink_planes(values, step)
    for row in range(small.shape[0]):
        for column in range(small.shape[1]):
            block = values[row * step : (row + 1) * step, column * step : (column + 1) * step]
            assert small[row, column] == pytest.approx(block.mean(), rel=1e-5)
    thin = np.zeros((11, 13), bool)
    thin[:, 6] = True
    assert shrink_planes(thin, step).any(axis=1).all()
    full = np.ones((11, 13), bool)
    assert shrink_planes(full, step).all()
