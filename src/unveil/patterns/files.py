"""Patterns as a value, and as a safetensors file that says what they belong to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from unveil.patterns.network import PatternError

FORMAT = "unveil patterns 1"


@dataclass(frozen=True, eq=False)
class Patterns:
    """One pattern a unit, by layer: in the shapes of the weights; with the estimator, the number of images, and the
    model's hash."""

    by_layer: Mapping[str, Tensor]
    estimator: str
    images: int
    fingerprint: str

    def save(self, path: str | Path) -> Path:
        """Write as safetensors, in one step."""
        about = {
            "format": FORMAT,
            "estimator": self.estimator,
            "images": str(self.images),
            "fingerprint": self.fingerprint,
        }
        write_tensors(Path(path), dict(self.by_layer), about)
        return Path(path)

    def cosine(self, other: "Patterns") -> dict[str, float]:
        """Mean cosine between the units' patterns of two estimates, layer by layer: how settled they are.

        Units without a pattern in either (never active) are left out; NaN where all are.
        """
        found = {}
        for name, one in self.by_layer.items():
            a, b = one.flatten(1).double(), other.by_layer[name].flatten(1).double()
            there = (a.norm(dim=1) > 0) & (b.norm(dim=1) > 0)
            found[name] = float(torch.cosine_similarity(a[there], b[there]).mean()) if there.any() else float("nan")
        return found


def load_patterns(path: str | Path) -> Patterns:
    """Read a file of patterns. Raises `PatternError`."""
    tensors, about = read_tensors(Path(path))
    if about.get("format") != FORMAT or not about.get("images", "").isdecimal():
        raise PatternError(
            f"a file of {FORMAT!r}", f"{path} of {about.get('format')!r}", "make it with: unveil patterns"
        )
    return Patterns(tensors, about.get("estimator", ""), int(about["images"]), about.get("fingerprint", ""))


def write_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
    """Write beside the place, then move there. Raises `PatternError`."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, about)
        part.replace(path)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise PatternError("a place to write to", f"{path}: {error}", "check the folder and the space") from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and what the file says about them. Raises `PatternError`."""
    try:
        with safe_open(path, "pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}, opened.metadata() or {}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError, ValueError) as error:
        raise PatternError("a safetensors file", f"{path}: {error}", "check the path") from error
