"""Which photographs are usable, on a network whose label is the color."""

import pytest
import torch
from colored_photographs import COLORS, MEAN, SIDE, color_network, photographs, write_photograph
from PIL import Image as Pillow
from torch import nn

from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.evaluation.mosaics.drawing import MosaicCanvas
from unveil.evaluation.mosaics.kinds import Kind, PhotographPool, Role
from unveil.evaluation.mosaics.photographs import MosaicError, Photograph
from unveil.evaluation.mosaics.pool import draw_mosaic, find_pool, keep_pool

NETWORK = color_network()
CANVAS = MosaicCanvas(NETWORK.preprocessing)


def names(pool, role):
    """Ids of the usable photographs of a role."""
    return [one.id for one in pool.by_role[role]]


def test_a_photograph_must_be_named_alone(tmp_path):
    known = photographs(tmp_path, ["red", "blue"])
    wrong = Photograph("wrong", write_photograph(tmp_path / "wrong.png", COLORS["green"]), 0, 2)
    damaged = Photograph("damaged", tmp_path / "damaged.png", 0, 3)
    damaged.path.write_bytes(b"no image")
    for kind in Kind:
        pool = find_pool(NETWORK, CANVAS, kind, [*known, wrong, damaged])
        for role in pool.by_role:
            assert names(pool, role) == (["wrong"] if role is Role.FILLER else ["red", "blue"])
        counts = pool.as_dict()
        assert (counts["tested"], counts["unreadable"], counts["not_predicted"]) == (4, 1, 1)


def test_a_filler_is_named_in_no_place(tmp_path):
    """A network that sees red only in the left third: red photographs are named in three of nine places."""

    class LeftThird(nn.Module):
        def forward(self, x):
            red = (x[:, 0, :, :16] - x[:, 1, :, :16]).mean((1, 2))
            return torch.stack([100 * red, torch.ones_like(red)], 1)

    left = TorchClassifier(LeftThird(), Preprocessing.square(SIDE, MEAN, (1.0,) * 3), ("red", "rest"))
    red, green = photographs(tmp_path, ["red", "green"])
    never = Photograph("never", write_photograph(tmp_path / "never.png", COLORS["blue"]), 0, 2)
    pool = find_pool(left, MosaicCanvas(left.preprocessing), Kind.NINE, [red, green, never])
    assert names(pool, Role.TILE) == ["green"]
    assert names(pool, Role.FILLER) == ["never"]
    assert pool.as_dict() == {"tested": 3, "tile": 1, "filler": 1, "unreadable": 0, "not_predicted": 2}


def test_only_the_tiles_beside_fillers_are_present(tmp_path):
    """Each piece alone is named if and only if its label is present, on a network of three labels."""
    tiles = photographs(tmp_path, ["red", "green", "blue"])
    gray = write_photograph(tmp_path / "gray.png", (128, 128, 128))
    fillers = tuple(Photograph(f"gray {label}", gray, label, label) for label in range(1, 12))
    pool = PhotographPool({Role.TILE: tuple(tiles), Role.FILLER: fillers}, 14)
    for number in range(6):
        mosaic = draw_mosaic(NETWORK, CANVAS, Kind.NINE, pool, 0, number)
        named = {}
        for index, piece in enumerate(mosaic.pieces):
            alone = torch.from_numpy(CANVAS.draw_alone(mosaic.pieces, index))[None]
            leading = NETWORK.predict(alone)[0].probabilities[:3]
            named[piece.photograph.label] = leading.max() > 0.5
        assert {label for label, is_named in named.items() if is_named} == set(mosaic.labels)
        assert set(mosaic.filler_labels) == set(named) - set(mosaic.labels)
        assert all(mosaic.where(label).sum() == 16**2 for label in mosaic.labels)
        assert not any(mosaic.where(label).any() for label in mosaic.filler_labels)


def test_a_repeated_photograph_is_tested_in_all_forms(tmp_path):
    """A red frame of 5 px around 16 x 16 px of blue: 700 px against 256 px. The inner 32 x 32 px have 124 px of red."""
    picture = Pillow.new("RGB", (40, 40), COLORS["red"])
    picture.paste((128, 128, 128), (5, 5, 35, 35))
    picture.paste(COLORS["blue"], (12, 12, 28, 28))
    picture.save(tmp_path / "framed.png")
    framed = Photograph("framed", tmp_path / "framed.png", 0, 0)
    (red,) = photographs(tmp_path, ["red"])
    pool = find_pool(NETWORK, CANVAS, Kind.SHARED, [framed, red])
    assert names(pool, Role.TILE) == ["framed", "red"]
    assert names(pool, Role.REPEATED) == ["red"]


def test_a_pasted_object_is_tested_in_its_place(tmp_path):
    """A background whose color is only in one corner: it is named as long as the object doesn't cover this corner."""
    corner = Pillow.new("RGB", (SIDE, SIDE), (128, 128, 128))
    corner.paste(COLORS["green"], (8, 8, 16, 16))
    corner.save(tmp_path / "corner.png")
    background = Photograph("corner", tmp_path / "corner.png", 1, 0)
    (small,) = photographs(tmp_path, ["blue"])
    pool = PhotographPool({Role.OBJECT: (small,), Role.BACKGROUND: (background,)}, 2)
    mosaics = [draw_mosaic(NETWORK, CANVAS, Kind.PASTED, pool, 0, number) for number in range(40)]
    assert not any(mosaic.pieces[1].top <= 8 and mosaic.pieces[1].left <= 8 for mosaic in mosaics)
    mosaic = mosaics[-1]
    assert mosaic.labels == (1, list(COLORS).index("blue"))
    assert mosaic.where(1).sum() == SIDE**2 - 19**2 and mosaic.where(list(COLORS).index("blue")).sum() == 19**2
    assert not mosaic.where(5).any()


def test_no_pair_is_found(tmp_path):
    known = photographs(tmp_path, ["red", "blue"])
    gray = Photograph("gray", write_photograph(tmp_path / "gray.png", (128, 128, 128)), 3, 0)
    pool = PhotographPool({Role.OBJECT: (known[0],), Role.BACKGROUND: (gray,)}, 2)
    with pytest.raises(MosaicError, match="none in 100 tries"):
        draw_mosaic(NETWORK, CANVAS, Kind.PASTED, pool, 0, 0)


def test_a_number_has_its_mosaic_however_many_are_drawn(tmp_path):
    known = tuple(photographs(tmp_path))
    pool = PhotographPool({Role.TILE: known}, len(known))
    drawn = [draw_mosaic(NETWORK, CANVAS, Kind.DIFFERENT, pool, 0, number).pieces for number in range(4)]
    assert draw_mosaic(NETWORK, CANVAS, Kind.DIFFERENT, pool, 0, 3).pieces == drawn[3]
    assert len(set(drawn)) == 4
    assert draw_mosaic(NETWORK, CANVAS, Kind.DIFFERENT, pool, 1, 3).pieces != drawn[3]


def test_a_pool_is_kept_with_its_key(tmp_path):
    known = photographs(tmp_path)
    pool = PhotographPool({Role.TILE: tuple(known[:3])}, 6, 1)
    path = tmp_path / "pool.json"
    assert keep_pool(path, "a", known, lambda: pool) == pool

    def fails():
        raise AssertionError("computed again")

    assert keep_pool(path, "a", known, fails) == pool
    other = PhotographPool({Role.TILE: ()}, 6)
    assert keep_pool(path, "b", known, lambda: other) == other
    path.write_text("{")
    assert keep_pool(path, "b", known, lambda: pool) == pool
