"""A wrong thing as weights: one line that says what it is, and never PyTorch's advice to unpickle it."""

import argparse
import gzip
import io
import json
import pickle
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file
from torch import nn

from unveil.classifiers import load_classifier
from unveil.classifiers.sources.file_kinds import FileKind, advise_on_file, recognize_weights
from unveil.classifiers.sources.weights import read_weights
from unveil.errors import ClassifierError, WeightsError

STATE = {"0.weight": torch.ones(2, 3), "0.bias": torch.zeros(2)}
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 46830571\n"


def scripted(path: Path) -> None:
    torch.jit.save(torch.jit.trace(nn.Sequential(nn.Linear(3, 2)), torch.ones(1, 3)), path)


def exported(path: Path) -> None:
    torch.export.save(torch.export.export(nn.Sequential(nn.Linear(3, 2)), (torch.ones(1, 3),)), path)


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


def archived(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, "test.py")


def arrays(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))


def cut(path: Path) -> None:
    torch.save(STATE, path)
    path.write_bytes(path.read_bytes()[:-300])


def index(path: Path) -> None:
    path.write_text(
        json.dumps({"metadata": {}, "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})
    )


WRONG = {
    "TorchScript": (scripted, r"which is a TorchScript archive; give it as the model: --model torchscript/.*w\."),
    "exported": (exported, r"which is an exported program; return torch.export.load\('w.*'\).module\(\) from"),
    "pointer": (lambda path: path.write_text(POINTER), "a Git LFS pointer in place of the file; run: git lfs pull"),
    "page": (lambda path: path.write_text("\n<!DOCTYPE html><html>Sign in"), "a web page; download the file itself"),
    "text": (lambda path: path.write_text("hello\nworld"), r"a text file \('hello\\nworld' …\); give the file"),
    "index": (index, r"an index of weights in several files; .*\(model-1.safetensors, model-2.safetensors\)"),
    "zip": (zipped, r"a zip archive of other files \(readme.txt\); unpack it"),
    "tar": (archived, "a tar archive; unpack it"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(b"hello")), "a gzip archive; unpack it"),
    "arrays": (arrays, "an archive of NumPy arrays; convert them"),
    "array": (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00"), "a NumPy array; convert it"),
    "HDF5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n\x00\x00"), "an HDF5 file, as Keras saves it; convert"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "a pickle that torch.save didn't write; save"),
    "zeros": (lambda path: path.write_bytes(b"\0" * 300), "of no known format; check that it is the file"),
    "nothing": (lambda path: path.write_bytes(b""), "which is empty; the file is damaged: fetch it again"),
    "cut": (cut, "which is cut off; the file is damaged: fetch it again"),
}


@pytest.mark.filterwarnings("ignore")  # PyTorch's own about TorchScript
@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".pt"])
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_file_is_named_whatever_its_suffix(kind, suffix, tmp_path):
    make, told = WRONG[kind]
    make(tmp_path / f"w{suffix}")
    with pytest.raises(WeightsError, match=told) as error:
        read_weights(tmp_path / f"w{suffix}")
    text = str(error.value)
    assert "\n" not in text
    assert "weights_only" not in text
    assert ("fetch it again" in text) == (kind in ("nothing", "cut"))


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            nn.Sequential(nn.Linear(3, 2)),
            r"a whole pickled network \(torch.nn.modules.container.Sequential\), which .*",
        ),
        (
            {"model": nn.Linear(3, 2)},
            r"(a whole pickled network under model \(torch.nn.modules.linear.Linear\)|objects other than tensors).*",
        ),
    ],
)
def test_a_whole_network_is_told_what_to_save_instead(content, told, old, tmp_path):
    torch.save(content, tmp_path / "whole.pth", _use_new_zipfile_serialization=not old)
    with pytest.raises(WeightsError, match=told + r"; where you trust it, save the model's state_dict\(\)") as error:
        read_weights(tmp_path / "whole.pth")
    assert "weights_only" not in str(error.value)
    assert ("factory" in str(error.value)) == (not old or isinstance(content, nn.Module))


def test_another_protocol_is_named(tmp_path):
    torch.save(STATE, tmp_path / "w.pth", pickle_protocol=5)
    with pytest.raises(WeightsError, match="pickled with another protocol than torch.save's own"):
        read_weights(tmp_path / "w.pth")


def test_formats_are_known_by_content(tmp_path):
    save_file(STATE, tmp_path / "w.pth")
    torch.save(STATE, tmp_path / "w.safetensors")
    torch.save(STATE, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    kinds = [recognize_weights(tmp_path / name) for name in ("w.pth", "w.safetensors", "old.bin")]
    assert kinds == [FileKind.SAFETENSORS, FileKind.PYTORCH, FileKind.PYTORCH]
    for name in ("w.pth", "w.safetensors", "old.bin"):
        assert torch.equal(read_weights(tmp_path / name)["0.weight"], STATE["0.weight"])


@pytest.mark.parametrize("form", ["zip", "old", "safetensors"])
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_files_are_one_line(form, data):
    """Bytes changed, left out or added anywhere, also inside of the archive."""
    file = io.BytesIO()
    if form == "safetensors":
        file.write(save(STATE))
    else:
        content = {"state_dict": STATE, "args": argparse.Namespace(lr=0.1)}
        torch.save(content, file, _use_new_zipfile_serialization=form == "zip")
    damaged = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(damaged) - 1))
        stop = start + data.draw(st.integers(0, 8))
        damaged[start:stop] = data.draw(st.binary(max_size=8))
        damaged = damaged or bytearray(b"x")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.pth"
        path.write_bytes(damaged)
        try:
            tensors = read_weights(path)
        except WeightsError as error:
            text = str(error)
            assert "\n" not in text
            assert "weights_only" not in text
        else:
            assert all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(WeightsError, match="which is a folder; name the file in it"):
        read_weights(tmp_path)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("whole.pth", "--model torchvision/NAME --weights whole.pth; return a network of your own from a factory"),
        ("runs/last.ckpt", "--model torchvision/NAME --weights runs/last.ckpt"),
        ("net.onnx", "did you mean onnx/net.onnx?"),
        ("models/net.onnx", "did you mean onnx/models/net.onnx?"),
        ("net.py", "did you mean python/net.py:FACTORY?"),
        ("net.py:make", "did you mean python/net.py:make?"),
    ],
)
def test_a_file_in_place_of_a_model(model, told):
    with pytest.raises(ClassifierError) as error:
        load_classifier(model)
    assert told in error.value.do
    assert advise_on_file("resnet18") is None
