"""`unveil report`: pages of what `unveil run` wrote."""

from commands import Shell

from tiny_runs import RECIPES, run


def test_a_page_of_a_folder_of_runs(shell: Shell):
    for number, recipe in enumerate(list(RECIPES)[:2]):
        run(recipe).save(shell.folder / "runs" / str(number))
    code, out, err = shell("report", shell.folder / "runs", "--out", shell.folder / "page.html", "--title", "Audit")
    assert (code, out) == (0, "")
    assert "2 runs" in err
    page = (shell.folder / "page.html").read_text(encoding="utf-8")
    assert "<h1>Audit</h1>" in page
    assert page.count('<template id="view-') == 2


def test_a_folder_without_records_is_one_line_and_nothing_is_written(shell: Shell):
    (shell.folder / "empty").mkdir()
    code, out, err = shell("report", shell.folder / "empty", "--out", shell.folder / "page.html")
    assert (code, out, len(err.strip().splitlines())) == (2, "", 1)
    assert not (shell.folder / "page.html").exists()
