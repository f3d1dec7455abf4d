"""The documentation runs, its links lead somewhere, and nothing that can be chosen is left out of it."""

import glob
import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path

import numpy as np
import pytest
import typer.main
from PIL import Image as Pillow

import unveil
from unveil.cli import app, main
from unveil.planted import draw_scene
from unveil.planted.networks.demo import WEIGHTS
from unveil.recipes import NAMED, RECIPE_CODEC
from unveil.stopping import StopKind

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def blocks(page: Path, language: str) -> list[str]:
    """Code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_readme_s_first_screen_has_a_picture_and_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [line for block in blocks(ROOT / "README.md", "sh") for line in block.splitlines() if line.strip()]
    assert len(commands) == 2
    assert all(
        command.startswith("python3 -m venv .venv && .venv/bin/pip install -c constraints.txt ") for command in commands
    )
    assert commands[0].endswith(".venv/bin/unveil demo")
    assert commands[1].endswith(".venv/bin/pytest")
    first_screen = "\n".join(text.splitlines()[:32])
    assert "![" in first_screen
    assert all(command in first_screen for command in commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name) if name else page
        assert other.exists(), f"{page.name}: {target}"
        if anchor:
            heads = re.findall(r"^#+ (.*)$", other.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in heads}, (
                f"{page.name}: {target}"
            )


@pytest.mark.skipif(shutil.which("timeout") is None, reason="the tutorial kills a call by timeout of GNU coreutils")
def test_the_tutorial_of_archives_finds_its_shortcut(tmp_path):
    text = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
    part = text[text.index("## Tutorial") :].partition("\n## ")[0]
    for name, content in re.findall(r"Save this as `(\w+\.py)`:\n\n```python\n(.*?)```", part, re.DOTALL):
        (tmp_path / name).write_text(content)
    assert {path.name for path in tmp_path.iterdir()} == {"scenes.py", "net.py"}
    commands = re.findall(r"^\$ (.*)$", part, re.MULTILINE)
    killed, *others = [command for command in commands if command.startswith("timeout")]
    assert not others
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    printed = ""
    for command in commands:
        done = subprocess.run(
            shlex.split(command),
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in ((0, 124, 137, -9) if command == killed else (0,)), done.stderr
        printed = done.stdout
    assert "possible shortcut upper left corner: regions of poppy" in " ".join(printed.split())
    assert (tmp_path / "archive.html").stat().st_size > 1000


RUNNABLE = [page for page in PAGES if blocks(page, "python") and page.name != "record-format.md"]


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_python_in_the_docs_runs(page, tmp_path, monkeypatch):
    scene = draw_scene(100_019)
    Pillow.fromarray(np.round(scene.pixels.transpose(1, 2, 0) * 255).astype(np.uint8)).save(tmp_path / "scene.png")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)  # noqa: S102
    if page.name == "README.md":
        assert unveil.load_run("runs/scene") == names["run"]
        assert names["run"].regions


def test_every_command_and_option_in_a_console_block_exists():
    root = typer.main.get_command(app)
    seen = 0
    for page in PAGES:
        for block in blocks(page, "console"):
            for line in block.splitlines():
                if not line.startswith("$ unveil "):
                    continue
                words = line.partition("#")[0].split()[2:]
                command = root.commands[words[0]]  # type: ignore[attr-defined]
                if hasattr(command, "commands"):
                    command = command.commands[words[1]]
                options = {
                    name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)
                }
                assert {word for word in words if word.startswith("--")} <= options, line
                seen += 1
    assert seen >= 5


def test_every_kind_of_setting_and_each_of_its_fields_is_documented():
    recipes = (ROOT / "docs/recipes.md").read_text(encoding="utf-8") + (ROOT / "docs/guide.md").read_text(
        encoding="utf-8"
    )
    for name, kind in RECIPE_CODEC.kinds.items():
        assert f"`{name}" in recipes, name
        if name in ("Class", "Top", "Predicted", "Margin"):
            continue
        for field in inspect.signature(kind).parameters:
            assert f"`{field}`" in recipes or field in ("size",), f"{name}.{field}"
    for name in NAMED:
        assert f"| `{name}` |" in recipes


def test_every_reason_to_stop_and_exit_code_is_documented():
    text = (ROOT / "docs/record-format.md").read_text(encoding="utf-8")
    assert all(f"`{kind}`" in text for kind in StopKind)
    guide = (ROOT / "docs/guide.md").read_text(encoding="utf-8")
    assert all(f"| {code} |" in guide for code in (0, 1, 2, 130))


def test_every_name_of_the_package_is_in_the_docs():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in unveil.__all__ if name not in text] == []


def test_the_numbers_of_the_proof_are_those_of_the_report():
    text = (ROOT / "docs/planted.md").read_text(encoding="utf-8")
    proof = json.loads(WEIGHTS.with_name("demo-report.json").read_text())["proof"]
    for name in ("exact", "one_suffices", "one_removed_keeps", "all_removed_loses", "no_evidence_no_label"):
        share = f"{proof[name]['rate']:.1%}".replace("100.0%", "100%").replace("%", " %")
        assert f"| {share} | {proof[name]['n']} |" in text, name


@pytest.mark.parametrize("recipe", ["paper", "recommended"])
def test_the_tables_of_the_photographs_are_those_of_the_results(recipe):
    text = (ROOT / "docs/photographs.md").read_text(encoding="utf-8")
    result = json.loads((ROOT / f"benchmarks/results/0.1.0/dogs-{recipe}.json").read_text())
    for row in result["rounds"]:
        start = f"| {row['round']} | {row['runs']} | {row['drop']:.2f} | "
        (line,) = [line for line in text.splitlines() if line.startswith(start)]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        for cell, value in zip(cells[4:], (row["kept_first"], row["rims"], row["coverage"]), strict=True):
            assert abs(float(cell.removesuffix(" %")) - 100 * value) <= 0.51, line


def test_the_changelog_has_this_version():
    assert f"## {unveil.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_scripts_and_benchmarks_document_their_usage():
    scripts = sorted([*(ROOT / "scripts").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")])
    for path in (path for path in scripts if "__main__" in path.read_text(encoding="utf-8")):
        done = subprocess.run(
            [sys.executable, str(path), "--help"], capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert done.returncode == 0, path
        assert "usage" in done.stdout


def test_the_summary_of_photographs_counts_what_records_hold(tmp_path):
    from tiny_runs import run  # noqa: PLC0415

    for name in ("guided, joint, top 2", "no noise, a margin"):
        run(name).save(tmp_path / re.sub(r"\W+", "-", name))
    (tmp_path / "notes").mkdir()
    done = subprocess.run(
        [sys.executable, "benchmarks/dogs.py", str(tmp_path), "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    said = json.loads(done.stdout)
    runs = [run("guided, joint, top 2"), run("no noise, a margin")]
    assert said["runs"] == 2
    assert said["regions"] == sum(len(one.regions) for one in runs)
    drops = []
    for one in runs:
        top = int(np.argmax(one.first.logits))
        drops.append(one.rounds[0].before.logits[top] - one.rounds[0].after.logits[top])
    assert said["rounds"][0]["drop"] == pytest.approx(np.mean(drops), abs=1e-4)
    later = [region.rim_share > 0.5 for one in runs for done_ in one.rounds[1:] for region in done_.regions]
    assert said["rims_after_round_1"] == pytest.approx(np.mean(later), abs=1e-4)
    shutil.rmtree(tmp_path)


def test_the_tutorial_leads_from_its_files_to_a_report_that_shows_the_shortcut(tmp_path, monkeypatch):
    text = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    for name, content in re.findall(r'^```python title="(.*?)"\n(.*?)^```', text, re.DOTALL | re.MULTILINE):
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    for line in (line for block in blocks(ROOT / "docs/tutorial.md", "console") for line in block.splitlines()):
        assert line.startswith("$ ")
        program, *words = shlex.split(line[2:])
        files = [file for word in words for file in (sorted(glob.glob(word)) if "*" in word else [word])]  # noqa: PTH207
        if program == "python":
            subprocess.run([sys.executable, *files], check=True)
        else:
            assert program == "unveil"
            monkeypatch.setattr(sys, "argv", [program, *files])
            with pytest.raises(SystemExit) as ended:
                main()
            assert not ended.value.code
    assert opened == [(tmp_path / "report.html").as_uri()]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count('<template id="text-') == 12
    # What the page says: the first region of a key is the tag, which is white, and the key is found later.
    keys = [unveil.load_run(path) for path in sorted((tmp_path / "runs").iterdir())]
    keys = [run for run in keys if run.regions and run.regions[0].target == "key" and len(run.rounds) > 1]
    tags = [_mean_brightness(tmp_path / run.source.name, run.regions[0]) for run in keys]
    assert sum(bright > 170 for bright in tags) >= 3
    assert any(_mean_brightness(tmp_path / run.source.name, run.regions[-1]) < 130 for run in keys)


def _mean_brightness(path, region) -> float:
    with Pillow.open(path) as picture:
        return float(np.asarray(picture.convert("L"))[region.mask.to_array()].mean())
