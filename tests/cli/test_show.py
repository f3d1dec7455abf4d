"""`unveil show`: what `unveil run` printed, from the record alone."""

import json
import subprocess
import sys

import pytest
from commands import Shell

from tiny_runs import run
from unveil.cli.console import console, result_console
from unveil.store import save_run

SHOW = """
import sys
sys.argv = ["unveil", "show", *sys.argv[1:]]
from unveil.cli import main
try:
    main()
finally:
    print({"torch", "torchvision", "matplotlib"} & set(sys.modules), file=sys.stderr)
"""


def test_the_tables_are_those_that_the_run_printed(shell: Shell, monkeypatch):
    # Standard error may be a terminal, whose width the console read when it was imported.
    monkeypatch.setattr(console, "width", result_console().width)
    image = shell.photograph("a.png")
    code, out, printed = shell("run", image, *shell.common, "--figure", "none")
    assert (code, out) == (0, "")
    code, shown, err = shell("show", shell.folder / "out" / "a")
    assert (code, err) == (0, "")
    head, *tables = printed.splitlines()
    assert shown.splitlines()[1:] == tables
    assert "stability" in tables[0]
    # The first line has the same summary between the name that was given and the folder.
    assert shown.splitlines()[0] == head.replace("a.png: ", f"{json.loads(_json(shell))['runs'][0]['image']}: ", 1)


def _json(shell: Shell) -> str:
    code, out, _ = shell("show", shell.folder / "out" / "a", "--json")
    assert code == 0
    return out


def test_json_has_the_numbers_of_the_run(shell: Shell):
    image = shell.photograph("a.png")
    _, out, _ = shell("run", image, *shell.common, "--figure", "none", "--json")
    (told,) = json.loads(out)["runs"]
    (again,) = json.loads(_json(shell))["runs"]
    same = set(again) - {"image"}
    assert {"rounds", "trust", "labels", "stop", "folder", "seconds"} <= same
    assert {name: again[name] for name in same} == {name: told[name] for name in same}


def test_torch_is_not_imported(tmp_path):
    save_run(run(), tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-c", SHOW, str(tmp_path / "run")], capture_output=True, text=True, check=True
    )
    assert "stability" in done.stdout
    assert done.stderr.strip() == "set()"


def test_of_several_runs_a_damaged_one_does_not_stop_the_others(shell: Shell):
    for name in ("one", "three", "two"):
        save_run(run(), shell.folder / "runs" / name)
    (shell.folder / "runs" / "three" / "arrays.safetensors").write_bytes(b"damaged")
    code, out, err = shell("show", shell.folder / "runs")
    assert code == 1
    assert [line.split()[0] for line in out.splitlines()] == ["image", "one", "two"]
    first, last = err.splitlines()
    assert "three: expected " in first
    assert "1 of 3 records can't be read" in last


@pytest.mark.parametrize("name", ["nowhere", "net.py", "empty"])
def test_a_path_without_records_is_one_line(shell: Shell, name):
    (shell.folder / "empty").mkdir()
    code, out, err = shell("show", shell.folder / name)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("error expected the folder of a run, or a folder of such folders; got ")


def test_a_hostile_name_does_not_reach_the_terminal(shell: Shell):
    save_run(run(spacing=True), shell.folder / "run")
    code, out, _ = shell("show", shell.folder / "run")
    assert code == 0
    assert out.startswith("scans/浮腫 \\udcff.png: predicted ")
