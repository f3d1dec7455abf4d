"""Drawings and answers as files: `N.json` in a folder beside the record, whole or not at all."""

import json
import re
import threading
from pathlib import Path

from unveil.atomic import written_atomically
from unveil.errors import RecordError
from unveil.store.manifest import from_bytes
from unveil.what_if.answer import WhatIf
from unveil.what_if.drawing import Drawing
from unveil.what_if.encoding import CHANGE, REPEAT, WHAT_IF_FORMAT, decode_drawing, decode_what_if, encode_what_if

MAX_FILE_BYTES = 1 << 24  # more than a drawing with all its points needs
_NUMBERED = re.compile(r"([1-9]\d{0,8})\.json")
# Two threads must not take the same number.
_NUMBERING = threading.Lock()


def save_what_if(what_if: WhatIf, folder: str | Path, number: int | None = None) -> int:
    """Write an answer as `N.json` into a folder, which is made if needed.

    Args:
        what_if: The answer.
        folder: The folder. One process at a time may add to it.
        number: N, from 1 on, to replace an answer, as after its test; None for the next number.

    Returns N. Raises `RecordError` if the file can't be written; then what was there before is unchanged.
    """
    if number is not None and number < 1:
        raise RecordError("a number from 1 on", str(number), "leave it out for the next number")
    text = json.dumps(encode_what_if(what_if), indent=1, allow_nan=False) + "\n"
    with _NUMBERING:
        chosen = max(what_if_numbers(folder), default=0) + 1 if number is None else number
        with written_atomically(Path(folder) / f"{chosen}.json", "a what-if", with_folders=True) as part:
            part.write_text(text, encoding="ascii")
    return chosen


def what_if_numbers(folder: str | Path) -> tuple[int, ...]:
    """The numbers of the answers in a `folder`, in their order; empty if there is no folder.

    Raises `RecordError` if the folder can't be read.
    """
    path = Path(folder)
    try:
        names = [entry.name for entry in path.iterdir()] if path.is_dir() else []
    except OSError as error:
        raise RecordError(f"to read {path}", error.strerror or str(error), "check its permissions") from error
    return tuple(sorted(int(found[1]) for name in names if (found := _NUMBERED.fullmatch(name))))


def load_what_if(path: str | Path) -> WhatIf:
    """Load an answer from the file at `path`.

    Raises `RecordError` if it isn't one, was changed or damaged, or comes from a newer version.
    """
    path = Path(path)
    return decode_what_if(from_bytes(_read(path), path.name, REPEAT), path.name)


def load_drawing(path: str | Path) -> Drawing | WhatIf:
    """Load a drawing from the file at `path`, or an answer, which holds a drawing.

    Raises `RecordError` if it is neither, was changed or damaged, or comes from a newer version.
    """
    path = Path(path)
    values = from_bytes(_read(path), path.name, CHANGE)
    if values.get("format") == WHAT_IF_FORMAT:
        return decode_what_if(values, path.name)
    return decode_drawing(values, path.name)


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            got = f"the folder {path}" if path.is_dir() else f"{path}, which doesn't exist"
            raise RecordError("a file with a drawing or an answer", got, "check the path")
        if (size := path.stat().st_size) > MAX_FILE_BYTES:
            raise RecordError(f"a drawing of at most {MAX_FILE_BYTES} bytes", str(size), "check the path")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise RecordError(f"to read {path!s}", str(error), "check the path and its permissions") from error
