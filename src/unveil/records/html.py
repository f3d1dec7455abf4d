"""A run as HTML tables, for notebooks. Every text from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unveil.records.labels import LabelCard
    from unveil.records.run import Region, Round, Run

HEADERS = ("", "round", "target", "area", "drop", "probability", "verdict", "reason")
LABEL_HEADERS = ("label", "verdict", "round", "regions", "gain", "reason")


def run_as_html(run: Run) -> str:
    """One row per region: number, round, target, area, drop in logits, probability before and after, verdict and
    reason. In runs with a label check, a second table has one row per label; regions have the numbers of the first."""
    regions = [(round_, region) for round_ in run.rounds for region in round_.regions]
    rows = [_row(run, number, *one) for number, one in enumerate(regions, start=1)]
    caption = f"{run.source.name} by {run.classifier.name}: {'; '.join(stop.text for stop in run.stops.values())}"
    table = _table(caption, HEADERS, rows, "no regions")
    return table + (_table("labels", LABEL_HEADERS, map(_label_row, run.labels)) if run.labels else "")


def _table(caption: str, headers: Sequence[str], rows: Iterable[Sequence[str]], empty: str = "") -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in headers)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    body = body or f'<tr><td colspan="{len(headers)}">{escape(empty)}</td></tr>'
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(run: Run, number: int, round_: Round, region: Region) -> tuple[str, ...]:
    before, after, card = region.probability_before, region.probability_after, run.card(region)
    unit = "px" if len(region.mask.shape) == 2 else "voxels"
    return (
        str(number),
        str(round_.index),
        region.target if region.other_label is None else f"{region.target} → {region.other_label.name}",
        f"{region.area_px:,} {unit}",
        f"{region.drop:+z.2f}",
        "" if before is None or after is None else f"{before:.1%} → {after:.1%}",
        "" if card is None else str(card.verdict),
        "" if card is None else card.reason,
    )


def _label_row(card: LabelCard) -> tuple[str, ...]:
    return (
        card.name,
        str(card.verdict),
        str(card.round),
        ", ".join(str(place + 1) for place in card.regions),
        "" if card.gain is None else f"{card.gain:+z.0%}",
        card.reason,
    )
