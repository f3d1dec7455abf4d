"""`unveil export masks`: files on the disk, and what it refuses."""

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import Shell
from PIL import Image as Pillow

from tiny_runs import manifest_of, run
from unveil.cli.export import FORMS, UNITS
from unveil.export import MaskForm, MaskUnit
from unveil.store import save_run


def test_the_lists_are_those_of_the_package():
    assert (tuple(map(str, MaskForm)), tuple(map(str, MaskUnit))) == (FORMS, UNITS)


def test_masks_of_records_become_files(shell: Shell):
    save_run(run(), shell.folder / "runs" / "a")
    code, out, err = shell("export", "masks", shell.folder / "runs", "--out", shell.folder / "masks")
    assert (code, out) == (0, "")
    files = list((shell.folder / "masks" / "a").glob("*.png"))
    total = sum(int(np.count_nonzero(np.asarray(Pillow.open(path)))) for path in files)
    assert total == sum(region.area_px for region in run().regions)
    assert err.startswith(f"{len(run().regions)} mask")


def test_unknown_forms_and_units_are_refused(shell: Shell):
    save_run(run(), shell.folder / "a")
    for option in ("--form", "--per"):
        code, _, err = shell("export", "masks", shell.folder / "a", "--out", shell.folder / "masks", option, "gif")
        assert code == 2
        assert "one of" in err
    assert not (shell.folder / "masks").exists()


def damage(folder: Path, how: str) -> None:
    """Make a record unreadable, or hostile: run lengths that need more memory than there is."""
    manifest = manifest_of(folder)
    mask = manifest["rounds"][0]["regions"][0]["mask"]
    match how:
        case "no JSON":
            (folder / "run.json").write_text("{")
            return
        case "arrays that end early":
            content = (folder / "arrays.safetensors").read_bytes()
            (folder / "arrays.safetensors").write_bytes(content[: len(content) // 2])
            return
        case "huge run lengths":
            mask["runs"] = [10**18, 10**18]
        case "a huge mask":
            mask |= {"shape": [10**9, 10**9], "runs": [10**18]}
        case "a huge image":
            mask |= {"shape": [10**9, 10**9], "runs": [10**18 - 1, 1]}
            manifest["source"]["geometry"]["source_shape"] = [10**9, 10**9]
        case "run lengths below zero":
            mask["runs"] = [-5, sum(mask["runs"]) + 5]
        case "an endless number":
            mask["runs"][0] = float("inf")
    (folder / "run.json").write_text(json.dumps(manifest))


DAMAGES = (
    *("no JSON", "arrays that end early", "huge run lengths", "a huge mask", "a huge image", "run lengths below zero"),
    "an endless number",
)


@pytest.mark.parametrize(
    "command", [("export", "masks"), ("export", "masks", "--form", "coco"), ("report",), ("table",)]
)
def test_damaged_records_are_left_out_and_said(shell: Shell, command):
    """Of all records, the one that is whole is exported, as it is alone; the others are one line each."""
    for name in ("whole", *DAMAGES):
        save_run(run(), shell.folder / "runs" / name)
        damage(shell.folder / "runs" / name, name)
    results = []
    for number, paths in enumerate(("runs", "runs/whole")):
        out = shell.folder / f"out-{number}"
        out = out.with_suffix({"report": ".html", "table": ".csv"}.get(command[0], ""))
        tracemalloc.start()
        code, printed, err = shell(*command, shell.folder / paths, "--out", out)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 100_000_000
        assert (code, printed) == (1 - number, "")
        lines = [line for line in err.splitlines() if "error" in line]
        assert len(lines) == (len(DAMAGES) + 1 if number == 0 else 0)
        assert all(any(f"runs/{name}: expected" in line for line in lines) for name in DAMAGES if number == 0)
        files = [path for path in sorted(out.rglob("*")) if path.is_file()] if out.is_dir() else [out]
        results.append({path.name: path.read_bytes() for path in files})
    if command[0] == "export":
        assert results[0] == results[1]
    elif command[0] == "table":
        assert list(results[0].values()) == list(results[1].values())
    else:
        assert b"7 records couldn" not in results[1]["out-1.html"]


def test_only_damaged_records_leave_no_folder(shell: Shell):
    save_run(run(), shell.folder / "a")
    damage(shell.folder / "a", "no JSON")
    code, out, err = shell("export", "masks", shell.folder / "a", "--out", shell.folder / "masks")
    assert (code, out) == (1, "")
    assert "error" in err
    assert [path for path in (shell.folder / "masks").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("form", ["png", "coco"])
def test_hostile_labels_stay_in_the_folder_and_off_the_terminal(shell: Shell, form):
    made = run()
    labels = ("../../up", "</template><script>x</script>\u2028", "\x1b[2J/etc/passwd\x07")
    rounds = tuple(
        replace(
            one,
            regions=tuple(
                replace(region, target_score=replace(region.target_score, name=labels[number % 3]))
                for number, region in enumerate(one.regions)
            ),
        )
        for one in made.rounds
    )
    made = replace(made, rounds=rounds, classifier=replace(made.classifier, labels=labels))
    save_run(made, shell.folder / "runs" / "a")
    code, _, err = shell("export", "masks", shell.folder / "runs", "--out", shell.folder / "m", "--form", form)
    assert code == 0
    assert "\x1b" not in err
    files = [path for path in (shell.folder / "m").rglob("*") if path.is_file()]
    assert len(files) == (len(made.regions) if form == "png" else 1)
    assert {path.name for path in shell.folder.iterdir()} <= {"runs", "m", "net.py", "quick.toml"}
    if form == "coco":
        tables = json.loads(files[0].read_text(encoding="ascii"))
        assert {one["name"] for one in tables["categories"]} <= set(labels)
