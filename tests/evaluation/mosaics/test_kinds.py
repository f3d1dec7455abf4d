"""What each kind of mosaic is made of."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from colored_photographs import MEAN, SIDE, photographs

from unveil.classifiers import Preprocessing
from unveil.evaluation.mosaics.drawing import Form, MosaicCanvas
from unveil.evaluation.mosaics.kinds import ROLES, Kind, PhotographPool, Role, draw_pieces
from unveil.evaluation.mosaics.photographs import MosaicError, Photograph

NOWHERE = Path("nowhere.png")  # isn't read
CANVAS = MosaicCanvas(Preprocessing.square(SIDE, MEAN, (1.0, 1.0, 1.0)))


def pool_of(kind: Kind, known: list[Photograph]) -> PhotographPool:
    """A pool where all photographs can be used for everything."""
    return PhotographPool({role: tuple(known) for role in ROLES[kind] if role is not Role.FILLER}, len(known))


def drawn(kind: Kind, known: list[Photograph], seed: int):
    """The pieces of one mosaic."""
    return draw_pieces(kind, pool_of(kind, known), CANVAS, np.random.default_rng(seed))


@pytest.mark.parametrize(("kind", "count"), [(Kind.DIFFERENT, 4), (Kind.NINE, 9)])
def test_different_labels_in_all_places(kind, count):
    known = [Photograph(str(number), NOWHERE, number % 10, number) for number in range(20)]
    orders = set()
    for seed in range(20):
        pieces = drawn(kind, known, seed)
        assert len({piece.photograph.label for piece in pieces}) == count
        assert {(piece.top, piece.left, piece.height, piece.width) for piece in pieces} == {
            (top, left, side, side) for top, left, side in CANVAS.places(3 if count == 9 else 2)
        }
        assert {piece.form for piece in pieces} == {Form.PLAIN}
        orders.add(tuple(piece.photograph.id for piece in pieces))
    assert len(orders) == 20


def test_two_or_three_tiles_share_one_photograph_in_different_forms():
    known = [Photograph(str(number), NOWHERE, number, number) for number in range(8)]
    seen = Counter()
    for seed in range(60):
        pieces = drawn(Kind.SHARED, known, seed)
        (name, times), *others = Counter(piece.photograph.id for piece in pieces).most_common()
        seen[times] += 1
        forms = [piece.form for piece in pieces if piece.photograph.id == name]
        assert len(set(forms)) == times
        assert all(piece.form is Form.PLAIN for piece in pieces if piece.photograph.id != name)
        assert all(count == 1 for _, count in others)
    assert set(seen) == {2, 3} and min(seen.values()) > 15


def test_an_object_lies_inside_the_background(tmp_path):
    known = photographs(tmp_path)
    tops = []
    for seed in range(30):
        background, small = drawn(Kind.PASTED, known, seed)
        assert (background.top, background.left, background.height, background.width) == (0, 0, SIDE, SIDE)
        assert small.height == small.width == 19  # .4 of 48 px, rounded
        assert 0 <= small.top <= SIDE - 19 and 0 <= small.left <= SIDE - 19
        assert small.photograph.label != background.photograph.label
        tops.append(small.top)
    assert min(tops) < 5 and max(tops) > SIDE - 19 - 5


@pytest.mark.parametrize(("usable", "unnamed", "counts"), [(4, 9, {2, 3, 4}), (5, 6, {3, 4, 5}), (8, 1, {8})])
def test_fillers_are_in_the_places_that_too_few_usable_photographs_leave(usable, unnamed, counts):
    """Labels 0 to `usable` - 1 are usable, the next ones aren't; some fillers have a label that is usable as well."""
    tiles = [Photograph(f"tile {label}", NOWHERE, label, label) for label in range(usable)]
    fillers = [Photograph(f"filler {label}", NOWHERE, label, label) for label in range(usable + unnamed)]
    pool = PhotographPool({Role.TILE: tuple(tiles), Role.FILLER: tuple(fillers)}, len(tiles) + len(fillers))
    seen, places = Counter(), Counter()
    for seed in range(60):
        pieces = draw_pieces(Kind.NINE, pool, CANVAS, np.random.default_rng(seed))
        assert [(piece.top, piece.left, piece.width) for piece in pieces] == CANVAS.places(3)
        assert len({piece.photograph.label for piece in pieces}) == 9
        assert all(piece.is_filler == (piece.photograph.label >= usable) for piece in pieces)
        assert all(piece.photograph.id.startswith("filler" if piece.is_filler else "tile") for piece in pieces)
        seen[sum(not piece.is_filler for piece in pieces)] += 1
        places.update(number for number, piece in enumerate(pieces) if not piece.is_filler)
    assert set(seen) == counts
    assert len(places) == 9


@pytest.mark.parametrize(("usable", "unnamed", "needed"), [(1, 20, 2), (3, 4, 5)])
def test_too_few_photographs_beside_fillers(usable, unnamed, needed):
    tiles = tuple(Photograph(str(label), NOWHERE, label, label) for label in range(usable))
    fillers = tuple(Photograph(str(label), NOWHERE, label, label) for label in range(usable, usable + unnamed))
    pool = PhotographPool({Role.TILE: tiles, Role.FILLER: fillers}, usable + unnamed)
    with pytest.raises(MosaicError, match=f"at least {needed} usable .*got {usable} whose"):
        draw_pieces(Kind.NINE, pool, CANVAS, np.random.default_rng(0))


def test_too_few_labels():
    known = [Photograph(str(number), NOWHERE, number % 3, number) for number in range(9)]
    with pytest.raises(MosaicError, match="at least 4 usable photographs with different labels.*got 3 whose"):
        drawn(Kind.DIFFERENT, known, 0)
