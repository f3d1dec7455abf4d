"""The text of `run.json`: plain JSON that holds finite numbers only."""

import json
import math
import re
from typing import Any

from unveil.errors import RecordError
from unveil.store.tables import DAMAGED, Table

MANIFEST = "run.json"
FORMAT = "unveil run"
VERSION = 3


def to_bytes(manifest: dict) -> bytes:
    """JSON as ASCII; floats are written so that they read back to the same bits.

    Raises `RecordError` for a value that JSON doesn't have: NaN, an infinity, or an object.
    """
    try:
        text = json.dumps(manifest, indent=1, allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError("a run of finite numbers, texts, lists and tables", str(error), "check the recipe") from error
    # A list of numbers on one line. A line break can't be part of a JSON string, so only lists match.
    text = re.sub(r'\[\n[^\[\]{}"]*\]', lambda found: "[" + " ".join(found[0][1:-1].split()) + "]", text)
    return text.encode("ascii") + b"\n"


def from_bytes(content: bytes, file: str = MANIFEST, do: str = DAMAGED) -> dict:
    """The table of a `run.json`, or of another `file`. Raises `RecordError` for anything but one JSON table of finite
    numbers, and says what to `do` about it."""
    try:
        values = json.loads(content.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{file} to be valid JSON", str(error).splitlines()[0], do) from error
    if type(values) is not dict:
        raise RecordError(f"{file} to hold a table", f"a {type(values).__name__}", do)
    return values


def read_header(manifest: Table) -> None:
    """Check format and version. Raises `RecordError`; for a newer version it says to update."""
    if (found := manifest.text("format")) != FORMAT:
        raise RecordError(f"the format {FORMAT!r}", repr(found[:60]), "this is no run record: check the path")
    if (version := manifest.whole("version", least=1)) > VERSION:
        raise RecordError(f"a record of version {VERSION} at most", f"version {version}", "update unveil to read it")


def _plain(value: Any) -> Any:
    # Settings may be given as numpy scalars.
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    raise TypeError(f"a {type(value).__name__}")


def _refuse(name: str) -> float:
    raise ValueError(f"{name}, which is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:30]}, which is too large")
    return value
