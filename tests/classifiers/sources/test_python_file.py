"""A factory's file may do what a script does: import its neighbors, print, parse arguments, raise, exit."""

import json
import os
import sys
from pathlib import Path

import pytest
import torch

import unveil
from unveil.classifiers import BlackBox, TorchClassifier, load_classifier
from unveil.errors import ClassifierError

NET = "nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))"
PIXELS = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))


def write(folder: Path, **files: str) -> Path:
    """Files of Python code in a folder, each with torch imported; `net.py` is the one with the factory."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(f"import sys, torch\nfrom torch import nn\n{text}\n")
    return folder / "net.py"


def weights_of(value: float) -> str:
    """A network whose logits are `value` times the mean of each of two channels."""
    return (
        "class Block(nn.Module):\n"
        f"    scale = {value}\n"
        "    def forward(self, x):\n"
        "        return self.scale * x.mean((2, 3))[:, :2]\n"
    )


def logits(path: Path, name: str = "make") -> torch.Tensor:
    preprocessing = unveil.Preprocessing((224, 224), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 224)
    return load_classifier(f"python/{path}:{name}", preprocessing=preprocessing, device="cpu").logits(PIXELS)


def test_files_beside_it_can_be_imported_and_equal_names_are_told_apart(tmp_path):
    factory = (
        "from blocks import Block\ndef make():\n    import blocks\n    assert blocks.Block is Block\n    return Block()"
    )
    one = write(tmp_path / "one", blocks=weights_of(1.0), net=factory)
    two = write(tmp_path / "two", blocks=weights_of(2.0), net=factory)
    places = list(sys.path)
    expected = PIXELS.mean((2, 3))[:, :2]
    for _ in range(2):
        torch.testing.assert_close(logits(one), expected)
        torch.testing.assert_close(logits(two), 2 * expected)
    assert "blocks" not in sys.modules
    assert sys.path == places


def test_a_neighbor_that_changed_is_read_again(tmp_path):
    path = write(tmp_path, blocks=weights_of(1.0), net="from blocks import Block\nmake = Block")
    torch.testing.assert_close(logits(path), PIXELS.mean((2, 3))[:, :2])
    write(tmp_path, blocks=weights_of(3.0))  # in the same second, with the same size
    torch.testing.assert_close(logits(path), 3 * PIXELS.mean((2, 3))[:, :2])
    assert [place.name for place in tmp_path.iterdir() if place.is_dir()] == []


def test_packages_beside_it_and_a_module_of_that_name_elsewhere(tmp_path, monkeypatch):
    """Here `blocks` of the program is another one: it is hidden while the file runs, and back afterwards."""
    package = tmp_path / "project" / "blocks"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from .inner import Block")
    (package / "inner.py").write_text("from torch import nn\n" + weights_of(2.0))
    path = write(tmp_path / "project", net="from blocks import Block\ndef make():\n    return Block()")
    write(tmp_path / "elsewhere", blocks="kept = 'yes'")
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    import blocks  # pyright: ignore[reportMissingImports]  # noqa: PLC0415

    torch.testing.assert_close(logits(path), 2 * PIXELS.mean((2, 3))[:, :2])
    assert sys.modules["blocks"] is blocks
    assert "blocks.inner" not in sys.modules
    monkeypatch.delitem(sys.modules, "blocks")


def test_libraries_keep_their_identity(tmp_path):
    """A file called like a library that is in use doesn't replace it."""
    (tmp_path / "torch.py").write_text("raise RuntimeError('not this one')")
    (tmp_path / "json.py").write_text("raise RuntimeError('not this one')")
    path = write(tmp_path, net=f"import json, importlib\ndef make():\n    import torch.nn\n    return {NET}")
    assert isinstance(load_classifier(f"python/{path}:make"), TorchClassifier)
    assert (sys.modules["torch"], sys.modules["json"]) == (torch, json)


def test_dataclasses_and_copies_work(tmp_path):
    path = write(
        tmp_path,
        net=(
            "from __future__ import annotations\nimport dataclasses, copy, pickle\n"
            "@dataclasses.dataclass\nclass Options:\n    width: int = 2\n    more: list[int] = dataclasses.field(default_factory=list)\n"
            "class Net(nn.Linear):\n    pass\n"
            "def make():\n"
            "    options = pickle.loads(pickle.dumps(copy.deepcopy(Options())))\n"
            "    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), Net(3, options.width))\n"
        ).replace("from __future__ import annotations\n", ""),
    )
    assert len(load_classifier(f"python/{path}:make").labels) == 2


def test_what_is_printed_goes_to_standard_error(tmp_path, capfd):
    path = write(
        tmp_path,
        net=f"import os\nprint('importing')\ndef make():\n    print('making')\n    os.write(1, b'below')\n    return {NET}",
    )
    print("before")  # noqa: T201
    load_classifier(f"python/{path}:make")
    print("after")  # noqa: T201
    told = capfd.readouterr()
    assert told.out == "before\nafter\n"
    assert all(word in told.err for word in ("importing", "making", "below"))


def test_arguments_are_those_of_a_plain_script_and_the_state_is_restored(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["unveil", "run", "--json"])
    path = write(
        tmp_path,
        net=(
            "import argparse, os\nparser = argparse.ArgumentParser()\nparser.add_argument('--width', type=int, default=2)\n"
            "arguments = parser.parse_args()\nassert sys.argv == [__file__]\nos.chdir('/')\n"
            "torch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False)\n"
            "def make():\n    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, arguments.width).float())"
        ),
    )
    here = Path.cwd()
    assert len(load_classifier(f"python/{path}:make").labels) == 2
    assert sys.argv == ["unveil", "run", "--json"]
    assert Path.cwd() == here
    assert torch.get_default_dtype() is torch.float32
    assert torch.is_grad_enabled()
    os.chdir(here)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sys.exit()", r"net.py to run; got sys.exit\('None'\) \(net.py:3\); move what .* below: if __name__"),
        ("def make():\n    sys.exit('bye')", r"make in .*net.py to return a model; got sys.exit\('bye'\) \(net.py:4\)"),
        ("import argparse\nargparse.ArgumentParser().parse_args(['--no'])", r"got sys.exit\('2'\) \(net.py:4\)"),
        (
            "import missing_library",
            r"ModuleNotFoundError: No module named 'missing_library' \(net.py:3\); fix the file",
        ),
        ("from helper import broken\ndef make():\n    broken()", r"got ValueError: second line \(helper.py:4\); fix"),
        ("def make(width):\n    pass", r"got TypeError: make\(\) missing 1 required positional argument: 'width'"),
        ("def make(:", r"got SyntaxError: .*\(net.py:3\)"),
        ("class Stop(BaseException):\n    pass\ndef make():\n    raise Stop", r"got Stop \(net.py:6\)"),
        (
            "class Bad(Exception):\n    def __str__(self): raise self\ndef make():\n    raise Bad",
            r"got Bad \(net.py:6\)",
        ),
        ("def make():\n    return torch.ones(2) @ torch.ones(3)", r"got RuntimeError: .*\(net.py:4\)"),
        ("def make():\n    return None", "make to return a torch.nn.Module or an unveil Classifier; got None"),
        (f"def make():\n    return {NET}, ['a', 'b']", "unveil Classifier; got tuple; .* belong to a TorchClassifier"),
    ],
)
def test_whatever_a_file_does_instead_is_one_error_that_says_where(text, told, tmp_path):
    path = write(tmp_path, net=text, helper="def broken():\n    raise ValueError('first line\\n\\nsecond line\\n')")
    modules, places = set(sys.modules), list(sys.path)
    with pytest.raises(ClassifierError, match=told) as error:
        load_classifier(f"python/{path}:make")
    assert "\n" not in str(error.value)
    assert sys.path == places
    assert "helper" not in set(sys.modules) - modules


def test_an_interruption_is_none(tmp_path):
    path = write(tmp_path, net="def make():\n    raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_classifier(f"python/{path}:make")


def test_a_class_a_module_and_a_black_box_will_do(tmp_path):
    path = write(
        tmp_path,
        net=(
            "import unveil.classifiers\n" + weights_of(1.0) + f"network = {NET}\n"
            "def box():\n"
            "    preprocessing = unveil.Preprocessing.square(8, (0.5,), (0.5,))\n"
            "    return unveil.classifiers.BlackBox(lambda x: x.mean((2, 3)).repeat(2, 1), preprocessing, ['a', 'b'])\n"
        ),
    )
    torch.testing.assert_close(logits(path, "Block"), PIXELS.mean((2, 3))[:, :2])
    assert isinstance(load_classifier(f"python/{path}:network"), TorchClassifier)
    box = load_classifier(f"python/{path}:box")
    assert isinstance(box, BlackBox)
    torch.testing.assert_close(box.logits(torch.ones(1, 1, 8, 8)).float(), torch.ones(1, 2))
