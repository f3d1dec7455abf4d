"""The house: imports go down only, each library has one module, files and functions stay small, imports are fast."""

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import unveil

ROOT = Path(unveil.__file__).parent
REPOSITORY = Path(__file__).parents[1]
LAYERS = (
    ("errors",),
    (
        "masks",
        "box_filter",
        "seeding",
        "predictions",
        "inpainting",
        "batching",
        "atomic",
        "leftovers",
        "codec",
        "texts",
        "bootstrap",
        "multiple_testing",
    ),
    ("images", "datasets", "fills", "regions", "targets", "planted"),
    ("classifiers", "stopping"),
    ("patterns", "records"),
    ("attribution", "saliency"),
    ("measures", "masked"),
    ("recipes",),
    ("trust", "store", "render", "naming", "view"),
    ("export", "context", "report"),
    ("recording", "notebook", "what_if", "review"),
    ("rounds", "maximization"),
    ("runs", "training", "batch"),
    ("evaluation", "serve"),
    ("cli",),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
# Each third-party library is imported in one place.
MODULE_OF = {
    "PIL": "images/decoding.py",
    "nibabel": "images/nifti.py",
    "torchvision": "classifiers/sources/torchvision.py",
    "timm": "classifiers/sources/timm.py",
    "transformers": "classifiers/sources/huggingface.py",
    "captum": "attribution/adapters/captum.py",
    "zennit": "attribution/adapters/zennit.py",
    "pytorch_grad_cam": "attribution/adapters/grad_cam.py",
    "torchxrayvision": "classifiers/sources/torchxrayvision.py",
    "onnxruntime": "classifiers/sources/onnx.py",
    "lightning": "training/loop.py",
    "ray": "batch/engines/ray.py",
    "subprocess": "batch/engines/spawn.py",
    "ctypes": "batch/engines/worker.py",
    "shap": "evaluation/coalitions/partition.py",
    "shap_bpt": "evaluation/coalitions/binary_partition.py",
    "skimage": "evaluation/coalitions/superpixels.py",
    "cv2": "inpainting.py",
    "pandas": "export/frames.py",
    "pyarrow": "batch/parquet.py",
    "anywidget": "notebook/widget.py",
    "traitlets": "notebook/widget.py",
    "IPython": "notebook/output.py",
    "fastapi": "serve/",
    "starlette": "serve/",
    "uvicorn": "serve/",
    "pydantic": "serve/",
    "matplotlib": "render/",
    "typer": "cli/",
    "rich": "cli/",
    "tomllib": "recipes/",
    "tomli_w": "codec.py",
    "jinja2": "report/",
    "sqlite3": "serve/jobs/database.py",
}
# Upwards on purpose, when called: a run draws, saves, exports and shows itself.
UPWARDS = {("records", "render"), ("records", "store"), ("records", "export"), ("records", "notebook")}
FILES = sorted(ROOT.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path: Path) -> str:
    """The first name below the package."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """Every module a file imports, anywhere in it, but for type checking."""
    type_only = {
        id(node)
        for block in ast.walk(tree_of(path))
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree_of(path)):
        if id(node) in type_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module or ""
            if node.module == "unveil":
                yield from (f"unveil.{alias.name}" for alias in node.names)


def test_every_room_has_a_layer():
    rooms = {room_of(path) for path in FILES} - {"__init__"}
    assert rooms <= set(LEVEL)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path):
    here = room_of(path)
    if here == "__init__":
        return
    for name in imports_of(path):
        parts = name.split(".")
        if (
            parts[0] == "unveil"
            and len(parts) > 1
            and parts[1] in LEVEL
            and parts[1] != here
            and (here, parts[1]) not in UPWARDS
        ):
            assert LEVEL[parts[1]] <= LEVEL[here], f"{here} imports {parts[1]}, which is above it"


def test_rooms_have_no_circular_imports():
    edges: dict[str, set[str]] = {room: set() for room in LEVEL}
    for path in FILES:
        here = room_of(path)
        for name in imports_of(path):
            parts = name.split(".")
            if (
                here in edges
                and parts[0] == "unveil"
                and len(parts) > 1
                and parts[1] in LEVEL
                and (here, parts[1]) not in UPWARDS
            ):
                edges[here].add(parts[1])

    def walk(room: str, path: tuple[str, ...]) -> None:
        assert room not in path, " → ".join((*path, room))
        for other in edges[room] - {room}:
            walk(other, (*path, room))

    for room in edges:
        walk(room, ())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_library_is_imported_in_one_module(path):
    for name in imports_of(path):
        place = MODULE_OF.get(name.split(".")[0])
        assert place is None or str(path.relative_to(ROOT)).startswith(place), f"{name} is imported in {place} only"
        assert name.split(".")[0] not in ("requests", "urllib", "socket", "http")


def test_no_pickle_is_loaded_anywhere():
    for path in FILES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "load":
                text = ast.unparse(node)
                assert "torch.load" not in text or "weights_only=True" in text, f"{path}: {text}"
                assert not text.startswith("np.load"), f"{path}: {text}"


def test_files_and_functions_stay_small():
    for path in FILES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef) and path.parent.name != "cli":
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path}: {node.name}"


def test_everything_public_has_a_docstring():
    for path in FILES:
        tree = tree_of(path)
        assert ast.get_docstring(tree), path
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_") and node in tree.body:
                assert ast.get_docstring(node), f"{path}: {node.name}"


def test_the_package_exports_what_it_lists():
    assert sorted(unveil.__all__) == sorted(unveil._ROOM_OF)
    for name in unveil.__all__:
        thing = getattr(unveil, name)
        assert inspect.getdoc(thing), name
        assert name in dir(unveil)
    assert len(unveil.__all__) <= 24
    with pytest.raises(AttributeError, match="no attribute 'Recipy'"):
        _ = unveil.Recipy


HEAVY = ("torch", "numpy", "scipy", "matplotlib", "PIL", "torchvision", "timm", "typer", "rich")
MEASURE = f"""
import json, sys, time
before = time.perf_counter()
import unveil
print(json.dumps([time.perf_counter() - before, [name for name in {HEAVY!r} if name in sys.modules]]))
"""


def test_importing_the_package_takes_less_than_three_tenths_of_a_second():
    """The best of three: other work on the machine can only add."""
    measured = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
        measured.append(json.loads(done.stdout))
    assert min(seconds for seconds, _ in measured) < 0.3
    assert measured[0][1] == [], "nothing heavy is imported before it is needed"


def test_help_does_not_wait_for_torch():
    code = "import sys; sys.argv = ['unveil', '--help']\nfrom unveil.cli import main\ntry: main()\nexcept SystemExit: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("False")


def test_no_paths_of_a_machine_are_in_the_repository():
    """No folder of a machine, no address of a package registry."""
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    forbidden = [
        "/" + "root/",
        "/" + "home/",
        "pypi" + ".org/simple",
        "files.python" + "hosted",
        "registry." + "npmjs",
        "index" + "-url",
        "find" + "-links",
    ]
    names = [
        name for name in listed.stdout.splitlines() if Path(name).suffix in ("", ".py", ".md", ".toml", ".txt", ".json")
    ]
    for name in names:
        path = REPOSITORY / name
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            assert [word for word in forbidden if word in text] == [], name


def test_modules_can_be_used_without_importing_them_first():
    code = "import unveil; print(unveil.recipes.paper().name, unveil.stopping.MaxRounds(2).rounds)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["paper", "2"]


# Every source of classifiers has the same interface; a command of the command line is named like the function it calls.
INTERFACE = {"build", "names"}
COMMANDS = ("cli/",)


def test_no_public_name_is_defined_twice():
    """Every public class or function of a module has a name of its own in the whole package."""
    places: dict[str, list[str]] = {}
    for path in FILES:
        where = str(path.relative_to(ROOT))
        for node in tree_of(path).body:
            if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            if where.startswith("classifiers/sources/") and node.name in INTERFACE:
                continue
            if where.startswith(COMMANDS) and isinstance(node, ast.FunctionDef) and is_command(node):
                continue
            places.setdefault(node.name, []).append(where)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def is_command(function: ast.FunctionDef) -> bool:
    """True for a function whose arguments are options of the command line."""
    return "typer." in ast.unparse(function.args)


# Tests of several modules at once, of the scripts beside the package, and of the repository.
TOPICS = {
    "classifiers/test_freed.py",
    "classifiers/test_random_networks.py",
    "classifiers/test_left_as_found.py",
    "cli/test_damaged_inputs.py",
    "cli/test_patterns_command.py",
    "cli/test_run_any_attribution.py",
    "cli/test_run_trust.py",
    "cli/test_run_volumes.py",
    "cli/test_small_commands.py",
    "evaluation/metrics/test_metrics_page.py",
    "evaluation/paper/test_experiment_pictures.py",
    "evaluation/paper/test_experiment_results.py",
    "report/test_hostile.py",
    "report/test_index_page.py",
    "store/test_store_damage.py",
    "serve/test_page.py",
    "serve/test_page_brush.py",
    "serve/test_page_judging.py",
    "serve/test_page_keys.py",
    "serve/test_page_looks.py",
    "view/test_viewer.py",
    "view/test_viewer_layers.py",
    "view/test_viewer_pairs.py",
    "view/test_viewer_volumes.py",
    "test_assets.py",
    "test_conformance.py",
    "test_docs.py",
    "test_same_run.py",
    "test_docstrings.py",
    "test_house.py",
    "test_package.py",
    "test_prose.py",
    "test_site.py",
    "test_volumes.py",
    "images/test_reading_sources.py",
    "serve/test_browser.py",
    "batch/faults/test_every_step.py",
    "batch/faults/test_processes.py",
    "serve/test_fuzzing.py",
}


def test_tests_mirror_the_package():
    """tests/a/test_b.py tests unveil/a/b.py or unveil/a/b/; tests/a/test_a.py tests the package a as a whole."""
    tests = REPOSITORY / "tests"
    others = set()
    for path in tests.rglob("test_*.py"):
        name = path.relative_to(tests)
        module = ROOT / name.parent / path.stem.removeprefix("test_")
        if name.parts[0] == "benchmarks" or module.name == name.parent.name:
            continue
        if not module.with_suffix(".py").is_file() and not module.is_dir():
            others.add(str(name))
    assert others == TOPICS, "test files without a module, or topics without a test file"
