"""Weights from a file: safetensors, or a PyTorch file read with `weights_only=True`. No pickle is ever run."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 (its exception only)
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.serialization import safe_globals

from unveil.errors import WeightsError

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")
# Names under which training scripts keep the weights inside a checkpoint.
NESTED = ("state_dict", "model_state_dict", "model", "net", "weights")
# Old training scripts keep their best loss as a numpy scalar beside the weights. What a scalar of bools, integers or
# floats is made of is let through, in numpy 1's and numpy 2's spelling; nothing else is.
_SCALAR: Any = np.float64(0).__reduce__()[0]
_NUMBERS = {type(np.dtype(code)) for code in np.typecodes["AllInteger"] + np.typecodes["Float"] + "?"}
_NUMPY_SCALARS: tuple[Callable[..., Any] | tuple[Callable[..., Any], str], ...] = (
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *_NUMBERS,
)


def is_file(weights: str) -> bool:
    """True if the text means a file: it has a suffix of weights, or exists."""
    return weights.lower().endswith(SUFFIXES) or Path(weights).exists()


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Tensors by name from a `.safetensors` or a PyTorch file, without the prefix `module.` that DataParallel adds.

    Raises `WeightsError` for a missing, damaged or unsafe file.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError("a file with weights", f"{path}, which is not a file", "check the path")
    tensors = _read_safetensors(path) if path.suffix.lower() == ".safetensors" else _read_torch(path)
    return {_bare(name): tensor for name, tensor in tensors.items()}


def count_outputs(tensors: dict[str, Tensor], head: str, otherwise: int) -> int:
    """Outputs of the last layer, named `head`; `otherwise` if the file has none, which `load_into` then says."""
    bias = tensors.get(f"{head}.bias")
    return otherwise if bias is None or bias.ndim != 1 else len(bias)


def refused(error: UnpicklingError) -> str:
    """What PyTorch's safe reader stopped at, by name where it has one."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    if found:
        return f"objects other than tensors ({found[1]})"
    others = re.search(r"Unsupported|persistent_load|Can only|Trying to", str(error))
    return "objects other than tensors" if others else "no readable content"


def load_into(module: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Load strictly: every tensor of the module once, in its shape. Raises `WeightsError` that names what doesn't
    fit."""
    own = module.state_dict()
    problems = [
        *(f"{name} is missing" for name in own if name not in tensors and not name.endswith("num_batches_tracked")),
        *(f"{name} is not in the model" for name in tensors if name not in own),
        *(
            f"{name} is {tuple(tensors[name].shape)} instead of {tuple(tensor.shape)}"
            for name, tensor in own.items()
            if name in tensors and tensors[name].shape != tensor.shape
        ),
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise WeightsError(
            f"weights for {type(module).__name__}",
            f"{source}, where {'; '.join(problems[:3])}{more}",
            "check the model's name and the number of labels",
        )
    module.load_state_dict(tensors, strict=False)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError("a safetensors file", f"{path}: {error}", "the file is damaged: fetch it again") from error


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings(), safe_globals(list(_NUMPY_SCALARS)):
            # It warns of old pickle protocols; what matters here is whether the file can be read safely.
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise WeightsError(
            "a PyTorch file with tensors only",
            f"{path} with {refused(error)}, which could run code when loaded",
            "convert it to safetensors where you trust it, or save the model's state_dict() there",
        ) from error
    except Exception as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError("a PyTorch file", f"{path}: {said}", "the file is damaged: fetch it again") from error
    for name in NESTED:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    if not isinstance(content, dict) or not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise WeightsError("tensors by name", f"{path} with {type(content).__name__}", "save the model's state_dict()")
    return content


def _bare(name: str) -> str:
    return name.removeprefix("module.")
