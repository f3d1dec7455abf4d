"""Which state dict of a checkpoint is taken."""

from collections import OrderedDict

import pytest
import torch

from unveil.classifiers.sources.checkpoints import read_torch_file
from unveil.errors import WeightsError


def state(value: float) -> dict:
    return {"conv.weight": torch.full((2, 3), value), "conv.bias": torch.zeros(2)}


PLAIN, AVERAGE = state(1), state(2)
OPTIMIZER = {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": torch.tensor(0.1), "params": [0]}]}


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        {**PLAIN, "epoch": 3},
        {"state_dict": PLAIN, "state_dict_ema": AVERAGE, "optimizer": OPTIMIZER},
        {"model_ema": AVERAGE, "model": PLAIN},
        {"ema_state_dict": AVERAGE, "model_state": PLAIN, "best": torch.tensor(0.9)},
        {"swa": AVERAGE, "my own name": PLAIN, "optimizer": {"exp_avg": torch.ones(2)}},
        {"model": "resnet18", "weights": PLAIN, "criterion": {"weight": torch.ones(2)}},
        {"checkpoint": {"model": {"state_dict": PLAIN}}, "hyper_parameters": {"class_weights": torch.ones(2)}},
        {"network": PLAIN, "callbacks": {"early": {"best": torch.ones(2)}}},
        {"best_model": PLAIN},
        {"ema": PLAIN, "optimizer": OPTIMIZER},
        {"model_ema": {"module": PLAIN}},
        {"state_dict": PLAIN, "teacher": AVERAGE},
        {"pos_weight": torch.tensor(3.0), "classifier": PLAIN},
    ],
)
def test_the_network_is_taken_and_its_average_only_alone(content, tmp_path):
    torch.save(content, tmp_path / "w.pth")
    tensors = read_torch_file(tmp_path / "w.pth")
    assert tensors.keys() == PLAIN.keys()
    assert float(tensors["conv.weight"][0, 0]) == 1


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"generator": PLAIN, "discriminator": AVERAGE}, "generator, discriminator"),
        ({"a": {"b": PLAIN}, "c": {"d": AVERAGE}}, "a.b, c.d"),
        ({"class_weights": torch.ones(3), "resnet": PLAIN}, "the file itself, resnet"),
        ({"ema": PLAIN, "swa": AVERAGE}, "ema, swa"),
    ],
)
def test_several_networks_are_named(content, names, tmp_path):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=rf"with several: {names}; save the state_dict\(\) of the one"):
        read_torch_file(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "nothing in it"),
        ({0: torch.ones(2), 1: torch.ones(2)}, r"keys that aren't names \(0\)"),
        ({"epoch": 3, "optimizer": OPTIMIZER}, "no state dict under epoch, optimizer"),
        ({f"a{index}": index for index in range(9)}, "no state dict under a0, a1, a2, a3, a4 …"),
        ([torch.ones(2)], "with list"),
        (torch.ones(2), "with Tensor"),
        (3, "with int"),
    ],
)
def test_files_without_a_state_dict_say_what_they_hold(content, told, tmp_path):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=rf"expected tensors by name; got .*w.pth with .*{told}|{told}"):
        read_torch_file(tmp_path / "w.pth")


def test_a_dictionary_that_holds_itself_is_looked_through_once(tmp_path):
    content: dict = {"model": PLAIN}
    for index in range(200):
        content[f"self {index}"] = content
    torch.save(content, tmp_path / "w.pth")
    assert read_torch_file(tmp_path / "w.pth").keys() == PLAIN.keys()


def test_attributes_of_a_dictionary_do_not_replace_its_methods(tmp_path):
    """`OrderedDict` takes attributes from a file: here ones that hide its methods."""
    content = OrderedDict(PLAIN)
    content.values = content.get = content.keys = "hidden"  # pyright: ignore[reportAttributeAccessIssue]
    torch.save({"state_dict": content}, tmp_path / "w.pth")
    assert read_torch_file(tmp_path / "w.pth").keys() == PLAIN.keys()
