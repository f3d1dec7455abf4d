"""Judged regions as CSV, read back by the csv module."""

import csv
import io

from judged_runs import judged
from unveil.records import Verdict
from unveil.review import REVIEW_COLUMNS, Answer, Judgment, judgment_rows, write_judgments


def test_there_is_one_row_per_judged_region():
    pairs = [(Verdict.SUPPORTED, Answer.ACCEPT), (Verdict.WEAK, None), (Verdict.ARTIFACT, Answer.REJECT)]
    run, review = judged(pairs, blind=[True, False, False])
    rows = judgment_rows(run, review, "runs/dog")
    assert [(row["id"], row["verdict"], row["answer"], row["blind"]) for row in rows] == [
        ("r1.1", "supported", "accept", "yes"),
        ("r1.3", "artifact", "reject", "no"),
    ]
    assert [row["drop"] for row in rows] == [run.regions[place].drop for place in (0, 2)]
    assert rows[0]["judged_at"] == "2023-11-14T22:13:20+00:00"
    assert rows[0]["run"] == "runs/dog"


def test_texts_from_outside_are_safe_in_a_spreadsheet():
    run, review = judged([(Verdict.SUPPORTED, Answer.ACCEPT)])
    review = review.with_judgment("r1.1", Judgment(Answer.ACCEPT, '=HYPERLINK("x")\n\x1b[2J\ud800', 0.0))
    file = io.StringIO()
    assert write_judgments(judgment_rows(run, review), file) == 1
    file.getvalue().encode("utf-8")
    header, row = csv.reader(io.StringIO(file.getvalue()))
    assert header == list(REVIEW_COLUMNS)
    cells = dict(zip(header, row, strict=True))
    assert cells["note"] == '\'=HYPERLINK("x")\\n\\x1b[2J\\ud800'
    assert float(cells["drop"]) == run.regions[0].drop
    assert (cells["reviewer"], cells["judged_at"]) == ("A. Reader", "1970-01-01T00:00:00+00:00")


def test_a_review_without_judgments_has_no_rows():
    run, review = judged([(Verdict.SUPPORTED, None)])
    assert judgment_rows(run, review) == []
