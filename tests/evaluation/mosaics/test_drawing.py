"""Pieces lie where they should, later ones on top, and nothing is scaled twice."""

import numpy as np
import pytest
from colored_photographs import MEAN, SIDE, color_network, halves, photographs
from PIL import Image as Pillow

from unveil.classifiers import Preprocessing, load_classifier
from unveil.evaluation.mosaics.drawing import Form, MosaicCanvas, Piece
from unveil.evaluation.mosaics.photographs import MosaicError

CANVAS = MosaicCanvas(Preprocessing((SIDE, SIDE), MEAN, (1.0, 1.0, 1.0), resize=56))


def test_tiles_fill_the_grid_but_for_a_border_of_the_mean_color(tmp_path):
    canvas = MosaicCanvas(Preprocessing.square(50, MEAN, (1.0, 1.0, 1.0)))
    places = canvas.places(3)
    assert {side for _, _, side in places} == {16}
    red = photographs(tmp_path, ["red"])[0]
    pixels = canvas.draw([Piece(red, top, left, side, side) for top, left, side in places])
    assert np.allclose(pixels[:, 1:49, 1:49], np.array([1, 0, 0])[:, None, None])
    border = np.ones((50, 50), bool)
    border[1:49, 1:49] = False
    assert (pixels[:, border] == 0.5).all()


def test_forms(tmp_path):
    """The border between red and blue is in the middle; mirrored, the colors change sides, and cropped, it stays."""
    photograph = halves(tmp_path)
    plain, mirrored, cropped = (CANVAS.draw([Piece(photograph, 4, 8, 20, 20, form)])[:, 4:24, 8:28] for form in Form)
    assert plain[0, :, 0].min() == 1 and plain[2, :, -1].min() == 1
    assert (mirrored == plain[:, :, ::-1]).all() and (mirrored != plain).any()
    assert cropped[0, :, 0].min() == 1 and abs(cropped[0].mean() - 0.5) < 0.03, "half a pixel of 20"


def test_cropping_leaves_out_a_tenth_on_each_side(tmp_path):
    """A frame of 2 px around 40 x 40 px is within the tenth (4 px) that the inner .8 leaves out."""
    photograph = halves(tmp_path)
    framed = np.array(Pillow.open(photograph.path))
    framed[:2] = framed[-2:] = framed[:, :2] = framed[:, -2:] = (0, 255, 0)
    Pillow.fromarray(framed).save(photograph.path)
    plain, _, cropped = (CANVAS.draw([Piece(photograph, 0, 0, 40, 40, form)])[1, :40, :40] for form in Form)
    assert plain.max() == 1 and cropped.max() == 0


def test_later_pieces_cover_earlier_ones(tmp_path):
    red, blue = photographs(tmp_path, ["red", "blue"])
    pieces = (Piece(red, 0, 0, SIDE, SIDE), Piece(blue, 10, 20, 19, 19))
    seen = [CANVAS.inside(pieces, number) for number in range(2)]
    assert seen[1].sum() == 19 * 19 and (seen[0] == ~seen[1]).all()
    background = CANVAS.draw_alone(pieces, 0)
    assert np.allclose(background[0, seen[0]], 1) and (background[:, seen[1]] == 0.5).all()
    alone = CANVAS.draw_alone(pieces, 1)
    assert np.allclose(alone[2, seen[1]], 1) and (alone[:, seen[0]] == 0.5).all()
    both = CANVAS.draw(pieces)
    assert (both == np.where(seen[1], alone, background)).all()


def test_the_network_gets_what_was_drawn(tmp_path):
    classifier = load_classifier(color_network(), preprocessing=CANVAS.unscaled)
    pixels = CANVAS.draw([Piece(photographs(tmp_path, ["green"])[0], 3, 5, 7, 7)])
    prepared = classifier.prepare(CANVAS.as_image(pixels, "drawn")).pixels.numpy()
    assert (prepared == pixels).all()


def test_volumes_are_refused():
    with pytest.raises(MosaicError, match="two axes; got a grid 8 × 8 × 8"):
        MosaicCanvas(Preprocessing.whole((8, 8, 8), (0.5,), (1.0,)))
