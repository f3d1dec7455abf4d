"""What a stranger gets: the wheel, its types, and the files beside the code that other programs read."""

import ast
import email
import json
import os
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.version import Version

import unveil

ROOT = Path(__file__).parents[1]
TRAINING = "planted/training/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built without network."""
    return Path(next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")))))


@pytest.fixture(scope="module")
def names(wheel) -> set[str]:
    """The wheel's files."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_has_every_tracked_file_of_the_package_but_the_training(names):
    listed = subprocess.run(
        ["git", "ls-files", "src/unveil"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    if not listed:
        pytest.skip("not a checkout")
    expected = {name.removeprefix("src/") for name in listed if TRAINING not in name and (ROOT / name).exists()}
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert {"unveil/py.typed", "unveil/planted/networks/demo.safetensors"} <= names


def test_the_training_is_in_the_source_distribution_only(names, tmp_path):
    assert [name for name in names if TRAINING in name] == []
    with tarfile.open(next(SdistBuilder(str(ROOT)).build(directory=str(tmp_path)))) as archive:
        source = {name.partition("/")[2] for name in archive.getnames()}
    inside = {path.relative_to(ROOT).as_posix() for path in (ROOT / "src/unveil" / TRAINING).glob("*.py")}
    assert inside
    assert inside <= source
    assert {
        "CITATION.cff",
        "CONTRIBUTING.md",
        "mkdocs.yml",
        "constraints-lowest.txt",
        "tests/test_package.py",
    } <= source


def test_nothing_in_the_wheel_imports_the_training():
    for path in (ROOT / "src").rglob("*.py"):
        if TRAINING in path.as_posix():
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                imported = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            assert not any(name.startswith("unveil.planted.training") for name in imported), path


def test_the_metadata_of_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(archive.read(path))
    assert metadata["Author"] == "The unveil authors"
    assert metadata["Version"] == unveil.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert {"all", "dev", "docs"} <= set(metadata.get_all("Provides-Extra", []))


SNIPPET = """
import unveil

reveal_type(unveil.read_image("scan.png"))
reveal_type(unveil.load_run("runs/scan").rounds)
for region in unveil.find_regions("scan.png", unveil.load_classifier("planted/demo")).regions:
    reveal_type(region.drop)
unveil.load_run(3)
"""


def test_a_type_checker_sees_the_types_of_the_installed_package(wheel, tmp_path):
    """Unpacked into an environment of its own, which is what installing a wheel of pure Python does."""
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    (site,) = environment.rglob("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)  # noqa: S202 (our own wheel)
    (tmp_path / "user").mkdir()
    (tmp_path / "user/snippet.py").write_text(SNIPPET)
    python = next(path for path in (environment / "bin/python", environment / "Scripts/python.exe") if path.exists())
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", str(python), "snippet.py"],
        cwd=tmp_path / "user",
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    answers = [
        (answer["range"]["start"]["line"], answer["severity"], answer["message"].splitlines()[0])
        for answer in json.loads(done.stdout)["generalDiagnostics"]
    ]
    assert answers == [
        (3, "information", 'Type of "unveil.read_image("scan.png")" is "Image"'),
        (4, "information", 'Type of "unveil.load_run("runs/scan").rounds" is "tuple[Round, ...]"'),
        (6, "information", 'Type of "region.drop" is "float"'),
        (7, "error", answers[-1][2]),
    ]
    assert "Literal[3]" in answers[-1][2]


def load_yaml(name: str) -> dict:
    content = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    assert isinstance(content, dict), name
    return content


def test_the_citation_names_this_version_and_the_paper():
    citation = load_yaml("CITATION.cff")
    assert {"cff-version", "message", "type", "title", "authors", "version", "license", "references"} <= set(citation)
    assert (citation["cff-version"], citation["type"], citation["title"]) == ("1.2.0", "software", "unveil")
    assert citation["version"] == unveil.__version__
    assert citation["authors"] == [{"name": "The unveil authors"}]
    (paper,) = citation["references"]
    assert [author["family-names"] for author in paper["authors"]] == [
        "Bordes",
        "Berthier",
        "Di Jorio",
        "Vincent",
        "Bengio",
    ]
    assert paper["title"] == "Iteratively unveiling new regions of interest in Deep Learning models"
    assert paper["year"] == 2018


@pytest.mark.parametrize("name", ["bug", "wrong-answer", "feature"])
def test_issue_forms_have_what_the_platform_requires(name):
    form = load_yaml(f".github/ISSUE_TEMPLATE/{name}.yml")
    assert {"name", "description", "body"} <= set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_hooks_run_tools_of_the_environment():
    for repository in load_yaml(".pre-commit-config.yaml")["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            assert hook["language"] == "system"
            words = hook["entry"].split()
            assert words[0] in ("ruff", "python")
            assert words[0] != "python" or (ROOT / words[1]).is_file()


def test_the_workflow_covers_every_supported_python_and_calls_the_script_of_this_repository():
    jobs = load_yaml(".github/workflows/ci.yml")["jobs"]
    matrix = jobs["tests"]["strategy"]["matrix"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    prefix = "Programming Language :: Python :: 3."
    supported = {name.removeprefix(prefix) for name in project["classifiers"] if name.startswith(prefix)}
    assert {version.removeprefix("3.") for version in matrix["python"]} == supported
    assert {"newest", "lowest"} <= {*matrix["dependencies"], *(one["dependencies"] for one in matrix["include"])}
    for job in jobs.values():
        commands = [step["run"] for step in job["steps"] if "run" in step]
        assert commands
        assert all(command.startswith("bash .ci/run") for command in commands)


def test_the_lowest_versions_are_those_that_the_metadata_promises():
    """Every direct dependency, of the package, its extras and its tests, is installed in exactly its lower bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *(line for name in extras if name not in ("docs", "fuzz") for line in extras[name]),
    ]
    bounds = {}
    for line in wanted:
        requirement = Requirement(line)
        if requirement.name == "unveil" or requirement.name in LOWEST_NOT_NEEDED:
            continue
        (specifier,) = requirement.specifier
        assert specifier.operator == ">=", f"{line}: a lower bound only"
        bounds[requirement.name.lower()] = Version(specifier.version)
    lines = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line.strip() and not line.startswith("#"))
    assert {name.lower(): Version(version) for name, version in pins.items()} == bounds


LOWEST_NOT_NEEDED = ("pyright", "ruff")  # the code is linted and type-checked with the pinned versions only
