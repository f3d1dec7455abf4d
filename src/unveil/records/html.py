"""A run as an HTML table, for notebooks. Every text from outside is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unveil.records.run import Region, Round, Run

HEADERS = ("round", "target", "area", "drop", "probability", "verdict", "reason")


def run_as_html(run: Run) -> str:
    """One row per region: round, target, area, drop in logits, probability before and after, verdict and reason."""
    head = "".join(f"<th>{name}</th>" for name in HEADERS)
    rows = "".join(_row(run, round_, region) for round_ in run.rounds for region in round_.regions)
    rows = rows or f'<tr><td colspan="{len(HEADERS)}">no regions</td></tr>'
    caption = f"{run.source.name} by {run.classifier.name}: {'; '.join(stop.text for stop in run.stops.values())}"
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(run: Run, round_: Round, region: Region) -> str:
    before, after, card = region.probability_before, region.probability_after, run.card(region)
    unit = "px" if len(region.mask.shape) == 2 else "voxels"
    cells = (
        str(round_.index),
        region.target,
        f"{region.area_px:,} {unit}",
        f"{region.drop:+z.2f}",
        "" if before is None or after is None else f"{before:.1%} → {after:.1%}",
        "" if card is None else str(card.verdict),
        "" if card is None else card.reason,
    )
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
