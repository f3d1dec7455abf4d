"""`unveil agreement`: what the library computes, of records with reviews beside them."""

import csv
import json
from pathlib import Path

import pytest
from commands import Shell

from judged_runs import judged
from unveil.records import Verdict
from unveil.review import Answer, Judgment, Review, compute_agreement, record_seal, review_path, save_review
from unveil.store import save_run

AGREE = [(Verdict.SUPPORTED, Answer.ACCEPT), (Verdict.ARTIFACT, Answer.REJECT), (Verdict.WEAK, Answer.UNSURE)]
DIFFER = [(Verdict.SUPPORTED, Answer.REJECT), (Verdict.ARTIFACT, Answer.REJECT), (Verdict.SUPPORTED, None)]


def save(folder: Path, pairs: list, *, blind: bool = False, note: str | None = None) -> tuple:
    run, review = judged(pairs, blind=blind)
    save_run(run, folder)
    review = Review(record_seal(folder), review.reviewer, review.judgments)
    if note is not None:
        review = review.with_judgment("r1.1", Judgment(Answer.ACCEPT, note))
    save_review(review, folder)
    return run, review


@pytest.fixture
def runs(shell: Shell) -> Path:
    folder = shell.folder / "runs"
    save(folder / "a", AGREE, blind=True)
    save(folder / "b", DIFFER)
    save_run(judged(AGREE)[0], folder / "c")
    return folder


def test_the_numbers_are_those_of_the_library(shell: Shell, runs: Path):
    code, out, _ = shell("agreement", runs, "--json", "--seed", 4)
    assert code == 0
    expected = compute_agreement([judged(AGREE, blind=True), judged(DIFFER)], seed=4)
    assert json.loads(out) == {**expected.as_dict(), "unreviewed": 1}
    # By hand: 3 of 4 agree; by chance .5 * .25 + .5 * .75.
    assert json.loads(out)["all"]["kappa"] == pytest.approx((0.75 - 0.5) / 0.5)


def test_people_read_counts_and_kappas(shell: Shell, runs: Path):
    code, out, err = shell("agreement", runs / "a", runs)
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert out.splitlines()[0] == "5 of 6 regions judged in 2 runs; 1 more run without a review"
    assert lines[1:5] == [
        ["verdict", "accept", "unsure", "reject"],
        ["supported", "1", "0", "1"],
        ["weak", "0", "1", "0"],
        ["artifact", "0", "0", "2"],
    ]
    assert lines[6][:6] == ["all", "judgments", "3", "of", "4", "0.50"]
    assert lines[7][:7] == ["blind", "(verdict", "hidden)", "2", "of", "2", "1.00"]
    assert lines[8][:9] == ["with", "the", "verdict", "in", "view", "1", "of", "2", "0.00"]


def test_nothing_judged_is_said_and_open_eyes_are_noted(shell: Shell, runs: Path):
    code, out, _ = shell("agreement", runs / "c")
    assert (code, out) == (0, "0 of 0 regions judged in 0 runs; 1 more run without a review\n")
    _, out, _ = shell("agreement", runs / "b")
    assert "note no judgment was blind" in out


def test_the_table_has_a_row_per_judged_region(shell: Shell, runs: Path):
    save(runs / "d", AGREE, note="=1+1 \x1b[2J")
    path = shell.folder / "out" / "judgments.csv"
    code, _, err = shell("agreement", runs, "--table", path)
    assert (code, f"8 judged regions → {path}" in err) == (0, True)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["answer"] for row in rows] == [
        "accept",
        "reject",
        "unsure",
        "reject",
        "reject",
        "accept",
        "reject",
        "unsure",
    ]
    assert [Path(row["run"]).name for row in rows] == ["a"] * 3 + ["b"] * 2 + ["d"] * 3
    assert rows[5]["note"] == r"'=1+1 \x1b[2J"


def test_what_cannot_be_read_does_not_stop_the_others(shell: Shell, runs: Path):
    review_path(runs / "b").write_text('{"format": "unveil review", "version": 7}')
    code, out, err = shell("agreement", runs, "--json")
    assert code == 1
    assert json.loads(out)["runs"] == 1
    assert f"error {runs / 'b'}: expected b.review.json of version 1 at most; got version 7; update unveil" in err
    assert "1 of 3 records can't be read" in err


def test_the_review_of_another_record_is_an_error(shell: Shell, runs: Path):
    review_path(runs / "b").rename(review_path(runs / "c"))
    code, _, err = shell("agreement", runs / "c")
    assert (code, "expected a review of this record" in err) == (1, True)


def test_a_table_that_cannot_be_written_is_one_line(shell: Shell, runs: Path):
    code, out, err = shell("agreement", runs, "--table", runs)
    assert (code, out) == (2, "")
    assert "expected a file to write to" in err and err.count("\n") == 1
