"""A classifier as plain values: what `load_classifier` is given, which travels to workers in place of the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.errors import BatchError

if TYPE_CHECKING:
    from unveil.classifiers import Classifier
    from unveil.classifiers.changes import PreprocessingChanges
    from unveil.classifiers.preprocessing import Preprocessing

# What a name says of the file that it is made of.
FILE_SOURCES = ("python", "torchscript", "onnx", "chexnet", "huggingface")


@dataclass(frozen=True)
class ModelSpec:
    """A classifier as what `load_classifier` is given, in plain values.

    Attributes:
        name: The model, such as `torchvision/resnet50`.
        weights: A name of published weights, a file, or `none`; None for the source's own.
        labels: One name per logit; None for the model's own.
        preprocessing: The table that `preprocessing_table` makes; None for the model's own.
        output: `softmax` or `sigmoid`; None for the model's own.
        head: The output to explain, of a model that returns several.
        returns: `logits` or `probabilities`; None if it is found out.
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: `auto`, `fp32` or `bf16`.

    >>> ModelSpec.from_dict(ModelSpec("planted/demo").as_dict()) == ModelSpec("planted/demo")
    True
    """

    name: str
    weights: str | None = None
    labels: tuple[str, ...] | None = None
    preprocessing: dict[str, Any] | None = None
    output: str | None = None
    head: str | None = None
    returns: str | None = None
    device: str = "auto"
    precision: str = "auto"

    def load(self, threads: int) -> Classifier:
        """Load the classifier, in a process that computes with this number of threads.

        Raises the errors of `load_classifier`.
        """
        import torch  # noqa: PLC0415 (seconds of imports, which only workers need)

        from unveil.classifiers import load_classifier  # noqa: PLC0415

        torch.set_num_threads(threads)
        return load_classifier(
            self.name,
            self.weights,
            labels=None if self.labels is None else list(self.labels),
            preprocessing=None if self.preprocessing is None else _preprocessing(self.preprocessing),
            output=self.output,
            head=self.head,
            returns=self.returns,
            device=self.device,
            precision=self.precision,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return values | {"labels": None if self.labels is None else list(self.labels)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelSpec:
        """The specification of plain values. Raises `BatchError` for others."""
        known = {item.name for item in fields(cls)}
        texts = {name: value for name, value in values.items() if name not in ("labels", "preprocessing")}
        labels, preprocessing = values.get("labels"), values.get("preprocessing")
        sound = (
            set(values) <= known
            and all(value is None or isinstance(value, str) for value in texts.values())
            and all(isinstance(values.get(name), str) for name in ("name", "device", "precision"))
            and (labels is None or (isinstance(labels, list) and all(isinstance(one, str) for one in labels)))
            and (preprocessing is None or isinstance(preprocessing, dict))
        )
        if not sound:
            raise BatchError("a model as plain values", repr(dict(values))[:100], "make the plan again")
        return cls(**{**values, "labels": None if labels is None else tuple(labels)})

    def with_full_paths(self) -> ModelSpec:
        """The same model with full paths of the files that its name and weights mean.

        >>> ModelSpec("torchvision/resnet18", "none").with_full_paths() == ModelSpec("torchvision/resnet18", "none")
        True
        """
        name, weights = self.name, self.weights
        if (path := self._path()) is not None:
            source, _, rest = name.partition("/")
            factory = rest[len(rest.rpartition(":")[0]) :] if source == "python" else ""
            name = f"{source}/{path.absolute()}{factory}"
        if weights is not None and Path(weights).is_file():
            weights = str(Path(weights).absolute())
        return replace(self, name=name, weights=weights)

    def _path(self) -> Path | None:
        """The file or folder that the name means; None if it means none that is there."""
        source, _, rest = self.name.partition("/")
        path = Path(rest.rpartition(":")[0] if source == "python" else rest)
        return path if source in FILE_SOURCES and rest and path.exists() else None

    def files(self) -> list[Path]:
        """The files that the model is made of, as far as its name and weights say so; in their order.

        A folder stands for the files in it, and a Python file for all Python files beside it, which it may import.
        """
        named = [self._path(), None if self.weights is None else Path(self.weights)]
        found: list[Path] = []
        for path in named:
            if path is None:
                continue
            if path.is_dir():
                found += sorted(one for one in path.iterdir() if one.is_file())
            elif path.is_file():
                found += sorted({path, *path.parent.glob("*.py")}) if path.suffix == ".py" else [path]
        return [path.absolute() for path in found]


def preprocessing_table(given: Preprocessing | PreprocessingChanges | None) -> dict[str, Any] | None:
    """A preprocessing, or changes of one, as plain values with its `kind`, for `ModelSpec`."""
    if given is None:
        return None
    values = {item.name: getattr(given, item.name) for item in fields(given)}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return {"kind": type(given).__name__, **{name: _text(value) for name, value in plain.items()}}


def _text(value: Any) -> Any:
    # Members of enumerations are texts of a class of their own.
    return str(value) if isinstance(value, str) else value


def _preprocessing(table: Mapping[str, Any]) -> Preprocessing | PreprocessingChanges:
    from unveil.classifiers.changes import PreprocessingChanges  # noqa: PLC0415 (torch)
    from unveil.classifiers.preprocessing import Fit, Interpolation, Preprocessing  # noqa: PLC0415

    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}
    kind = values.pop("kind", None)
    if kind == "PreprocessingChanges":
        return PreprocessingChanges(**values)
    if kind != "Preprocessing":
        raise BatchError("a preprocessing as a table", repr(dict(table))[:100], "make the plan again")
    kinds = {"fit": Fit, "interpolation": Interpolation}
    return Preprocessing(**{name: kinds[name](value) if name in kinds else value for name, value in values.items()})
