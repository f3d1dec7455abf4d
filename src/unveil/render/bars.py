"""The predictions of a run's figure: the probabilities of the leading labels, as bars."""

from typing import Any

from unveil.records import LabelCard, Run, Verdict
from unveil.render.columns import FigureColumn
from unveil.render.fitting import text_width
from unveil.render.marks import DASHES, VERDICT_COLORS, cap_of
from unveil.render.paper import Paper
from unveil.render.parts import APPEARED, COLORS, DISAPPEARED, NEUTRAL, format_percent
from unveil.render.style import INK

MAX_BARS = 5
BAR_LINE = 0.235  # inches of a label
_SIZE, _WORD_SIZE = 6.3, 5.6  # points
_BASE, _TOP, _THICK = 0.12, 0.157, 0.055  # inches


def bars_height(run: Run) -> float:
    """Inches of the bars of one prediction."""
    return BAR_LINE * min(MAX_BARS, len(run.classifier.labels))


def doubtful_labels(run: Run) -> dict[int, LabelCard]:
    """The labels whose verdict isn't `supported`, by class index."""
    return {card.class_index: card for card in run.labels if card.verdict is not Verdict.SUPPORTED}


def shown_labels(run: Run, column: FigureColumn) -> list[int]:
    """The leading labels of a prediction, and those predicted at first, whatever has become of them."""
    probabilities = column.prediction.probabilities
    kept = list(run.first.predicted()[:2])
    leading = [index for index in column.prediction.leading(MAX_BARS) if index not in kept]
    return sorted((kept + leading)[:MAX_BARS], key=lambda index: (-probabilities[index], index))


def draw_bars(
    paper: Paper, place: tuple[float, float, float], run: Run, column: FigureColumn, colors: dict[str, str]
) -> None:
    """Draw the probabilities of a column at `place`: left, top and width.

    A label with a verdict of its own, `weak` or `artifact`, has the word beside it, and its bar the line of a contour.
    """
    left, top, width = place
    predicted, doubts = set(column.prediction.predicted()), doubtful_labels(run)
    probabilities, first = column.prediction.probabilities, run.first.predicted()[:2]
    for index in shown_labels(run, column):
        name, value = run.classifier.labels[index], float(probabilities[index])
        mark, ink = _change(column, name)
        weight = "bold" if index in predicted else "normal"
        percent, card = format_percent(value), doubts.get(index)
        word = str(card.verdict) if card else ""
        room = width - text_width(percent, _SIZE, bold=True) - text_width(word, _WORD_SIZE) - 0.1
        end = paper.label(left, top + _BASE, mark + name, _SIZE, room, color=ink, fontweight=weight)
        paper.text(left + width, top + _BASE, percent, _SIZE, ink, ha="right", fontweight=weight)
        color = colors.get(name, COLORS[0] if index in first else NEUTRAL)
        paper.bar(left, top + _TOP, width, _THICK, "#EEF0F2")
        style = {}
        if card:
            paper.text(end + 0.05, top + _BASE, word, _WORD_SIZE, VERDICT_COLORS[card.verdict])
            style = outline_style(card.verdict, color)
        paper.bar(left, top + _TOP, width * value, _THICK, color, gid=f"probability-{column.title}-{index}", **style)
        top += BAR_LINE


def outline_style(verdict: Verdict, color: str) -> dict[str, Any]:
    """The style of a bar whose label is in doubt: empty, with the line of a contour."""
    line = {"linestyle": DASHES[verdict], "capstyle": cap_of(verdict), "linewidth": 1.1}
    return {"fill": False, "edgecolor": color, **line}


def _change(column: FigureColumn, name: str) -> tuple[str, str]:
    """The sign before a label that has come or gone, and its color."""
    if name in column.appeared:
        return "+ ", APPEARED
    return ("− ", DISAPPEARED) if name in column.disappeared else ("", INK)
