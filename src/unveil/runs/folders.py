"""Names of the folders of records: they belong to the image's path, whatever other images a call has."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from unveil.errors import RecordError
from unveil.images import Image
from unveil.store import is_run, read_manifest
from unveil.texts import safe_name


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
    return safe_name(path.stem.removesuffix(".nii"))


def hashed_name(path: Path) -> str:
    """The stem of a path, and eight hexadecimal digits of the SHA-256 of the whole path."""
    digest = hashlib.sha256(_full(path)).hexdigest()
    return f"{stem_name(path)}-{digest[:8]}"


def _full(path: Path) -> bytes:
    # By its bytes, and without "..": one file has one name.
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100 (Path.absolute keeps "..")
