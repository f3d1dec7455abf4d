"""`unveil report`: pages of what `unveil run` wrote."""

import webbrowser

from commands import Shell

from tiny_runs import RECIPES, run
from unveil.report import writing


def test_a_page_of_a_folder_of_runs(shell: Shell):
    for number, recipe in enumerate(list(RECIPES)[:2]):
        run(recipe).save(shell.folder / "runs" / str(number))
    code, out, err = shell("report", shell.folder / "runs", "--out", shell.folder / "page.html", "--title", "Audit")
    assert (code, out) == (0, "")
    assert "2 runs" in err
    page = (shell.folder / "page.html").read_text(encoding="utf-8")
    assert "<h1>Audit</h1>" in page
    assert page.count('<template id="text-') == 2


def test_a_folder_without_records_is_one_line_and_nothing_is_written(shell: Shell):
    (shell.folder / "empty").mkdir()
    code, out, err = shell("report", shell.folder / "empty", "--out", shell.folder / "page.html")
    assert (code, out, len(err.strip().splitlines())) == (2, "", 1)
    assert not (shell.folder / "page.html").exists()


def test_a_damaged_record_is_left_out_and_said(shell: Shell):
    for number, recipe in enumerate(list(RECIPES)[:3]):
        run(recipe).save(shell.folder / "runs" / str(number))
    (shell.folder / "runs" / "1" / "run.json").write_text('{"format": "\\u001b[31m"}')
    code, out, err = shell("report", shell.folder / "runs", "--out", shell.folder / "page.html")
    assert (code, out) == (1, "")
    assert err.count("error") == 2
    assert "\x1b[31m" not in err
    assert "report of 2 runs" in err
    page = (shell.folder / "page.html").read_text(encoding="utf-8")
    assert page.count('<template id="text-') == 2
    assert "1 record couldn" in page
    for number in (0, 2):
        (shell.folder / "runs" / str(number) / "run.json").write_text("{")
    code, out, err = shell("report", shell.folder / "runs", "--out", shell.folder / "none.html")
    assert (code, out) == (2, "")
    assert not (shell.folder / "none.html").exists()


def test_records_below_one_folder_may_be_given_twice(shell: Shell):
    run().save(shell.folder / "runs" / "a")
    code, _, err = shell("report", shell.folder / "runs", shell.folder / "runs" / "a", "--out", shell.folder / "a.html")
    assert code == 0
    assert "report of 1 run:" in err


def test_a_page_is_opened_on_request_and_a_folder_is_said(shell: Shell, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    run().save(shell.folder / "runs" / "a")
    shell("report", shell.folder / "runs", "--out", shell.folder / "a.html")
    assert opened == []
    monkeypatch.setattr(writing, "MOST_BYTES", 1000)
    code, _, err = shell("report", shell.folder / "runs", "--out", shell.folder / "b.html", "--open")
    assert code == 0
    assert "larger than 50 MB" in err
    assert opened == [(shell.folder / "b" / "index.html").as_uri()]


def test_two_runs_side_by_side(shell: Shell):
    for number, recipe in enumerate(list(RECIPES)[:3]):
        run(recipe).save(shell.folder / "runs" / str(number))
    folders = [shell.folder / "runs" / str(number) for number in range(3)]
    code, out, err = shell("report", *folders[:2], "--compare", "--out", shell.folder / "pair.html")
    assert (code, out) == (0, "")
    assert "comparison of 2 runs" in err
    assert (shell.folder / "pair.html").read_text(encoding="utf-8").count('<template id="view-') == 2
    code, _, err = shell("report", *folders, "--compare", "--out", shell.folder / "three.html")
    assert (code, len(err.strip().splitlines())) == (2, 1)
    assert "two runs to compare" in err
    assert not (shell.folder / "three.html").exists()
