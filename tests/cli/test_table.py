"""`unveil table`: one table of many records, on standard output or in a file."""

import csv
import io

from commands import Shell

from tiny_runs import run
from unveil.store import save_run


def test_one_table_of_all_records(shell: Shell):
    runs = {"b": run(), "a": run("plain, separate tracks"), "c": run("no region")}
    for name, made in runs.items():
        save_run(made, shell.folder / "runs" / name)
    code, out, err = shell("table", shell.folder / "runs")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    for name, made in runs.items():
        own = [row for row in rows if row["run"].endswith(f"/{name}")]
        assert [float(row["drop"]) for row in own if row["number"]] == [region.drop for region in made.regions]
    assert [row["run"][-1] for row in rows] == sorted(row["run"][-1] for row in rows)
    assert next(row["track"] for row in rows if row["run"].endswith("/a")) in runs["a"].tracks


def test_a_file_has_the_same_table(shell: Shell):
    save_run(run(), shell.folder / "runs" / "a")
    _, out, _ = shell("table", shell.folder / "runs")
    path = shell.folder / "new" / "table.csv"
    code, nothing, err = shell("table", shell.folder / "runs", "--out", path)
    assert (code, nothing) == (0, "")
    assert path.read_text(encoding="utf-8") == out
    assert f"{len(out.splitlines()) - 1} rows of 1 records" in err


def test_a_damaged_record_is_left_out_and_said(shell: Shell):
    save_run(run(), shell.folder / "runs" / "a")
    save_run(run(), shell.folder / "runs" / "b")
    (shell.folder / "runs" / "a" / "run.json").write_text("{")
    code, out, err = shell("table", shell.folder / "runs")
    assert code == 1
    assert {row["run"][-1] for row in csv.DictReader(io.StringIO(out))} == {"b"}
    assert err.count("error") == 2


def test_a_place_that_can_not_be_written_to_is_said_before_any_work(shell: Shell):
    save_run(run(), shell.folder / "a")
    code, out, err = shell("table", shell.folder / "a", "--out", shell.folder)
    assert (code, out) == (2, "")
    assert "expected a file to write to; got the folder" in err
