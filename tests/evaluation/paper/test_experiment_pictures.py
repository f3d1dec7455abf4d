"""The sheet and the chart say what the runs and tables hold."""

import numpy as np
import pytest
from handmade import handmade, inside
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from tiny_runs import run as tiny
from unveil.datasets import LabeledBox
from unveil.errors import RecordError
from unveil.images import Geometry
from unveil.render import write_figure
from unveil.render.curves import Panel, PlotCurve, draw_curves
from unveil.render.experiment import MAX_LINES, Example, draw_experiment
from unveil.render.parts import APPEARED, DISAPPEARED, FAINT
from unveil.render.style import INK

NAMES = ("Effusion", "Cardiomegaly", "Mass", "Nodule", "Edema")
NO = -3.0


def chest(states, **more):
    geometry = Geometry.resize((12, 16), (6, 8))
    regions = [[("Effusion", inside((6, 8), slice(0, 2), slice(0, 3)))]] * (len(states) - 1)
    return handmade(NAMES, states, regions, geometry=geometry, **more)


def texts(axes) -> dict[str, str]:
    return {text.get_text(): text.get_color() for text in axes.texts}


def test_a_row_shows_what_was_predicted_and_what_came_and_went():
    run = chest([[2.0, NO, NO, NO, NO], [NO, 1.0, NO, NO, NO], [NO, 1.0, NO, NO, NO]])
    box = LabeledBox("Effusion", 2, 4, 6, 8)
    figure = draw_experiment([Example(run, "a chest", ["Effusion", "Mass"], [box])])
    image, one, two, after = figure.axes
    assert texts(image) == {"image": FAINT, "Effusion": FAINT, "Mass": FAINT, " Effusion": "white"}
    tops = {text.get_text(): text.get_position()[1] for axes in (image, one, after) for text in axes.texts}
    assert tops["image"] == tops["round 1"] == tops["after"] > tops["Effusion"] > tops["Mass"] > 1
    assert texts(one) == {
        "round 1": FAINT,
        "Effusion 88%": INK,
        "− Effusion": DISAPPEARED,
        "+ Cardiomegaly": APPEARED,
    }
    assert texts(two) == {"round 2": FAINT, "Cardiomegaly 73%": DISAPPEARED}
    assert texts(after) == {"after": FAINT, "Cardiomegaly 73%": DISAPPEARED}
    assert "a chest" in [text.get_text() for text in figure.texts]
    # 2 px of the source are one of the grid; pixel (0, 0) is drawn around (0, 0).
    drawn = [patch for patch in image.patches if isinstance(patch, Rectangle)]
    assert {(patch.get_x(), patch.get_y(), patch.get_width(), patch.get_height()) for patch in drawn} == {
        (1.5, 0.5, 4, 3)
    }
    assert {to_hex(patch.get_edgecolor()) for patch in drawn} == {"#000000", "#ffffff"}


def test_long_lists_of_changes_are_cut_with_a_note():
    run = chest([[2.0, 1.5, 1.0, 0.5, NO], [NO, NO, NO, NO, 1.0]])
    figure = draw_experiment([Example(run, "x")])
    _, one, after = figure.axes
    assert "and 2 more" in texts(one)
    assert sum(text.startswith(("−", "+")) for text in texts(one)) == MAX_LINES - 1
    assert "and 3 more" in texts(one)
    assert "Edema 73%" in texts(after)


def test_the_threshold_is_that_of_the_example():
    run = chest([[-0.5, NO, NO, NO, NO], [NO, NO, NO, NO, NO]])
    (_, at_half, _), (_, at_a_third, _) = (
        draw_experiment([Example(run, "x", threshold=threshold)]).axes for threshold in (0.5, 1 / 3)
    )
    assert "nothing predicted" in texts(at_half)
    assert {"Effusion 38%", "− Effusion"} <= set(texts(at_a_third))


def test_rows_of_different_lengths_and_real_runs(tmp_path):
    runs = [tiny("guided, joint, top 2"), tiny("nothing predicted"), tiny("plain, separate tracks")]
    figure = draw_experiment([Example(run, name) for run, name in zip(runs, "abc", strict=True)])
    columns = 2 + max(len(run.of_track(run.tracks[0])) for run in runs)
    assert len(figure.axes) == 3 * columns
    assert {text.get_text() for text in figure.texts} == {"a", "b", "c"}
    bottoms = [axes.get_position().y0 for axes in figure.axes[::columns]]
    assert bottoms == sorted(bottoms, reverse=True)
    assert all(axes.get_position().y0 >= 0 and axes.get_position().y1 <= 1 for axes in figure.axes)
    assert write_figure(figure, tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_runs_that_cannot_be_drawn_are_refused():
    with pytest.raises(RecordError, match="expected runs of two-dimensional images; got 0 runs"):
        draw_experiment([])
    with pytest.raises(RecordError, match="expected at least one panel; got none"):
        draw_curves([])


def test_curves_have_their_values_intervals_and_chance():
    curve = PlotCurve("peak", [0.2, None, 0.6], [[0.1, 0.3], None, [0.5, 0.7]], [0.05, 0.1, None])
    figure = draw_curves(
        [Panel("boxes", [curve], share=True, note="9 boxes"), Panel("drop", [PlotCurve("d", [1.0, 2.0, 3.0])])], "t"
    )
    left, right = figure.axes
    solid, *bars, dashed = left.lines
    assert solid.get_xdata() == pytest.approx([1, 3])
    assert solid.get_ydata() == pytest.approx([0.2, 0.6])
    assert [tuple(bar.get_ydata()) for bar in bars] == [(0.1, 0.3), (0.5, 0.7)]
    assert (dashed.get_linestyle(), list(dashed.get_ydata())) == ("--", [0.05, 0.1])
    assert (left.get_ylim(), left.get_title("left"), left.texts[0].get_text()) == ((0, 1), "boxes", "9 boxes")
    assert right.get_ylim()[0] == 0
    assert np.ptp([line.get_xdata()[0] for line in right.lines]) == 0
    assert [text.get_text() for text in figure.texts] == ["t"]
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["peak"]


def test_curves_do_not_cover_each_other():
    figure = draw_curves([Panel("x", [PlotCurve(name, [0.5, 0.5], [[0, 1], [0, 1]]) for name in "abc"])])
    starts = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert len(set(starts)) == 3
    assert starts == pytest.approx([1, 1, 1], abs=0.1)
