"""The figure of a volume: slices where the region is, upright, in one scale, with what is known of the patient."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from PIL import Image as Pillow

import cubes
import unveil
from cubes import CUBE, RECIPE, STRONG, WEAK
from drawn import all_texts, named, said, winding
from drawn import picture_rows as tiles
from unveil.images import Image
from unveil.masks import Mask
from unveil.records import Region, Run, TargetMap
from unveil.render import draw_run, write_figure
from unveil.render.marks import DASHES
from unveil.render.parts import COLORS
from unveil.render.triplanar import peak_voxel
from unveil.targets import TargetScore

SPACING = (2.5, 0.7, 1.1)
PLANES = ("axial", "coronal", "sagittal")
CENTRES = [tuple(first + CUBE // 2 for first in start) for start in (STRONG, WEAK)]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """Two rounds on a NIfTI file whose voxels are no cubes, twice as many in height as the grid has."""
    path = cubes.nifti(tmp_path_factory.mktemp("scans") / "scan.nii.gz", cubes.volume((1, 2, 1)), SPACING)
    return unveil.find_regions(path, cubes.classifier(), RECIPE)


def written(axes: Axes) -> dict[tuple[str, str], str]:
    """What stands in a tile, by where it is aligned to."""
    return {(text.get_ha(), text.get_va()): text.get_text() for text in axes.texts if text.get_gid() is None}


def test_a_row_a_plane_and_a_column_a_round(run):
    figure = draw_run(run)
    rows = tiles(figure)
    assert [len(row) for row in rows] == [3, 3, 3]
    titles = [text for text in said(figure) if text.startswith("round ") or text == "after"]
    assert titles == ["round 1", "round 2", "after"]
    labels = [text.get_text() for text in all_texts(figure) if text.get_rotation() == 90]
    assert labels == [*PLANES, "drop", "prediction"]
    assert [text for text in said(figure) if text.endswith("% erased")] == [f"{CUBE**3 / 24**3:.1%} erased"]


def test_the_peak_is_in_the_middle_of_the_strongest_region(run):
    assert [peak_voxel(one) for one in run.rounds] == CENTRES


def test_a_single_voxel_of_noise_is_no_peak(run):
    (found,), (first, *_) = run.rounds[0].maps, run.rounds
    noisy = found.saliency.copy()
    noisy[STRONG] = 20 * noisy.max()
    changed = dataclasses.replace(first, maps=(TargetMap(found.target_score, noisy * np.float32(1)),))
    middle = tuple(first + 2 for first in STRONG)
    assert np.abs(np.subtract(peak_voxel(changed), middle)).max() <= 2
    assert peak_voxel(changed) != STRONG


def test_without_a_region_the_peak_is_the_map_s(run):
    (found,) = run.rounds[1].maps
    values = np.zeros((24, 24, 24), np.float32)
    values[3:8, 17:22, 9:14] = 1
    values[0, 0, 0] = np.nan
    silent = dataclasses.replace(run.rounds[1], regions=(), maps=(TargetMap(found.target_score, values, "too weak"),))
    assert peak_voxel(silent) == (5, 19, 11)
    figure = draw_run(dataclasses.replace(run, rounds=(run.rounds[0], silent)))
    assert "bright: no region" in said(figure)


def test_slices_are_those_of_the_array(run):
    """Where there is no saliency, a tile shows the classifier's own voxels; the last column, what was left."""
    for row, axis in zip(tiles(draw_run(run)), range(3), strict=True):
        for axes, point, image, one in zip(
            row,
            (*CENTRES, CENTRES[0]),
            (*(one.image for one in run.rounds), run.final_images[None]),
            (*run.rounds, None),
            strict=True,
        ):
            picture = np.asarray(axes.images[0].get_array())
            expected = image[0].take(point[axis], axis) / np.float32(run.rounds[0].image.max())
            silent = np.ones(expected.shape, bool) if one is None else one.maps[0].saliency.take(point[axis], axis) == 0
            assert silent.any()
            np.testing.assert_allclose(picture[silent], np.repeat(expected[silent][:, None], 3, 1), atol=0.02)
            if one is not None:
                # What speaks for the target is colored: no longer gray.
                assert (np.ptp(picture[~silent], axis=1) > 0.1).all()


def test_every_side_has_its_letter_as_a_radiologist_expects(run):
    rows = tiles(draw_run(run))
    sides = (("left", "center"), ("right", "center"), ("center", "top"), ("center", "bottom"))
    expected = {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}
    for row, plane in zip(rows, PLANES, strict=True):
        for axes in row:
            assert "".join(written(axes)[side] for side in sides) == expected[plane]


def test_numbers_lead_to_the_source_and_mm_to_a_viewer(run):
    """Index and mm of the peak's voxel, from the affine that the file was written with."""
    figure = draw_run(run)
    rows = tiles(figure)
    notes = [text for text in said(figure) if text.endswith(" mm")]
    for column, (d, h, w) in enumerate(CENTRES):
        numbers = [written(rows[axis][column])[("left", "bottom")] for axis in range(3)]
        assert numbers == [f"d {d}", f"h {2 * h + 1}", f"w {w}"]
        # The file's axes go to left, back and head from (40, 30, -20); the middle of two voxels in height is 2h + 0.5.
        left, back, head = w * 1.1 - 40, (2 * h + 0.5) * 0.7 - 30, (23 - d) * 2.5 - 20
        place = f"{'L' if left > 0 else 'R'} {abs(left):.0f} · {'P' if back > 0 else 'A'} {abs(back):.0f}"
        assert notes[column] == f"{place} · {'S' if head > 0 else 'I'} {abs(head):.0f} mm"


def test_cross_hairs_meet_in_the_peak(run):
    for row, axis in zip(tiles(draw_run(run)), range(3), strict=True):
        for axes, point in zip(row, (*CENTRES, CENTRES[0]), strict=True):
            down, right = (value for other, value in enumerate(point) if other != axis)
            lines = [np.asarray(line.get_xydata()) for line in axes.lines if line.get_gid() is None]
            assert len(lines) == 4
            for line in lines:
                across = np.ptp(line[:, 1]) == 0
                assert (line[:, 1] == down).all() if across else (line[:, 0] == right).all()
            (left, end), (bottom, top) = axes.get_xlim(), axes.get_ylim()
            assert left < right < end
            assert top < down < bottom


@pytest.mark.parametrize("shape", [(24, 48, 24), (12, 60, 50), (90, 20, 20)])
def test_all_tiles_have_one_scale_in_mm(run, shape):
    geometry = dataclasses.replace(run.source.geometry, source_shape=shape)
    scale = tuple(side / 24 for side in shape)
    geometry = dataclasses.replace(geometry, scale=scale)
    source = dataclasses.replace(run.source, geometry=geometry)
    empty = Mask.empty(shape)
    rounds = tuple(
        dataclasses.replace(one, regions=tuple(dataclasses.replace(r, mask=empty) for r in one.regions))
        for one in run.rounds
    )
    figure = draw_run(dataclasses.replace(run, source=source, rounds=rounds))
    figure.draw_without_rendering()
    mm = np.multiply(SPACING, scale)
    found = []
    for row, axis in zip(tiles(figure), range(3), strict=True):
        down, right = (value for other, value in enumerate(mm) if other != axis)
        for axes in row:
            zero, x, y = axes.transData.transform([(0, 0), (1, 0), (0, 1)])
            found += [(x - zero)[0] / right, (zero - y)[1] / down]
    assert np.ptp(found) < 0.02 * np.mean(found)
    assert 4 < figure.get_figwidth() < 8
    assert figure.get_figheight() < 12


def test_regions_are_traced_in_the_color_of_their_target(run):
    rows = tiles(draw_run(run))
    for row in rows:
        colors = [{to_hex(one.get_edgecolor()) for one in axes.patches} for axes in row]
        assert COLORS[0].lower() in colors[0]
        assert "#ffffff" not in colors[0]
        assert COLORS[0].lower() in colors[1]
        assert colors[2] == {"#ffffff"}, "what was erased is traced in the last column"


def test_numbers_and_lines_are_those_of_the_regions_in_each_slice(run):
    """In each slice through the peak, the line goes around the region's voxels there, in the style of its verdict."""
    figure = draw_run(run)
    rows = tiles(figure)
    for column, (round_, point) in enumerate(zip(run.rounds, CENTRES, strict=True)):
        lines = {line.axes: line for line in named(figure, f"contour-{column + 1}")}
        numbers = {text.axes: text for text in named(figure, f"number-{column + 1}") if text.axes}
        for axis, row in enumerate(rows):
            inside = round_.regions[0].model_mask.to_array().take(point[axis], axis)
            assert np.array_equal(winding(lines[row[column]].get_path(), inside.shape) == 1, inside)
            assert lines[row[column]].get_linestyle() == DASHES[run.verdicts[column]]
            x, y = numbers[row[column]].get_position()
            ys, xs = np.nonzero(inside)
            assert abs(np.median(xs) - x) <= 1
            assert ys.min() - 3 <= y <= ys.min()


def test_a_region_at_the_rim_of_the_volume_is_closed(run):
    """The second cube begins at w = 0: its line stays half a voxel outside, on the volume's own border."""
    axes = tiles(draw_run(run))[0][1]
    (line,) = [one for one in named(axes.figure, "contour-2") if one.axes is axes]
    path = line.get_path().vertices
    np.testing.assert_allclose(path.min(0), [-0.5, WEAK[1] - 0.5], atol=1e-6)


def test_a_volume_of_an_unknown_place_says_so_by_saying_nothing():
    run = unveil.find_regions(Image.from_array(cubes.volume(), axes="d h w"), cubes.classifier(), RECIPE)
    figure = draw_run(run)
    rows = tiles(figure)
    labels = [text.get_text() for text in all_texts(figure) if text.get_rotation() == 90]
    assert labels == ["depth", "height", "width", "drop", "prediction"]
    texts = [text for row in rows for axes in row for text in written(axes).values() if text]
    assert sorted(set(texts)) == sorted(
        {f"{name} {point}" for at in CENTRES for name, point in zip("dhw", at, strict=True)}
    )
    assert not any(text.endswith(" mm") for text in said(figure))


def test_a_run_without_rounds_shows_the_middle(run):
    figure = draw_run(dataclasses.replace(run, rounds=()))
    rows = tiles(figure)
    assert [len(row) for row in rows] == [1, 1, 1]
    assert "image" in said(figure)
    assert written(rows[0][0])[("left", "bottom")] == "d 12"


def test_maps_that_are_not_finite_and_many_regions_are_drawn(run, tmp_path):
    one = run.rounds[0]
    broken = TargetMap(TargetScore("bright", ((0, 1.0),)), np.full((24, 24, 24), np.nan, np.float32), "NaN")
    many = tuple(
        dataclasses.replace(one.regions[0], model_mask=Mask.from_array(np.roll(cubes.cube(STRONG), shift, 0)))
        for shift in range(18)
    )
    assert isinstance(many[0], Region)
    changed = dataclasses.replace(run, rounds=(dataclasses.replace(one, maps=(broken,), regions=many),))
    figure = draw_run(changed)
    assert "and 4 more" in said(figure)
    assert write_figure(figure, tmp_path / "a.png").stat().st_size > 10_000


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_every_format_is_written_and_twice_the_same(run, tmp_path, suffix):
    paths = [Path(tmp_path / f"{name}{suffix}") for name in "ab"]
    for path in paths:
        run.figure(path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    if suffix == ".png":
        with Pillow.open(paths[0]) as opened:
            assert opened.width > 800
            assert np.ptp(np.asarray(opened.convert("L"))) > 200
