"""Plain objects in a file are read past; nothing of them is run, whatever they are given."""

import argparse
import collections
import datetime
import decimal
import pathlib
import pickle
import types
import uuid
from typing import ClassVar

import numpy as np
import pytest
import torch

from unveil.classifiers.sources.checkpoints import read_torch_file
from unveil.classifiers.sources.stand_ins import InertArray, InertObject, plain_objects_allowed
from unveil.errors import WeightsError

WEIGHTS = {"conv.weight": torch.arange(6.0).reshape(1, 1, 2, 3)}


PLAIN = {
    "options": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("/data/x"), nested=argparse.Namespace(a=[1])),
    "simple namespace": types.SimpleNamespace(a=1),
    "posix path": pathlib.PurePosixPath("/data/x"),
    "windows path": pathlib.PureWindowsPath("C:/x"),
    "date": datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
    "duration": datetime.timedelta(seconds=3),
    "identifier": uuid.UUID(int=3),
    "decimal": decimal.Decimal("0.1"),
    "default dictionary": collections.defaultdict(list, {"loss": [1.0, 2.0]}),
    "ordered": collections.OrderedDict(a=1),
    "counter": collections.Counter("aab"),
    "deque": collections.deque([1.0, 2.0], maxlen=3),
    "array": np.arange(3.0),
    "array of objects": np.array([{"a": 1}, None], dtype=object),
    "array of texts": np.array(["a", "b"]),
    "numbers": [np.float32(1), np.float64(1), np.int64(1), np.bool_(True)],
    "number of the type of a class": np.float32,
    "size": torch.Size([1, 2]),
    "type": torch.float16,
    "device": torch.device("cuda:3"),
    "state of a generator": np.random.RandomState(0).get_state(),
    "set": {1, 2},
    "frozen set": frozenset([1]),
    "range": range(3),
    "complex": 1 + 2j,
    "bytes": b"abc",
    "large": 10**30,
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", PLAIN)
def test_plain_objects_beside_the_weights_are_read_past(name, zipped, tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save({"info": PLAIN[name], "state_dict": WEIGHTS}, path, _use_new_zipfile_serialization=zipped)
    tensors = read_torch_file(path)
    assert tensors.keys() == WEIGHTS.keys()
    assert torch.equal(tensors["conv.weight"], WEIGHTS["conv.weight"])


@pytest.mark.parametrize(
    "name", ["easydict.EasyDict", "lightning.fabric.utilities.data.AttributeDict", "yacs.config.CfgNode"]
)
def test_configurations_of_libraries_that_are_not_installed_are_read_past(name, tmp_path):
    module, _, cls = name.rpartition(".")
    made = f"\x80\x02c{module}\n{cls}\n)\x81".encode("latin-1")  # protocol 2, the class, (), and a new object of it
    write_zip(tmp_path / "w.pth", made + pickle.dumps({"lr": 0.5}, 2)[3:])  # its entries, set one by one
    with plain_objects_allowed():
        assert torch.load(tmp_path / "w.pth", weights_only=True) == {"lr": 0.5}


def write_zip(path: pathlib.Path, pickled: bytes) -> None:
    """A file as torch.save writes it, with another pickle in it."""
    writer = torch._C.PyTorchFileWriter(str(path))
    writer.write_record("data.pkl", pickled, len(pickled))
    writer.write_end_of_file()


class Call:
    """Pickled as the call of a function by its name, which need not be importable here."""

    def __init__(self, name: str, *arguments: object) -> None:
        self.name, self.arguments = name, arguments

    def pickled(self) -> bytes:
        module, _, function = self.name.rpartition(".")
        return b"\x80\x02c" + f"{module}\n{function}\n".encode() + pickle.dumps(self.arguments, 2)[2:-1] + b"R."


class Touched:
    """Would leave a trace if one were made, or its state were set."""

    traces: ClassVar[list[str]] = []

    def __new__(cls) -> "Touched":
        cls.traces.append("made")
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        self.traces.append("set")


@pytest.mark.parametrize("zipped", [True, False])
def test_objects_of_any_class_are_read_past_without_making_them(zipped, tmp_path):
    """As in Lightning's hyper_parameters, which may hold the network itself and its loss."""
    thing = Touched()
    thing.lr = 0.1  # pyright: ignore[reportAttributeAccessIssue]
    # The old format stores networks in a way that PyTorch's safe reader refuses itself.
    networks = {"net": torch.nn.Linear(2, 2), "loss": torch.nn.CrossEntropyLoss()} if zipped else {}
    hparams = {"own": [thing], **networks}
    torch.save(
        {"hyper_parameters": hparams, "state_dict": WEIGHTS},
        tmp_path / "last.ckpt",
        _use_new_zipfile_serialization=zipped,
    )
    Touched.traces.clear()
    assert read_torch_file(tmp_path / "last.ckpt").keys() == WEIGHTS.keys()
    assert Touched.traces == []


@pytest.mark.parametrize("name", ["os.system", "posix.system", "builtins.eval", "builtins.exec", "subprocess.run"])
def test_a_call_that_runs_something_is_refused(name, tmp_path):
    trace = tmp_path / "was here"
    write_zip(tmp_path / "w.pth", Call(name, f"touch {trace}").pickled())
    with pytest.raises(WeightsError, match="could run code"):
        read_torch_file(tmp_path / "w.pth")
    assert not trace.exists()


@pytest.mark.parametrize(
    "name", ["functools.partial", "pathlib.PosixPath", "collections.defaultdict", "copyreg._reconstructor"]
)
def test_an_allowed_name_never_calls_what_it_stands_for(name, tmp_path, monkeypatch):
    """The real class would get these arguments, or would call them; the stand-in keeps none."""
    module, _, cls = name.rpartition(".")

    def must_not_be_called(*arguments: object) -> None:
        raise AssertionError(arguments)

    monkeypatch.setattr(f"{module}.{cls}", must_not_be_called, raising=False)
    path = tmp_path / "w.pth"
    write_zip(path, Call(name, "rm -r /", {"__class__": "x"}, [1] * 5).pickled())
    with plain_objects_allowed():
        content = torch.load(path, weights_only=True)
    assert type(content) is InertObject or content == {}
    with pytest.raises(WeightsError, match="tensors by name"):
        read_torch_file(path)


def test_a_stand_in_keeps_nothing():
    thing = InertObject("rm", key="value")
    thing.__setstate__({"__class__": int, "run": print})
    assert vars(thing) == {}
    assert type(thing) is InertObject


def test_names_are_allowed_only_while_a_file_is_read():
    before = torch.serialization.get_safe_globals()
    with plain_objects_allowed():
        assert len(torch.serialization.get_safe_globals()) > len(before) + 50
    assert set(torch.serialization.get_safe_globals()) == set(before)


def test_arrays_in_place_of_tensors_are_named(tmp_path):
    torch.save({"a": np.zeros(3), "b": np.zeros(3)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="w.pth with NumPy arrays; convert them with torch.from_numpy"):
        read_torch_file(tmp_path / "w.pth")
    assert issubclass(InertArray, InertObject)
