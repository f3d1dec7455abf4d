"""PyTorch files: read without running any of their code, and the one state dict in them that is used."""

import re
import warnings
import zipfile
import zlib
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 (its exception only)
from typing import Any

import torch
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint

from unveil.classifiers.sources.file_kinds import FACTORY
from unveil.classifiers.sources.stand_ins import InertArray, InertClass, plain_objects_allowed
from unveil.errors import WeightsError, first_line

# Names under which training scripts save the network's weights, in order of preference.
WEIGHT_KEYS = (
    *("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights"),
    *("model_weights", "module", "net_state_dict", "network_state_dict", "model_dict", "net_dict", "params"),
)
# Parts of names of what isn't the network: states of the training, and measures.
OTHER_KEYS = re.compile(
    r"optim|sched|scaler|callback|loop|hyper|hparam|config|args|criterion|loss|metric|history|rng|random", re.I
)
# An average of the network over the training: used where there is no other.
AVERAGE_KEYS = re.compile(r"(^|_|\.)(ema|swa|average|averaged|avg|shadow|polyak)(\d*)(_|\.|$)", re.I)
DEPTH = 4
MOST_CLASSES = 200
CHECK = "check that torch.save wrote it and that it is whole"
UNREADABLE = "no readable content"
# Operands of pickle's protocols 3 to 5; torch.save writes protocol 2.
LATER_OPERANDS = {*b"BC", *range(0x8C, 0x99)}


def read_torch_file(path: Path) -> dict[str, Tensor]:
    """Tensors by name from a file of `torch.save`: the state dict itself, or the one inside a checkpoint.

    In a checkpoint, the first name of `WEIGHT_KEYS` is taken, else the only state dict that isn't an average (EMA, SWA)
    or a part of the training, else the only average. Raises `WeightsError`.
    """
    content = _load(path)
    if isinstance(content, InertClass):
        raise _whole_network(path, f"({content.name})")
    entries = dict(dict.items(content)) if isinstance(content, dict) else None
    if isinstance(content, InertArray) or (
        entries and all(isinstance(value, InertArray) for value in entries.values())
    ):
        raise WeightsError("tensors by name", f"{path} with NumPy arrays", "convert them with torch.from_numpy")
    if entries is None:
        got = f"{path} with {type(content).__name__.removeprefix('Inert')}"
        raise WeightsError("tensors by name", got, "save the model's state_dict()")
    return _state_dict(entries, path)


def what_was_refused(error: UnpicklingError) -> str:
    """What PyTorch's safe reader stopped at, by name where it has one."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    if found:
        return f"objects other than tensors ({found[1]})"
    operand = re.search(r"Unsupported operand (\d+)", str(error))
    if operand:
        later = int(operand[1]) in LATER_OPERANDS
        return "objects pickled with another protocol than torch.save's own" if later else UNREADABLE
    others = re.search(r"Unsupported|persistent_load|Can only|Trying to", str(error))
    return "objects other than tensors" if others else UNREADABLE


def _load(path: Path) -> Any:
    try:
        return _load_past(path, _other_names(path))
    except UnpicklingError as error:
        network = _pickled_object(path)
        if network is not None:
            raise _whole_network(path, f"({network})") from error
        if what_was_refused(error) == UNREADABLE:
            raise WeightsError("a PyTorch file", f"{path} with {UNREADABLE}", CHECK) from error
        raise WeightsError(
            "a PyTorch file with tensors only",
            f"{path} with {what_was_refused(error)}, which could run code when loaded",
            "where you trust it, save the model's state_dict(), or convert it to safetensors",
        ) from error
    except Exception as error:
        first = first_line(error, None)
        # PyTorch advises to load such files without its safe reader.
        got = "content that can't be read safely" if "weights_only" in first else first
        raise WeightsError("a PyTorch file", f"{path}: {got}", CHECK) from error


def _other_names(path: Path) -> set[str]:
    """Names of classes and functions in a file of today's format that PyTorch's safe reader would stop at."""
    try:
        with path.open("rb") as file, plain_objects_allowed():
            return set(get_unsafe_globals_in_checkpoint(file))
    except Exception:  # noqa: BLE001 (an old or a damaged file: the names come up one by one while it is read)
        return set()


def _load_past(path: Path, others: set[str]) -> Any:
    """The content, with inert objects in place of those of other classes."""
    while True:
        try:
            # By its path, PyTorch would read a file named .safetensors as such.
            with path.open("rb") as file, warnings.catch_warnings(), plain_objects_allowed(others):
                # It warns of old pickle protocols; what matters here is whether the file can be read safely.
                warnings.simplefilter("ignore")
                return torch.load(file, map_location="cpu", weights_only=True)
        except UnpicklingError as error:
            found = re.search(r"GLOBAL ([\w.]+) was not an allowed global", str(error))
            if found is None or found[1] in others or len(others) > MOST_CLASSES:
                raise
            others = {*others, found[1]}


def _pickled_object(path: Path) -> str | None:
    """The class of what `torch.save` was given, unless that was a dictionary or a tensor; nothing is loaded."""
    start = _first_bytes(path)
    # The first thing in the pickle is a class; in old files three other pickles come before, and its source is told.
    found = re.search(rb"\.\x80\x02(?:\(X\x06\0\0\0moduleq.)?c([\w.]+)\n([\w.]+)\n", start)
    if found is None or found[1] in (b"collections", b"torch._utils", b"torch"):
        return None
    return f"{found[1].decode()}.{found[2].decode()}"


def _first_bytes(path: Path) -> bytes:
    """The beginning of the pickle in a file of `torch.save`, behind a dot; nothing if it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            with archive.open(name) as file:
                return b"." + file.read(300)
    except zipfile.BadZipFile:
        # An old file, or a damaged one.
        with path.open("rb") as file:
            return file.read(4096)
    except (OSError, StopIteration, RuntimeError, NotImplementedError, ValueError, EOFError, zlib.error):
        return b""


def _whole_network(path: Path, where: str) -> WeightsError:
    return WeightsError(
        "a PyTorch file with tensors only",
        f"{path} with a whole pickled network {where}, which could run code when loaded",
        f"where you trust it, save the model's state_dict(), or return the network from {FACTORY}",
    )


def _state_dict(content: dict, path: Path) -> dict[str, Tensor]:
    """The state dict in a checkpoint; the path of names to it is in the error where there are several."""
    found = _candidates(content, (), set())
    for average in (False, True):
        ranks = {keys: _rank(keys, found[keys]) for keys in found if _is_average(keys) == average}
        chosen = [keys for keys, rank in ranks.items() if rank == min(ranks.values())]
        if len(chosen) > 1:
            names = ", ".join(".".join(keys) or "the file itself" for keys in chosen)
            do = "save the state_dict() of the one that classifies"
            raise WeightsError("weights of one network", f"{path} with several: {names}", do)
        if chosen:
            return found[chosen[0]]
    networks = {key: value.name for key, value in dict.items(content) if isinstance(value, InertClass)}
    if networks:
        raise _whole_network(path, ", ".join(f"under {key} ({name})" for key, name in list(networks.items())[:3]))
    raise WeightsError("tensors by name", f"{path} with {_described(content)}", "save the model's state_dict()")


def _candidates(content: dict, keys: tuple[str, ...], visited: set[int]) -> dict[tuple[str, ...], dict[str, Tensor]]:
    """State dicts in nested dictionaries, by the names that lead to them; each dictionary is looked through once."""
    visited.add(id(content))
    tensors = {
        name: value for name, value in dict.items(content) if isinstance(name, str) and isinstance(value, Tensor)
    }
    # A single number (a best score, a counter) doesn't make a state dict.
    found = {keys: tensors} if any(tensor.ndim for tensor in tensors.values()) else {}
    for name, value in dict.items(content):
        nested = isinstance(name, str) and isinstance(value, dict) and not OTHER_KEYS.search(name)
        if nested and len(keys) < DEPTH and id(value) not in visited:
            found |= _candidates(value, (*keys, name), visited)
    return found


def _is_average(keys: tuple[str, ...]) -> bool:
    """True for an average of the network over the training."""
    return any(AVERAGE_KEYS.search(key) for key in keys)


def _rank(keys: tuple[str, ...], tensors: dict[str, Tensor]) -> tuple[int, ...]:
    """Smaller for what is preferred: usual names in their order, at each level; then the file itself; then others."""
    if not keys:
        # `conv.weight` is part of a network; a single `pos_weight` may be anything.
        return (len(WEIGHT_KEYS) if any("." in name for name in tensors) else len(WEIGHT_KEYS) + 1,)
    return tuple(WEIGHT_KEYS.index(key) if key in WEIGHT_KEYS else len(WEIGHT_KEYS) + 1 for key in keys)


def _described(content: dict) -> str:
    """The names in a checkpoint, or the kind of its keys where they aren't names."""
    if not content:
        return "nothing in it"
    others = next((name for name in content if not isinstance(name, str)), None)
    if others is not None:
        return f"keys that aren't names ({others!r})"
    names = [str(name) for name in content][:5]
    return f"no state dict under {', '.join(names)}" + (" …" if len(content) > len(names) else "")
