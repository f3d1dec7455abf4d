"""The columns of a run's figure, and the texts and bars around its pictures."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from unveil.predictions import Prediction
from unveil.records import Region, Round, Run, Verdict
from unveil.render.parts import (
    APPEARED,
    COLORS,
    COLUMN_WIDTH,
    DISAPPEARED,
    FAINT,
    NEUTRAL,
    drawable_text,
    format_percent,
    shorten_label,
    shorter_titles,
    target_colors,
)
from unveil.render.style import INK, figure_style

MAX_BARS = 5
PREDICTION_ROW = "prediction"
BAR_HEIGHT = 0.233  # inches of one of them
NOTE_CHARS = 38  # characters of a note that fit into a column


@dataclass(frozen=True, eq=False)
class FigureColumn:
    """One column: an image with its prediction, and the round that explains it (none in the last column).

    `numbers` and `verdicts` belong to the round's regions; numbers count all regions of the run from 1, as tables do.
    `artifacts` are the labels that the round searched for and that are artifacts of erasing.
    """

    title: str
    image: UInt8[np.ndarray, "c *grid"]
    prediction: Prediction
    round: Round | None
    appeared: tuple[str, ...]
    disappeared: tuple[str, ...]
    numbers: tuple[int, ...] = ()
    verdicts: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()


def make_columns(run: Run, track: str | None) -> list[FigureColumn]:
    """One column per round, and one for what is left."""
    cards = run.trust.cards if run.trust and len(run.trust.cards) == len(run.regions) else ()
    artifacts = {card.class_index for card in run.labels if card.verdict is Verdict.ARTIFACT}
    columns: list[FigureColumn] = []
    last: Round | None = None
    number = 0
    for round_ in run.rounds:
        numbers = tuple(range(number + 1, number + 1 + len(round_.regions)))
        number += len(round_.regions)
        if round_.track != track:
            continue
        verdicts = tuple(str(cards[index - 1].verdict) for index in numbers) if cards else ()
        changes = (run.appeared(last), run.disappeared(last)) if last else ((), ())
        title = f"round {round_.index}"
        marked = tuple(item.target for item in round_.maps if item.target_score.class_index in artifacts)
        columns.append(FigureColumn(title, round_.image, round_.before, round_, *changes, numbers, verdicts, marked))
        last = round_
    changes = (run.appeared(last), run.disappeared(last)) if last else ((), ())
    columns.append(
        FigureColumn(
            "after" if last else "image", run.final_images[track], last.after if last else run.first, None, *changes
        )
    )
    return columns


def layout_figure(
    run: Run,
    track: str | None,
    columns: Sequence[FigureColumn],
    rows: dict[str, float],
    show: Callable[[Axes, str, FigureColumn], None],
) -> Figure:
    """Lay out a run's figure: `rows` by name, with their height in inches, filled by `show(axes, row, column)`.

    The first row carries the columns' titles. The last row, added here, shows the predictions as bars; a head and a
    foot stand above and below everything.
    """
    rows = {**rows, PREDICTION_ROW: BAR_HEIGHT * (_bar_count(run) + 1)}
    with figure_style():
        # Three columns at least: head and foot need their width.
        slots = max(3, len(columns))
        figure = Figure(figsize=(COLUMN_WIDTH * slots + 0.42, sum(rows.values()) + 0.8 + 0.07 * len(rows)), dpi=150)
        FigureCanvasAgg(figure)
        height, width = figure.get_figheight(), figure.get_figwidth()
        grid = figure.add_gridspec(
            len(rows),
            slots,
            height_ratios=list(rows.values()),
            hspace=0.055,
            wspace=0.06,
            left=0.34 / width,
            right=1 - 0.06 / width,
            top=1 - 0.5 / height,
            bottom=0.26 / height,
        )
        colors = target_colors(run, track)
        for line, row in enumerate(rows):
            for number, column in enumerate(columns):
                axes = figure.add_subplot(grid[line, number])
                if number == 0 and row != "note":
                    axes.text(
                        -0.06, 0.5, row, transform=axes.transAxes, rotation=90, ha="right", va="center", color=FAINT
                    )
                if row == PREDICTION_ROW:
                    _draw_bars(axes, column, run, colors)
                else:
                    show(axes, row, column)
                if line == 0:
                    _draw_title(axes, column)
        _draw_head_and_foot(figure, run, track)
    return figure


def note_height(columns: Sequence[FigureColumn]) -> float:
    """Inches of the row of notes: as many lines as the longest note needs."""
    return 0.1 * max(1, *(min(len(column.numbers), 3) + bool(column.artifacts) for column in columns)) + 0.05


def draw_note(axes: Axes, column: FigureColumn, first: str = "") -> None:
    """Write one line per region: its number, its drop, its verdict, and the label that it shows in place of its target;
    for a region that has neither, its stability.

    Of more than three regions, the first two are described and the others counted. In gray before them: `first`, and
    the labels that are artifacts of erasing.
    """
    axes.axis("off")
    if column.round is None:
        return
    regions = column.round.regions
    described = regions if len(regions) <= 3 else regions[:2]
    lines = [_describe_region(column, region, index) for index, region in enumerate(described)]
    if len(regions) > 3:
        lines.append(f"and {len(regions) - 2} more")
    elif not regions:
        lines.append("no region")
    style = {"fontsize": 6, "va": "top", "transform": axes.transAxes, "linespacing": 1.15}
    marked = f"artifact: {shorten_label(', '.join(column.artifacts))}" if column.artifacts else ""
    heads = [head for head in (first, marked) if head]
    axes.text(0, 1, "\n".join(heads), color=FAINT, **style)
    axes.text(0, 1, "\n".join([*("" for _ in heads), *lines]), **style)


def _draw_title(axes: Axes, column: FigureColumn) -> None:
    axes.set_title(column.title, fontsize=8, fontweight="bold", pad=3, loc="left")
    if column.round and column.round.erased.area_px:
        share = column.round.erased.area_px / column.image[0].size
        axes.set_title(f"{share:.1%} erased", fontsize=6.5, color=FAINT, pad=3, loc="right")


def _describe_region(column: FigureColumn, region: Region, index: int) -> str:
    parts = [f"{column.numbers[index]}  drop {region.drop:+z.2f}"]
    if column.verdicts:
        parts.append(column.verdicts[index])
    elif region.stability is not None and region.other_label is None:
        parts.append(f"stability {region.stability:.2f}")
    text = " · ".join([*parts, "rim"] if region.is_rim else parts)
    if region.other_label is None:
        return text
    return f"{text} → {shorten_label(region.other_label.name, max(4, NOTE_CHARS - len(text) - 3))}"


def _bar_count(run: Run) -> int:
    return min(MAX_BARS, len(run.classifier.labels))


def _draw_bars(axes: Axes, column: FigureColumn, run: Run, colors: dict[str, str]) -> None:
    """Draw the probabilities of the leading labels, and of those predicted at first, whatever has become of them."""
    labels, prediction = run.classifier.labels, column.prediction
    probabilities = prediction.probabilities
    kept = list(run.first.predicted()[:2])
    leading = [index for index in prediction.leading(MAX_BARS) if index not in kept]
    shown = sorted((kept + leading)[:MAX_BARS], key=lambda index: (-probabilities[index], index))
    axes.set_xlim(0, 1)
    axes.set_ylim(_bar_count(run) + 0.25, -0.75)
    axes.axis("off")
    predicted = set(prediction.predicted())
    for row, index in enumerate(shown):
        name, value = labels[index], float(probabilities[index])
        color = colors.get(name, COLORS[0] if index in kept else NEUTRAL)
        axes.add_patch(Rectangle((0, row + 0.1), 1, 0.3, color="#EEF0F2", linewidth=0))
        axes.add_patch(Rectangle((0, row + 0.1), value, 0.3, color=color, linewidth=0))
        mark, ink = (
            ("+ ", APPEARED)
            if name in column.appeared
            else ("− ", DISAPPEARED)
            if name in column.disappeared
            else ("", INK)
        )
        weight = "bold" if index in predicted else "normal"
        axes.text(
            0, row, mark + shorten_label(name), ha="left", va="bottom", color=ink, fontsize=6.3, fontweight=weight
        )
        axes.text(1, row, format_percent(value), ha="right", va="bottom", color=ink, fontsize=6.3, fontweight=weight)


def _draw_head_and_foot(figure: Figure, run: Run, track: str | None) -> None:
    """Write image, classifier and recipe above the pictures, and the reason why the run ended below them."""
    height, width = figure.get_figheight(), figure.get_figwidth()
    left, right = 0.34 / width, 1 - 0.06 / width
    settings = f"{drawable_text(run.classifier.name)} · recipe {run.recipe.get('name', 'custom')} · seed {run.seed}"
    beside = figure.text(right, 1 - 0.12 / height, settings, fontsize=7, color=FAINT, va="top", ha="right")
    head = figure.text(left, 1 - 0.1 / height, "", fontsize=9, fontweight="bold", va="top")
    name = drawable_text(Path(run.source.name).name or "image")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # missing in the font: drawn as a box of some width
        end = beside.get_window_extent().x0 - 0.12 * figure.dpi
        for text in shorter_titles(name, "" if track is None else f" · {drawable_text(track)}"):
            head.set_text(text)
            if head.get_window_extent().x1 <= end:
                break
    legend = "bold: predicted   + appeared   − no longer predicted"
    figure.text(
        left, 0.1 / height, f"ended: {drawable_text(run.stops[track].text)}", fontsize=6.5, color=FAINT, va="bottom"
    )
    figure.text(right, 0.1 / height, legend, fontsize=6.5, color=FAINT, va="bottom", ha="right")
