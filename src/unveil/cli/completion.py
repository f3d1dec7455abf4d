"""Shell completion of option values. Imports neither torch nor a library of models, because a shell waits for it."""

import re
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

RECIPES = ("recommended", "paper", "demo", "lrp", "black-box")
SOURCES = (
    "torchvision",
    "timm",
    "huggingface",
    "python",
    "torchscript",
    "onnx",
    "chexnet",
    "torchxrayvision",
    "planted",
)
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16")
OUTPUTS = ("softmax", "sigmoid")
# Sources that are followed by the path of a file, with the suffixes of such files; none means any file.
FILE_SOURCES: dict[str, tuple[str, ...]] = {
    "python": (".py",),
    "torchscript": (".pt", ".pth", ".ts"),
    "onnx": (".onnx",),
    "chexnet": (),
}
BUILDER = re.compile(r"^@register_model\(.*?^def (\w+)\(", re.MULTILINE | re.DOTALL)


def complete_from(values: Sequence[str]) -> Callable[[str], list[str]]:
    """A function that completes a word to those of `values` that begin with it.

    >>> complete_from(("auto", "fp32", "bf16"))("f")
    ['fp32']
    """

    def complete(incomplete: str) -> list[str]:
        return _beginning_with(incomplete, values)

    return complete


def complete_recipe(incomplete: str) -> list[str]:
    """Names of recipes, then TOML files and folders."""
    return [*_beginning_with(incomplete, RECIPES), *_paths(incomplete, (".toml",))]


def complete_model(incomplete: str) -> list[str]:
    """Sources of models; after `torchvision/` the names of its models, after `python/` and the like paths of files."""
    source, slash, name = incomplete.partition("/")
    if not slash:
        return [f"{source}/" for source in _beginning_with(incomplete, SOURCES)]
    if source == "torchvision":
        return _beginning_with(incomplete, [f"torchvision/{name}" for name in torchvision_names()])
    if source == "planted":
        return _beginning_with(incomplete, ["planted/demo"])
    if source in FILE_SOURCES:
        return [f"{source}/{path}" for path in _paths(name, FILE_SOURCES[source])]
    return []


def torchvision_names() -> list[str]:
    """The names of torchvision's classification models, read from its source files; importing it takes seconds."""
    spec = find_spec("torchvision")
    names: set[str] = set()
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in Path(folder, "models").glob("*.py"):
            names.update(BUILDER.findall(path.read_text(encoding="utf-8", errors="replace")))
    return sorted(names)


def _beginning_with(incomplete: str, values: Iterable[str]) -> list[str]:
    return [value for value in values if value.startswith(incomplete)]


def _paths(incomplete: str, suffixes: tuple[str, ...]) -> list[str]:
    """Folders (with a slash at the end) and files that begin with a text; hidden ones only if it names them."""
    folder, _, stem = incomplete.rpartition("/")
    start = f"{folder}/" if "/" in incomplete else ""
    try:
        entries = sorted(Path(start or ".").iterdir())
    except OSError:
        return []
    return [
        f"{start}{entry.name}{'/' if entry.is_dir() else ''}"
        for entry in entries
        if entry.name.startswith(stem)
        and (stem.startswith(".") or not entry.name.startswith("."))
        and (entry.is_dir() or not suffixes or entry.suffix.lower() in suffixes)
    ]
