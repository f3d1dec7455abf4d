"""What a file given as weights is, by its first bytes: a format that can be read, or something else that has a name."""

import json
import zipfile
from enum import Enum
from pathlib import Path

from unveil.errors import WeightsError

FACTORY = "a factory (python/FILE.py:FACTORY)"
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")
EXPECTED = "a file with weights (.safetensors or PyTorch)"
FETCH = "the file is damaged: fetch it again"
TORCHSCRIPT_PART = "constants.pkl"  # only torch.jit.save writes it
ZIP_ERRORS = (zipfile.BadZipFile, OSError, ValueError, NotImplementedError)
_MAGIC_OF_OLD_FILES = b"l\xfc\x9cF\xf9 j\xa8P\x19"  # PyTorch before 1.6
_OTHERS = (
    (b"\x89HDF", "an HDF5 file, as Keras saves it", "convert its tensors to safetensors under PyTorch's names"),
    (b"\x93NUMPY", "a NumPy array", "convert it to a state dict with torch.from_numpy"),
    (b"GGUF", "a GGUF file", "give the weights before their conversion"),
    (b"\x1f\x8b", "a gzip archive", "unpack it, and give the file with the weights"),
    (b"\xfd7zXZ", "an xz archive", "unpack it, and give the file with the weights"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it, and give the file with the weights"),
    (b"\x89PNG", "an image", "give the file with the weights"),
    (b"\xff\xd8\xff", "an image", "give the file with the weights"),
)


class FileKind(Enum):
    """Formats of weights that can be read."""

    SAFETENSORS = "safetensors"
    PYTORCH = "PyTorch"


def recognize_weights(path: Path) -> FileKind:
    """The format of a file with weights, whatever its suffix.

    Raises `WeightsError` that says what the file is where it isn't one.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        got = f"{path}: {error.strerror or type(error).__name__}"
        raise WeightsError(EXPECTED, got, "check the path and its permissions") from error
    if not head:
        raise WeightsError(EXPECTED, f"{path}, which is empty", FETCH)
    if head.startswith(b"PK"):
        return _kind_of_zip(path)
    if _MAGIC_OF_OLD_FILES in head[:64]:
        return FileKind.PYTORCH
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**30:
        return FileKind.SAFETENSORS
    what, do = _described(path, head)
    raise WeightsError(EXPECTED, f"{path}, which is {what}", do)


def advise_on_file(model: str) -> str | None:
    """What to do about a model that was given as a file; None if it wasn't.

    >>> advise_on_file("net.onnx")
    'did you mean onnx/net.onnx?'
    """
    lower = model.lower()
    if lower.endswith(".onnx"):
        return f"did you mean onnx/{model}?"
    if lower.rpartition(":")[0].endswith(".py") or lower.endswith(".py"):
        return f"did you mean python/{model}{'' if ':' in model else ':FACTORY'}?"
    if not lower.endswith(SUFFIXES) and not Path(model).is_file():
        return None
    if is_torchscript(Path(model)):
        return f"did you mean torchscript/{model}?"
    named = f"name its network and give the file as weights: --model torchvision/NAME --weights {model}"
    return f"{named}; return a network of your own from {FACTORY}"


def is_torchscript(path: Path) -> bool:
    """Whether a file is an archive that `torch.jit.save` wrote, by the names of its parts."""
    try:
        with zipfile.ZipFile(path) as archive:
            return TORCHSCRIPT_PART in _inner_names(archive.namelist())
    except ZIP_ERRORS:
        return False


def _inner_names(names: list[str]) -> set[str]:
    """The names of an archive's parts below its one folder."""
    return {name.partition("/")[2] or name for name in names}


def _kind_of_zip(path: Path) -> FileKind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except ZIP_ERRORS as error:
        raise WeightsError(EXPECTED, f"{path}, which is cut off", FETCH) from error
    inner = _inner_names(names)
    if TORCHSCRIPT_PART in inner:
        do = f"give it as the model: --model torchscript/{path}"
        raise WeightsError(EXPECTED, f"{path}, which is a TorchScript archive", do)
    if inner & {"archive_format", "serialized_exported_program.json"} or any(n.startswith("models/") for n in inner):
        do = f"return torch.export.load({path.name!r}).module() from {FACTORY}"
        raise WeightsError(EXPECTED, f"{path}, which is an exported program", do)
    if "data.pkl" in inner:
        return FileKind.PYTORCH
    if names and all(name.endswith(".npy") for name in names):
        do = "convert them to a state dict with torch.from_numpy"
        raise WeightsError(EXPECTED, f"{path}, which is an archive of NumPy arrays", do)
    shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
    got = f"{path}, which is a zip archive of other files ({shown})" if names else f"{path}, an empty zip archive"
    raise WeightsError(EXPECTED, got, "unpack it, and give the file with the weights")


def _described(path: Path, head: bytes) -> tuple[str, str]:
    """What a file is that holds no weights, and what to do."""
    for magic, what, do in _OTHERS:
        if head.startswith(magic):
            return what, do
    if head[257:262] == b"ustar":
        return "a tar archive", "unpack it, and give the file with the weights"
    if path.suffix.lower() == ".onnx":
        return "an ONNX file", f"give it as the model: --model onnx/{path}"
    text = _text(head)
    if text is not None:
        return _described_text(path, text)
    if head.startswith(b"\x80"):
        return "a pickle that torch.save didn't write", "save the model's state_dict() with torch.save"
    return "of no known format", "check that it is the file with the weights"


def _described_text(path: Path, text: str) -> tuple[str, str]:
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("version https://git-lfs"):
        return "a Git LFS pointer in place of the file", "run: git lfs pull"
    if start[:200].lower().startswith(("<!doctype", "<html", "<head", "<?xml")):
        return "a web page", "download the file itself; its page may ask you to sign in"
    if '"weight_map"' in start:
        shards = _shards(path)
        do = f"merge the tensors of its files into one{f' ({shards})' if shards else ''}"
        return "an index of weights in several files", do
    return f"a text file ({start[:30]!r} …)", "give the file with the weights"


def _shards(path: Path) -> str:
    """The files that an index names."""
    try:
        names = sorted(set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return ""
    return ", ".join(map(str, names[:3])) + (" …" if len(names) > 3 else "")


def _text(head: bytes) -> str | None:
    """The bytes as text, if they are; the last character may be cut."""
    try:
        text = head.decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return None
        text = head[: error.start].decode("utf-8")
    return text if all(c.isprintable() or c.isspace() or c == "\ufeff" for c in text) else None
