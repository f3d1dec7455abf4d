"""Patterns, and the safetensors files that store them with the fingerprint of their model."""

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
    """One pattern per unit of every linear layer.

    Attributes:
        by_layer: The patterns by the name of the layer, in the shape of its weights.
        estimator: The name of the estimator's class.
        images: The number of images that they were estimated from.
        fingerprint: The SHA-256 of the model's weights.
    """

    by_layer: Mapping[str, Tensor]
    estimator: str
    images: int
    fingerprint: str

    def save(self, path: str | Path) -> Path:
        """Write the patterns to `path` as safetensors; the file is replaced in one step. Returns the path."""
        about = {
            "format": FORMAT,
            "estimator": self.estimator,
            "images": str(self.images),
            "fingerprint": self.fingerprint,
        }
        write_tensors(Path(path), dict(self.by_layer), about)
        return Path(path)

    def cosine(self, other: "Patterns") -> dict[str, float]:
        """Compute the mean cosine of the units' patterns with those of `other`, by layer: their stability.

        Units without a pattern in either estimate (never active) are left out; NaN for a layer without any unit left.

        >>> patterns = Patterns({"fc": torch.ones(2, 3)}, "TwoComponent", 8, "")
        >>> round(patterns.cosine(patterns)["fc"], 6)
        1.0
        """
        cosines = {}
        for name, rows in self.by_layer.items():
            a, b = rows.flatten(1).double(), other.by_layer[name].flatten(1).double()
            exist = (a.norm(dim=1) > 0) & (b.norm(dim=1) > 0)
            cosines[name] = float(torch.cosine_similarity(a[exist], b[exist]).mean()) if exist.any() else float("nan")
        return cosines


def load_patterns(path: str | Path) -> Patterns:
    """Read the patterns stored at `path`. Raises `PatternError` for a file that can't be read or has another format."""
    tensors, about = read_tensors(Path(path))
    if about.get("format") != FORMAT or not about.get("images", "").isdecimal():
        raise PatternError(f"a file of {FORMAT!r}", f"{path} of {about.get('format')!r}", "make it by: unveil patterns")
    return Patterns(tensors, about.get("estimator", ""), int(about["images"]), about.get("fingerprint", ""))


def write_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
    """Write to a temporary file in the same folder, then rename it. Raises `PatternError`."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, about)
        part.replace(path)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise PatternError(
            "a path that can be written to", f"{path}: {error}", "check the folder and the space"
        ) from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors and the metadata of a file. Raises `PatternError`."""
    try:
        with safe_open(path, "pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}, opened.metadata() or {}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError, ValueError) as error:
        raise PatternError("a safetensors file", f"{path}: {error}", "check the path") from error
