"""Where regions fall: runs are counted by place, and those whose regions are in similar places find each other."""

import base64
from dataclasses import replace

import numpy as np

from tiny_runs import RECIPES, run
from unveil.masks import Mask
from unveil.records import Run
from unveil.report.places import CELLS, PlaceCounts


def test_runs_in_similar_places_name_each_other(tmp_path):
    first, other = run(next(iter(RECIPES))), run(list(RECIPES)[1])
    counts = PlaceCounts()
    for one in (first, other, first):
        counts.add(one)
    assert counts.alike()[0][0] == 2
    maps = {one["name"]: one for one in counts.heat_maps()}
    for name, one in maps.items():
        assert one["runs"] == sum(
            any(region.target == name for region in each.regions) for each in (first, other, first)
        )


def test_the_heat_map_counts_runs_per_place(tmp_path):
    one = run(next(iter(RECIPES)))
    counts = PlaceCounts()
    for _ in range(3):
        counts.add(one)
    full = {region.target for region in one.regions if _fills_a_cell(region.model_mask.to_array())}
    assert full
    for item in counts.heat_maps():
        assert item["most"] <= 3
        if item["name"] in full:
            assert item["most"] == 3


def with_squares(*corners: tuple[int, int]) -> Run:
    """A run with one region per corner: a square of 8 px on the model's grid of 32 px."""
    first = run().rounds[0]
    regions = []
    for top, left in corners:
        inside = np.zeros((32, 32), bool)
        inside[top : top + 8, left : left + 8] = True
        regions.append(replace(first.regions[0], model_mask=Mask.from_array(inside)))
    return replace(run(), rounds=(replace(first, regions=tuple(regions)),), trust=None)


def test_a_reader_finds_runs_by_place():
    """Cells have 32 / 14 px, so a square of 8 px from 16 on covers the cells that start at 7 to 10 fully."""
    counts = PlaceCounts()
    for one in (with_squares((16, 0)), with_squares((0, 16), (16, 0)), with_squares()):
        counts.add(one)
    bits = np.frombuffer(base64.b64decode(counts.cells([2, 0, 1])), np.uint8).reshape(3, -1)
    cells = np.unpackbits(bits, axis=1, bitorder="little")[:, : CELLS * CELLS].reshape(3, CELLS, CELLS)
    assert not cells[0].any()
    assert cells[1, 7:10, 0:3].all()
    assert not cells[1, :6].any()
    assert not cells[1, :, 5:].any()
    assert cells[2, 7:10, 0:3].all()
    assert cells[2, 0:3, 7:10].all()


def test_the_nearest_come_first_and_at_most_five():
    """Ten runs in one place, one a bit beside it, and one far away."""
    counts = PlaceCounts()
    for one in [with_squares((4, 4))] * 10 + [with_squares((6, 6)), with_squares((24, 24))]:
        counts.add(one)
    alike = counts.alike()
    assert alike[0] == [1, 2, 3, 4, 5]
    assert alike[10] == [0, 1, 2, 3, 4]
    assert alike[11] == []


def _fills_a_cell(inside: np.ndarray) -> bool:
    """Whether a square of 2 px, and so a cell of the coarse grid (32 / 28 px), lies inside."""
    return bool((inside[:-1, :-1] & inside[1:, :-1] & inside[:-1, 1:] & inside[1:, 1:]).any())
