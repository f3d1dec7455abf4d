"""Judged regions as rows of a CSV table."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from unveil.export import run_rows, write_rows
from unveil.records import Run
from unveil.review.judgments import Review

Cell = str | int | float | None

# Columns of the run, as in `unveil table`, and those of the judgment.
RUN_COLUMNS = ("run", "image", "sha256", "model", "track", "round", "id", "target", "other_label", "drop")
CARD_COLUMNS = ("verdict", "reason", "q_value", "suspicion")
JUDGMENT_COLUMNS = ("reviewer", "answer", "blind", "note", "judged_at")
REVIEW_COLUMNS = (*RUN_COLUMNS, *CARD_COLUMNS, *JUDGMENT_COLUMNS)


def judgment_rows(run: Run, review: Review, name: str | None = None) -> list[dict[str, Cell]]:
    """One row per judged region, in the order of the regions, with all keys of `REVIEW_COLUMNS`.

    Args:
        run: The run.
        review: Its review.
        name: The value of the column `run`, such as the folder of the record.
    """
    rows = []
    for row in run_rows(run, name):
        judgment = review.judgments.get(str(row["id"]))
        if judgment is None:
            continue
        judged_at = datetime.fromtimestamp(judgment.time_s, UTC).isoformat(timespec="seconds")
        own = {
            "reviewer": review.reviewer,
            "answer": str(judgment.answer),
            "blind": "yes" if judgment.blind else "no",
            "note": judgment.note,
            "judged_at": judged_at,
        }
        rows.append({**{key: row[key] for key in (*RUN_COLUMNS, *CARD_COLUMNS)}, **own})
    return rows


def write_judgments(rows: Iterable[Mapping[str, Cell]], file: Any) -> int:
    """Write `rows` of `judgment_rows` as CSV with a header to an open text `file`, and return how many there were.

    Texts that a spreadsheet would take for a formula get an apostrophe in front, and control characters are escaped.
    """
    return write_rows(rows, file, REVIEW_COLUMNS)
