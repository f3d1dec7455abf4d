"""Names of the folders of records: they belong to the image's path, whatever other images a call has."""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from unveil.errors import RecordError
from unveil.images import Image
from unveil.store import is_run, read_manifest

MAX_NAME_BYTES = 100
# Names that Windows keeps for devices, with whatever ending.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


def folder_names(images: Iterable[Path]) -> list[str]:
    """The name of the record's folder for each path in `images`: its stem, in letters, digits, `.`, `_` and `-`.

    Letters of all scripts are kept. Images in different folders whose stems are equal, also by case alone, get their
    stem and a hash of their path, as `hashed_name` makes it.

    >>> folder_names([Path("a/dog.jpg"), Path("scan 1.nii.gz")])
    ['dog', 'scan_1']
    """
    paths = list(images)
    keys = [stem_name(path).casefold() for path in paths]
    places: dict[str, set[bytes]] = {}
    for path, key in zip(paths, keys, strict=True):
        places.setdefault(key, set()).add(_full(path))
    return [
        stem_name(path) if len(places[key]) == 1 else hashed_name(path) for path, key in zip(paths, keys, strict=True)
    ]


def choose_folder(out: Path, name: str, path: Path, image: Image) -> Path:
    """The folder of an image's record: `name` in `out`, unless another call made it one of another image.

    An image that has a record keeps its folder, whatever other images a call has: first comes the folder with the
    hash of its path, then the one with its stem, and only then a new one.
    """
    hashed, plain = out / hashed_name(path), out / stem_name(path)
    if is_run(hashed):
        return hashed
    if not is_run(plain):
        return out / name
    try:
        kept = read_manifest(plain)["source"]["sha256"]
    except RecordError:
        return out / name
    return plain if kept == image.sha256 else hashed


def stem_name(path: Path) -> str:
    """The stem of a path in letters, digits, `.`, `_` and `-`, with at most `MAX_NAME_BYTES` bytes.

    >>> stem_name(Path("a/CON.png")), stem_name(Path(".hidden.nii.gz"))
    ('CON_', 'hidden')
    """
    # By its bytes, so that a name is the same in every locale.
    text = os.fsencode(path.stem).decode("utf-8", errors="replace")
    text = unicodedata.normalize("NFC", text.removesuffix(".nii"))
    safe = re.sub("/+", "_", "".join(char if _is_kept(char) else "/" for char in text))
    safe = safe.strip(".")
    while len(safe.encode()) > MAX_NAME_BYTES:
        safe = safe[:-1]
    # Windows drops dots at the end.
    safe = safe.rstrip(".") or "image"
    if _RESERVED.fullmatch(safe):
        stem, dot, rest = safe.partition(".")
        safe = f"{stem}_{dot}{rest}"
    return os.fsdecode(safe.encode())


def hashed_name(path: Path) -> str:
    """The stem of a path, and eight hexadecimal digits of the SHA-256 of the whole path."""
    digest = hashlib.sha256(_full(path)).hexdigest()
    return f"{stem_name(path)}-{digest[:8]}"


def _full(path: Path) -> bytes:
    # By its bytes, and without "..": one file has one name.
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100 (Path.absolute keeps "..")


def _is_kept(char: str) -> bool:
    # Marks belong to the letters before them: Indic vowels, for instance.
    return char.isalnum() or char in "._-" or unicodedata.category(char).startswith("M")
