"""Run records on disk: one folder per run, complete or not there at all. The format is specified in
docs/record-format.md.

Opening a record needs neither torch nor the model.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from unveil.atomic import publish_folder
from unveil.errors import RecordError
from unveil.records import Run
from unveil.store.arrays import ARRAYS, pack, unpack
from unveil.store.decoding import check_head, decode
from unveil.store.encoding import encode
from unveil.store.manifest import FORMAT, MANIFEST, VERSION, from_bytes, read_header, to_bytes
from unveil.store.previews import read_preview, write_preview
from unveil.store.tables import Table, damaged

MAX_BYTES = {MANIFEST: 2**28, ARRAYS: 2**32}  # more than any run of an image or a volume needs

__all__ = ["FORMAT", "VERSION", "is_run", "load_run", "read_manifest", "save_run"]


def save_run(
    run: Run, folder: str | Path, *, overwrite: bool = False, extra: Callable[[Path], Any] | None = None
) -> Path:
    """Write a `run` to a `folder`, and return its path.

    Everything is written into a hidden folder beside it, which then takes the name: after an error, an interrupt or a
    full disk there is no half-written record, and what was there before is as it was. The folder must be new or empty;
    with `overwrite` a run record there is replaced as a whole, and anything else is refused. `extra` is given the
    hidden folder, to put figures beside the record; the names of the record's own files are taken.

    Raises `RecordError` if the folder can't be written.
    """
    manifest, arrays = encode(run)
    packed, seal = pack(arrays)
    content = to_bytes({**manifest, "arrays": seal})

    def write(part: Path) -> None:
        if extra is not None:
            extra(part)
        write_preview(run, part)
        (part / ARRAYS).write_bytes(packed)
        # Last, so that a folder that has it is finished.
        (part / MANIFEST).write_bytes(content)

    publish_folder(Path(folder), write, is_run if overwrite else _never)
    return Path(folder)


def load_run(folder: str | Path) -> Run:
    """Load the run in `folder`, equal to the one that was saved.

    Raises `RecordError` if it isn't a record, isn't finished, was changed or damaged, or comes from a newer version.
    Warns about a preview that can't be used; the record is complete without it.
    """
    values = from_bytes(_read(Path(folder), MANIFEST))
    manifest = Table(values, "")
    read_header(manifest)
    seal = manifest.table("arrays")
    try:
        run = decode(manifest, unpack(_read(Path(folder), ARRAYS), seal))
    except MemoryError as error:
        raise damaged("a record that fits into memory", "not enough memory") from error
    preview = read_preview(Path(folder), run.source.geometry.source_shape)
    return run if preview is None else replace(run, preview=preview)


def read_manifest(folder: str | Path) -> dict:
    """Read `run.json` in `folder` without any array, which is fast enough for every folder of a data set.

    Format, version, source, classifier, recipe, seed, stops and versions are checked; the rounds are not. Raises
    `RecordError`.
    """
    values = from_bytes(_read(Path(folder), MANIFEST))
    read_header(Table(values, ""))
    check_head(Table(values, ""))
    return values


def is_run(folder: str | Path) -> bool:
    """True if `folder` contains a finished run record of any version."""
    try:
        values = from_bytes(_read(Path(folder), MANIFEST))
    except RecordError:
        return False
    return values.get("format") == FORMAT


def _never(folder: Path) -> bool:
    return False


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        if not path.is_file():
            why = "unfinished or not a record" if folder.is_dir() else "no folder"
            do = "check the path, or make the run again"
            raise RecordError(f"the folder of a run, with {name}", f"{folder}, which is {why}", do)
        if (size := path.stat().st_size) > MAX_BYTES[name]:
            raise damaged(f"{name} to have at most {MAX_BYTES[name]} bytes", f"{size}")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise RecordError(f"to read {path!s}", str(error), "check the path and its permissions") from error
