"""Texts fit into the width that they are given, whatever letters they have."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from unveil.render import figure_style
from unveil.render.fitting import fit_text, text_width, wrap_text

NAMES = [
    "W" * 60,
    "i" * 200,
    "soft-coated wheaten terrier, a breed of dogs",
    "浮腫 " * 20,
    "$x^2$ \\frac{1}{2} " * 9,
    "a\nb" * 50,
]


def drawn_width(text: str, size: float, *, bold: bool) -> float:
    """The width in inches that matplotlib itself measures when it draws."""
    with figure_style():
        figure = Figure(figsize=(30, 1), dpi=300)
        canvas = FigureCanvasAgg(figure)
        drawn = figure.text(0, 0, text, fontsize=size, fontweight="bold" if bold else "normal")
        return drawn.get_window_extent(canvas.get_renderer()).width / 300


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("bold", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_shortened_text_fits_and_keeps_as_much_as_fits(name, bold):
    with figure_style():
        text = fit_text(name, 1.2, 6.3, bold=bold)
    assert drawn_width(text, 6.3, bold=bold) <= 1.23
    assert text.endswith("…")
    start = text[:-1]
    assert name.replace("\n", " ").startswith(start)
    longer = name.replace("\n", " ")[: len(start) + 2]
    assert drawn_width(longer.rstrip() + "…", 6.3, bold=bold) > 1.15


def test_a_short_text_is_left_alone():
    with figure_style():
        assert fit_text("oak", 1.0, 7) == "oak"
        assert fit_text("a\x1b[31m", 1.0, 7) == "a\ufffd[31m"


def test_marks_piled_on_a_letter_do_not_reach_into_other_lines():
    with figure_style():
        assert fit_text("Z" + "\u0301" * 40 + "a", 3.0, 7) == "Z\u0301\u0301a"


def test_wrapping_breaks_at_spaces_and_cuts_the_last_line():
    text = "predicted only after regions were erased, and shown by none (by 0% at most)"
    with figure_style():
        lines = wrap_text(text, 1.3, 6, 9)
        assert " ".join(lines) == text
        assert len(lines) > 2
        assert max(text_width(line, 6) for line in lines) <= 1.3
        short = wrap_text(text, 1.3, 6, 2)
        assert short[0] == lines[0]
        assert len(short) == 2
        assert short[1].endswith("…")
        assert short[1].startswith(lines[1])
        assert max(text_width(line, 6) for line in short) <= 1.3
