"""Weights from a file, and their way into a module: every tensor in its place, or an error that names what doesn't
fit."""

import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from unveil.classifiers.sources.base import RANDOM
from unveil.classifiers.sources.checkpoints import AVERAGE_KEYS, read_torch_file
from unveil.classifiers.sources.file_kinds import FACTORY, FETCH, SUFFIXES, FileKind, recognize_weights
from unveil.errors import WeightsError

# Wrappers of PyTorch that put their name between those of modules: torch.compile, FSDP, activation checkpoints.
WRAPPERS = re.compile(r"(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
# Beside a network in a state dict: the loss and measures of the training module that holds it. They predict nothing.
BESIDE = re.compile(
    r"(^|[._])(criterion|loss\w*|\w*metrics?|class_weights?|pos_weight|train_acc|val_acc|test_acc)([._]|$)", re.I
)
# What pruning, weight norm and spectral norm keep in place of a weight.
REPARAMETRIZED = re.compile(r"(weight|bias)\w*_(orig|mask|g|v|u)$|(^|\.)parametrizations\.")


def is_file(weights: str) -> bool:
    """True if the text means a file: it has a suffix of weights, or exists."""
    return weights.lower().endswith(SUFFIXES) or Path(weights).exists()


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Tensors by name from a `.safetensors` or a PyTorch file; names are those of the file.

    Raises `WeightsError` for a missing, damaged or unsafe file, and for tensors that hold no plain numbers.
    """
    path = Path(path)
    if not path.is_file():
        folder = path.is_dir()
        got, do = ("a folder", "name the file in it") if folder else ("not a file", "check the path")
        raise WeightsError("a file with weights", f"{path}, which is {got}", do)
    safe = recognize_weights(path) is FileKind.SAFETENSORS
    tensors = _read_safetensors(path) if safe else read_torch_file(path)
    for name, tensor in tensors.items():
        kind = _unusual_kind(tensor)
        if kind:
            do = "save the state_dict() of the network in floating point, with its values"
            raise WeightsError("dense tensors of numbers", f"{path}, where {name} is {kind}", do)
    return tensors


def count_outputs(tensors: dict[str, Tensor], head: str, otherwise: int) -> int:
    """Outputs of the last layer, named `head`, below any prefix; `otherwise` if the file has none, which `load_into`
    then says.

    >>> count_outputs({"model.fc.weight": torch.zeros(5, 8)}, "fc", 1000)
    5
    """
    for part in (f"{head}.bias", f"{head}.weight"):
        names = [name for name in tensors if f".{WRAPPERS.sub('', name)}".endswith(f".{part}") and tensors[name].ndim]
        if names:
            # A network comes before its average; the shortest prefix is the outermost module's.
            return len(tensors[min(names, key=lambda name: (_is_average_name(name), name.count(".")))])
    return otherwise


def load_given(module: nn.Module, weights: str | Path | None) -> None:
    """Load a file of weights strictly, as `load_into` does; None and `RANDOM` leave the module as it is."""
    if weights is not None and weights != RANDOM:
        load_into(module, read_weights(weights), str(weights))


def load_into(module: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Load strictly: every tensor of the module once, in its shape.

    A prefix of all names (`module.`, `model.`, `_orig_mod.` …) is taken off if the rest then fits exactly. Outside of
    it only the training's loss, measures and counters, and averages of the same network, may remain.

    Raises `WeightsError` that names what doesn't fit.
    """
    own = {name: tensor for name, tensor in module.state_dict().items() if isinstance(tensor, Tensor)}
    prefix = choose_prefix(tensors, own, source)
    fitting, twice = _below(prefix, tensors, own)
    problems = [*(f"{name} is there twice" for name in twice), *_problems(fitting, own)]
    if problems:
        shown = "; ".join(problems[:3]) + (f" and {len(problems) - 3} more" if len(problems) > 3 else "")
        do = _advice(fitting, own)
        raise WeightsError(f"weights for {type(module).__name__}", f"{source}, where {shown}", do)
    module.load_state_dict(fitting, strict=False)


def choose_prefix(tensors: dict[str, Tensor], own: dict[str, Tensor], source: str) -> str:
    """The prefix under which the names of `tensors` are those of the network; empty if none fits.

    >>> weight = torch.zeros(2)
    >>> choose_prefix({"net.fc.weight": weight, "criterion.weight": weight}, {"fc.weight": weight}, "last.ckpt")
    'net.'

    Raises `WeightsError` if several do, or if other layers are outside of it.
    """
    shapes = {WRAPPERS.sub("", name): tensor.shape for name, tensor in tensors.items()}
    needed = {WRAPPERS.sub("", name): t.shape for name, t in own.items() if not name.endswith("num_batches_tracked")}
    if not needed or needed.keys() <= shapes.keys():
        return ""
    first = min(needed)
    prefixes = sorted({name.removesuffix(first) for name in shapes if name.endswith("." + first)})
    named = [prefix for prefix in prefixes if all(prefix + name in shapes for name in needed)]
    exact = [prefix for prefix in named if all(shapes[prefix + name] == shape for name, shape in needed.items())]
    fits = exact or named
    chosen = [prefix for prefix in fits if not _is_average_name(prefix)] or fits
    if len(chosen) > 1:
        do = "save the state_dict() of the one that classifies"
        raise WeightsError("weights of one network", f"{source} with several: {', '.join(chosen)}", do)
    if not chosen:
        return ""
    outside = sorted(name for name in tensors if not WRAPPERS.sub("", name).startswith(chosen[0]))
    layers = [name for name in outside if tensors[name].ndim and not BESIDE.search(name) and not _is_average_name(name)]
    if layers:
        shown = ", ".join(layers[:3]) + (f" and {len(layers) - 3} more" if len(layers) > 3 else "")
        do = "build the whole network in a factory (python/FILE.py:FACTORY), or save the state_dict() of that part"
        raise WeightsError(f"weights under {chosen[0]} only", f"{source}, which also has {shown}", do)
    return chosen[0]


def _is_average_name(name: str) -> bool:
    """True for a name that belongs to an average of the network."""
    return AVERAGE_KEYS.search(name) is not None


def _below(prefix: str, tensors: dict[str, Tensor], own: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors below a prefix by their names in the module, and names that come twice because of wrappers."""
    spelled = {WRAPPERS.sub("", name): name for name in own}
    below, twice = {}, []
    for name, tensor in tensors.items():
        bare = WRAPPERS.sub("", name)
        if bare.startswith(prefix):
            bare = bare.removeprefix(prefix)
            here = spelled.get(bare, bare)
            twice += [here] if here in below else []
            below[here] = tensor
    return below, twice


def _problems(tensors: dict[str, Tensor], own: dict[str, Tensor]) -> list[str]:
    """What keeps tensors from being those of a module, in words."""
    both = [(name, tensors[name], tensor) for name, tensor in own.items() if name in tensors]
    return [
        *(f"{name} is missing" for name in own if name not in tensors and not name.endswith("num_batches_tracked")),
        *(f"{name} is not in the model" for name in tensors if name not in own),
        *(
            f"{name} is {_shape(given)} instead of {_shape(tensor)}"
            for name, given, tensor in both
            if given.shape != tensor.shape
        ),
        *(
            f"{name} is {_dtype(given)} instead of {_dtype(tensor)}"
            for name, given, tensor in both
            if given.is_complex() != tensor.is_complex()
            or (tensor.is_floating_point() and not given.is_floating_point())
        ),
    ]


def _advice(tensors: dict[str, Tensor], own: dict[str, Tensor]) -> str:
    """What to do about tensors that don't fit."""
    if any(REPARAMETRIZED.search(name) for name in tensors if name not in own):
        removed = "prune.remove, remove_parametrizations or remove_weight_norm"
        return f"save the state_dict() after {removed}, or prune or normalize the network too, in {FACTORY}"
    return "check the model's name, and the number of labels (--labels)"


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _unusual_kind(tensor: Tensor) -> str | None:
    """A word for a tensor whose numbers can't simply be copied."""
    if tensor.is_meta:
        return "without values (on the device meta)"
    if tensor.layout is not torch.strided:
        return "sparse"
    return "quantized" if tensor.is_quantized else None


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError("a safetensors file", f"{path}: {error}", FETCH) from error
