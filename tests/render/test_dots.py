"""Dots with intervals: means, intervals and references lie where the numbers say."""

import numpy as np
import pytest

from unveil.errors import RecordError
from unveil.render.dots import DotPanel, DotRow, draw_dots

GROUPS = ("nothing erased", "found regions")
PANEL = DotPanel("right", (DotRow(0.4, (0.3, 0.5), (0.35, 0.45)), DotRow(None, None, (), 0.2)), "a note", (0, 1))


def drawn(lines, marker):
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in lines if line.get_marker() == marker]


def test_what_is_drawn_is_what_was_given():
    figure = draw_dots(GROUPS, [PANEL, PANEL], "two panels")
    first, second = figure.axes
    dots, lines = drawn(first.lines, "o"), drawn(first.lines, "None")
    assert ([0.4], [0]) in dots
    assert any(np.allclose(xs, (0.35, 0.45)) for xs, _ in dots if len(xs) == 2)
    assert ([0.3, 0.5], [0, 0]) in lines
    assert any(xs == [0.2, 0.2] and min(ys) < 1 < max(ys) for xs, ys in lines), "the reference of the second row"
    assert first.get_xlim() == (0, 1)
    assert [text.get_text() for text in first.get_yticklabels()] == list(GROUPS)
    assert [text.get_text() for text in second.get_yticklabels()] == ["", ""], "names stand once"
    assert first.get_ylim()[0] > first.get_ylim()[1], "the first group is at the top"


def test_panels_and_names_do_not_overlap():
    figure = draw_dots(["a very long name of a group"], [PANEL, PANEL])
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    boxes = [axes.get_tightbbox(renderer) for axes in figure.axes]
    assert boxes[0].x0 >= 0
    assert boxes[0].x1 <= boxes[1].x0


def test_nothing_to_draw_is_an_error():
    for groups, panels in (((), [PANEL]), (GROUPS, [])):
        with pytest.raises(RecordError, match="at least one group and one panel"):
            draw_dots(groups, panels)
