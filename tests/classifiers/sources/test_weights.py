"""Weights from files: what fits is loaded, what doesn't is named, and no pickle is ever run."""

import pickle
from pathlib import Path
from typing import cast

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations, prune

from unveil.classifiers.sources.weights import count_outputs, is_file, load_into, read_weights
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
    torch.save({"a": Touch()}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    torch.save({"a": Touch()}, tmp_path / "zip.pt")
    for name in ("raw.pth", "old.pth", "zip.pt"):
        with pytest.raises(WeightsError) as error:
            read_weights(tmp_path / name)
        assert "\n" not in str(error.value)
        assert name == "raw.pth" or "could run code when loaded; where you trust it" in str(error.value)
    assert not trace.exists()


def test_a_whole_pickled_model_is_refused(tmp_path):
    torch.save(net(), tmp_path / "model.pth")
    with pytest.raises(WeightsError, match="a PyTorch file with tensors only; got .* a whole pickled network"):
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


@pytest.mark.parametrize(
    "change",
    [
        lambda network: prune.l1_unstructured(network[0], "weight", amount=0.5),
        lambda network: parametrizations.weight_norm(network[0]),
        lambda network: parametrizations.spectral_norm(network[4]),
        lambda network: torch.nn.utils.spectral_norm(network[0]),
    ],
)
def test_weights_in_parts_fit_networks_with_the_same_parts_only(change):
    trained, alike = net(), fresh()
    change(trained)
    with pytest.raises(WeightsError, match=r"\d.weight is missing.*; save the state_dict\(\) after prune.remove"):
        load_into(fresh(), trained.state_dict(), "w.pth")
    change(alike)
    load_into(alike, trained.state_dict(), "w.pth")
    assert same(alike, trained)


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


def prefixed(prefix: str, state: dict) -> dict:
    return {prefix + name: tensor for name, tensor in state.items()}


def other() -> dict:
    """Weights of the same network that were trained otherwise."""
    return {name: tensor + 1 for name, tensor in net().state_dict().items()}


@pytest.mark.parametrize(
    "prefix", ["module.", "model.", "net.", "_orig_mod.", "module._orig_mod.", "model.net._orig_mod.", "a.b.c.d."]
)
def test_a_common_prefix_comes_off(prefix):
    target = fresh()
    load_into(target, prefixed(prefix, net().state_dict()), "w.ckpt")
    assert same(target, net())


def test_a_part_that_was_compiled_or_sharded_has_its_own_names():
    state = {
        name.replace("0.", "0._orig_mod.", 1).replace("4.", "4._fsdp_wrapped_module.", 1): tensor
        for name, tensor in net().state_dict().items()
    }
    assert "0._orig_mod.weight" in state
    target = fresh()
    load_into(target, state, "w.ckpt")
    assert same(target, net())
    compiled = cast(nn.Module, torch.compile(fresh()))
    assert all(name.startswith("_orig_mod.") for name in compiled.state_dict())
    load_into(compiled, net().state_dict(), "w.ckpt")
    assert same(cast(nn.Module, compiled._orig_mod), net())


@pytest.mark.parametrize(
    "beside",
    [
        {"n_averaged": torch.tensor(5)},
        {"criterion.weight": torch.ones(3)},
        {"loss_fn.pos_weight": torch.ones(1), "class_weights": torch.ones(3)},
        {"train_metrics.confusion": torch.ones(3, 3), "val_acc.correct": torch.ones(1)},
        prefixed("ema_model.module.", other()),
        prefixed("model_ema.", other()),
    ],
)
def test_outside_of_the_prefix_the_training_may_keep_its_own_tensors(beside):
    target = fresh()
    load_into(target, {**prefixed("model.", net().state_dict()), **beside}, "w.ckpt")
    assert same(target, net())


def test_an_average_is_taken_where_it_is_alone():
    target = fresh()
    averaged = torch.optim.swa_utils.AveragedModel(net())
    load_into(target, averaged.state_dict(), "w.ckpt")
    assert same(target, net())
    target = fresh()
    load_into(target, prefixed("ema.", net().state_dict()), "w.ckpt")
    assert same(target, net())


@pytest.mark.parametrize(
    ("state", "told"),
    [
        # A head behind the network decides what is predicted: the network alone would give other labels.
        (
            {**prefixed("0.", net().state_dict()), "1.weight": torch.ones(5, 2)},
            r"weights under 0. only; got w.ckpt, which also has 1.weight; build the whole network in a factory",
        ),
        (
            {**prefixed("student.", net().state_dict()), **prefixed("other.", other())},
            "weights of one network; got w.ckpt with several: other., student.; save",
        ),
        ({**prefixed("model.", net().state_dict()), "model.extra": torch.ones(1)}, "where extra is not in the model"),
        ({**net().state_dict(), "criterion.weight": torch.ones(2)}, "where criterion.weight is not in the model"),
        (prefixed("model.", net(5).state_dict()), r"0.weight is \(5, 3, 3, 3\) instead of \(4, 3, 3, 3\)"),
        ({**net().state_dict(), "_orig_mod.0.bias": torch.ones(4)}, "0.bias is there twice"),
    ],
)
def test_whatever_else_is_outside_or_does_not_fit_is_refused(state, told):
    target = fresh()
    with pytest.raises(WeightsError, match=told):
        load_into(target, state, "w.ckpt")
    assert same(target, fresh())


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (lambda weight: weight.to(torch.int8), "int8 instead of float32"),
        (lambda weight: weight.to(torch.complex64), "complex64 instead of float32"),
    ],
)
def test_numbers_of_another_kind_are_not_copied(changed, told):
    """Integers are quantized weights without their scale; the imaginary part of complex ones would be lost."""
    state = net().state_dict()
    with pytest.raises(WeightsError, match=f"4.weight is {told}"):
        load_into(fresh(), {**state, "4.weight": changed(state["4.weight"])}, "w.pth")


def test_half_and_double_are_converted():
    for kind in (torch.float64, torch.float16, torch.bfloat16):
        target = fresh()
        load_into(target, {name: tensor.to(kind) for name, tensor in net().state_dict().items()}, "w.pth")
        assert target[0].weight.dtype is torch.float32
        assert torch.equal(target[0].weight, net()[0].weight.to(kind).float())


@pytest.mark.filterwarnings("ignore")  # PyTorch's own about sparse and quantized tensors
@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: torch.eye(3).to_sparse(), "sparse"),
        (lambda: torch.eye(3).to_sparse_csr(), "sparse"),
        (lambda: torch.empty(3, device="meta"), "without values"),
        (lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "quantized"),
    ],
)
def test_tensors_that_hold_no_plain_numbers_are_one_error(make, told, tmp_path):
    torch.save({"state_dict": {"0.bias": torch.ones(2), "0.weight": make()}}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=f"dense tensors of numbers; got .*w.pth, where 0.weight is {told}"):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("tensors", "count"),
    [
        ({"fc.weight": torch.ones(5, 8), "fc.bias": torch.ones(5)}, 5),
        ({"module.fc.weight": torch.ones(5, 8)}, 5),
        ({"model._orig_mod.fc.bias": torch.ones(5)}, 5),
        ({"ema.fc.bias": torch.ones(7), "student_net.fc.bias": torch.ones(5)}, 5),
        ({"a.b.fc.bias": torch.ones(7), "model.fc.bias": torch.ones(5)}, 5),
        ({"efc.bias": torch.ones(5), "fc.other": torch.ones(5)}, 1000),
        ({"fc.bias": torch.tensor(1.0)}, 1000),
    ],
)
def test_the_number_of_outputs_is_that_of_the_last_layer(tensors, count):
    assert count_outputs(tensors, "fc", 1000) == count
