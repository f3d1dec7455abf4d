"""The keys of a run's figure: what lines, hatches and bars mean; and the labels of the run with their verdicts."""

from collections.abc import Callable

import matplotlib as mpl
from matplotlib.colors import to_hex

from unveil.records import LabelCard, Run, Verdict
from unveil.render.bars import outline_style
from unveil.render.columns import FigureColumn
from unveil.render.fitting import text_width, wrap_text
from unveil.render.marks import AGAINST, CASING_COLOR, make_badge
from unveil.render.paper import Paper
from unveil.render.parts import FAINT, NEUTRAL
from unveil.render.style import INK
from unveil.texts import format_ranges

SIZE = 6.0  # points
KEY_LINE, SAMPLE = 0.135, 0.22  # inches: a line of the key, its sample
LABEL_LINE, LABEL_HEAD, MAX_LABELS = 0.13, 0.16, 8
_MEANINGS = {
    Verdict.SUPPORTED: "supported: passes the tests",
    Verdict.WEAK: "weak: too little evidence",
    Verdict.ARTIFACT: "artifact: made by erasing",
}

KeyEntry = tuple[Callable[[Paper, float, float], None], str]


def key_entries(run: Run, columns: list[FigureColumn], *, volume: bool) -> list[KeyEntry]:
    """The samples and meanings of whatever the columns show; none without a round."""
    marked = [one for column in columns for one in column.marked]
    entries: list[KeyEntry] = []
    if any(column.round for column in columns):
        text = "saliency; cross: other slices" if volume else "saliency: 0 to high, per map"
        entries.append((_draw_ramp, text))
    if marked:
        entries.append((_draw_number, "region, numbered as in tables"))
    if any(one.verdict for one in marked):
        entries += [(_line_sample(verdict), text) for verdict, text in _MEANINGS.items()]
    if any(one.opposes for one in marked):
        entries.append((_draw_hatch, "speaks against its label: erasing it raises the score"))
    if any(column.round and column.round.erased.area_px for column in columns):
        entries.append((_draw_edge if volume else _draw_veil, "erased in earlier rounds"))
    if any(one.region.is_rim for one in marked):
        entries.append((_draw_rim, "along the edge of what was erased"))
    if marked:
        entries.append((_draw_drop, "drop of the label's score (logit) when this region alone is erased"))
    if any(card.verdict is Verdict.ARTIFACT for card in run.labels):
        entries.append((_draw_invented, "artifact: a label that appears by erasing alone"))
    return entries


def key_height(entries: list[KeyEntry], width: float) -> float:
    """Inches of a key."""
    return KEY_LINE * sum(len(_wrapped(text, width)) for _, text in entries) + 0.08


def draw_key(paper: Paper, left: float, top: float, width: float, entries: list[KeyEntry]) -> None:
    """Draw a key from its upper left corner."""
    for draw, text in entries:
        draw(paper, left, top + 0.06)
        for line in _wrapped(text, width):
            paper.text(left + SAMPLE + 0.06, top + 0.09, line, SIZE, FAINT)
            top += KEY_LINE


def labels_height(run: Run, width: float) -> float:
    """Inches of the table of labels; 0 for a run without a label check."""
    if not run.labels:
        return 0.0
    return LABEL_HEAD + LABEL_LINE * sum(len(_reason(card, run, width)) for card in run.labels[:MAX_LABELS])


def draw_labels(paper: Paper, place: tuple[float, float, float], run: Run, colors: dict[str, str]) -> None:
    """Draw the labels of a run at `place` (left, top, width): verdict, regions and reason, one label per line."""
    left, top, width = place
    if not run.labels:
        return
    names = _columns(run, width)
    more = len(run.labels) - MAX_LABELS
    head = "labels" if more <= 0 else f"labels, the first {MAX_LABELS} of {len(run.labels)}"
    paper.text(left, top + 0.1, head, 6.5, INK, fontweight="bold")
    top += LABEL_HEAD
    for card in run.labels[:MAX_LABELS]:
        base = top + 0.09
        color = colors.get(card.name)
        paper.bar(left, base - 0.07, 0.07, 0.07, color or "white", edgecolor=color or NEUTRAL, linewidth=0.7)
        paper.label(left + 0.12, base, card.name, SIZE, names[0] - 0.2)
        paper.verdict(left + names[0], base, card.verdict, SIZE)
        paper.text(left + names[1], base, _places(card), SIZE, FAINT)
        lines = _reason(card, run, width)
        for line in lines:
            paper.text(left + names[2], top + 0.09, line, SIZE, FAINT)
            top += LABEL_LINE


def _columns(run: Run, width: float) -> tuple[float, float, float]:
    """Where verdicts, regions and reasons begin."""
    cards = run.labels[:MAX_LABELS]
    name = 0.12 + max(text_width(card.name[:60], SIZE) for card in cards) + 0.12
    verdict = min(name, 0.28 * width)
    places = verdict + 0.68
    return verdict, places, places + max(text_width(_places(card), SIZE) for card in cards) + 0.12


def _places(card: LabelCard) -> str:
    regions = [place + 1 for place in card.regions]
    if not regions:
        return f"round {card.round}"
    return f"round {card.round}, region{'s' * (len(regions) > 1)} {format_ranges(regions)}"


def _reason(card: LabelCard, run: Run, width: float) -> list[str]:
    return wrap_text(card.reason, width - _columns(run, width)[2], SIZE, 2)


def _wrapped(text: str, width: float) -> list[str]:
    return wrap_text(text, width - SAMPLE - 0.06, SIZE, 3)


def _line_sample(verdict: Verdict) -> Callable[[Paper, float, float], None]:
    def draw(paper: Paper, x: float, y: float) -> None:
        paper.line(x, y, SAMPLE, CASING_COLOR, linewidth=2.8, solid_capstyle="butt")
        paper.verdict_line(x, y, SAMPLE, verdict, "#E69F00")

    return draw


def _draw_ramp(paper: Paper, x: float, y: float) -> None:
    steps = 16
    for step in range(steps):
        color = to_hex(mpl.colormaps["magma"]((step + 0.5) / steps))
        # A little wider than its place, so that no gap shows between two of them.
        width = SAMPLE / steps + (0.004 if step < steps - 1 else 0)
        paper.bar(x + SAMPLE * step / steps, y - 0.035, width, 0.07, color)


def _draw_number(paper: Paper, x: float, y: float) -> None:
    paper.add(*make_badge(x + SAMPLE / 2, y, 1, "#E69F00"))


def _draw_hatch(paper: Paper, x: float, y: float) -> None:
    paper.bar(x, y - 0.045, SAMPLE, 0.09, AGAINST, fill=False, edgecolor=AGAINST, hatch="/" * 7, linewidth=0.6)


def _draw_veil(paper: Paper, x: float, y: float) -> None:
    paper.bar(x, y - 0.045, SAMPLE, 0.09, "#8C9197")
    paper.bar(x + SAMPLE / 4, y - 0.045, SAMPLE / 2, 0.09, "#E6E8EA")


def _draw_edge(paper: Paper, x: float, y: float) -> None:
    paper.bar(x, y - 0.045, SAMPLE, 0.09, "black")
    paper.line(x + 0.03, y, SAMPLE - 0.06, "white", linewidth=0.6)


def _draw_rim(paper: Paper, x: float, y: float) -> None:
    paper.text(x + SAMPLE / 2, y + 0.03, "rim", SIZE, FAINT, ha="center")


def _draw_drop(paper: Paper, x: float, y: float) -> None:
    paper.bar(x, y - 0.03, SAMPLE, 0.06, "#E69F00")


def _draw_invented(paper: Paper, x: float, y: float) -> None:
    paper.bar(x + 0.01, y - 0.03, SAMPLE - 0.02, 0.06, INK, **outline_style(Verdict.ARTIFACT, INK))
