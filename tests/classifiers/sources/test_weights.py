"""Weights from files: what fits is loaded, what doesn't is named, and no pickle is ever run."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from unveil.classifiers.sources.weights import is_file, load_into, read_weights
from unveil.errors import WeightsError


def net(width: int = 4) -> nn.Module:
    torch.manual_seed(width)
    return nn.Sequential(
        nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), nn.Linear(width * 36, 2)
    )


def same(one: nn.Module, other: nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def fresh() -> nn.Module:
    made = net()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
    return made


@pytest.mark.parametrize("form", ["safetensors", "pth", "old pth", "checkpoint", "lightning", "parallel"])
def test_every_form_of_file_loads(tmp_path, form):
    source, path = net(), tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth")
    state = source.state_dict()
    match form:
        case "safetensors":
            save_file(state, path)
        case "pth":
            torch.save(state, path)
        case "old pth":
            torch.save(state, path, _use_new_zipfile_serialization=False)
        case "checkpoint":
            torch.save({"epoch": 3, "model": state, "optimizer": {"state": {}}}, path)
        case "lightning":
            torch.save({"state_dict": state, "hyper": 1}, path)
        case _:
            torch.save({f"module.{name}": tensor for name, tensor in state.items()}, path)
    target = fresh()
    assert not same(target, source)
    load_into(target, read_weights(path), str(path))
    assert same(target, source)


def test_a_pickle_that_would_run_code_is_refused_and_not_run(tmp_path):
    trace = tmp_path / "was here"

    class Touch:
        def __reduce__(self):
            return Path.touch, (trace,)

    (tmp_path / "raw.pth").write_bytes(pickle.dumps({"a": Touch()}))
    (tmp_path / "old.pth").write_bytes(pickle.dumps({"a": Touch()}, protocol=2))
    torch.save({"a": Touch()}, tmp_path / "zip.pt")
    for name in ("raw.pth", "old.pth", "zip.pt"):
        with pytest.raises(WeightsError) as error:
            read_weights(tmp_path / name)
        assert "\n" not in str(error.value)
        assert name == "raw.pth" or "could run code when loaded; convert it to safetensors" in str(error.value)
    assert not trace.exists()


def test_a_whole_pickled_model_is_refused(tmp_path):
    torch.save(net(), tmp_path / "model.pth")
    with pytest.raises(WeightsError, match="a PyTorch file with tensors only; got .* objects other than tensors"):
        read_weights(tmp_path / "model.pth")


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 100, b"PK\x03\x04" + b"\0" * 50, b"\x80\x02}q\x00."])
def test_damaged_files(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match="expected .*; got .*; ") as error:
        read_weights(tmp_path / name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_a_file_cut_off(tmp_path, name):
    path = tmp_path / name
    save_file(net().state_dict(), path) if name.endswith("safetensors") else torch.save(net().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(WeightsError):
        read_weights(path)


@pytest.mark.parametrize("content", [{"a": 1}, [torch.zeros(2)], {}, torch.zeros(3), {"model": {"x": "y"}}])
def test_files_without_tensors_by_name(tmp_path, content):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"save the model's state_dict\(\)"):
        read_weights(tmp_path / "w.pth")


def test_weights_that_do_not_fit_are_named_and_nothing_is_loaded(tmp_path):
    target = fresh()
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    other = net(5).state_dict()
    with pytest.raises(
        WeightsError,
        match=r"weights for Sequential; got w.pth, where 0.weight is \(5, 3, 3, 3\) instead of \(4, 3, 3, 3\); .* and \d more",
    ):
        load_into(target, other, "w.pth")
    few = {name: tensor for name, tensor in net().state_dict().items() if name != "4.bias"}
    with pytest.raises(WeightsError, match="where 4.bias is missing; check the model's name"):
        load_into(target, few, "w.pth")
    with pytest.raises(WeightsError, match="extra is not in the model"):
        load_into(target, {**net().state_dict(), "extra": torch.zeros(1)}, "w.pth")
    assert all(torch.equal(before[name], tensor) for name, tensor in target.state_dict().items())


def test_old_files_without_batch_counters_fit(tmp_path):
    state = {name: tensor for name, tensor in net().state_dict().items() if not name.endswith("num_batches_tracked")}
    target = fresh()
    load_into(target, state, "w.pth")
    assert torch.equal(target[4].weight, net()[4].weight)


def test_what_means_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not is_file("IMAGENET1K_V2")
    assert is_file("missing.pth")
    assert is_file("X.SAFETENSORS")
    Path("no_suffix").touch()
    assert is_file("no_suffix")
    with pytest.raises(WeightsError, match="which is not a file"):
        read_weights("missing.pth")
