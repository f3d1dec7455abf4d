"""Errors of requests: each has a status, one line, and neither traces nor paths of the machine."""

import re
from collections.abc import Iterable
from pathlib import Path

from unveil.errors import DiskFullError, UnveilError
from unveil.texts import escape_control

MAX_LINE = 500
# Folders in a path: everything up to the last separator. A share such as 1/2 has none in front.
_FOLDERS = re.compile(r"(?<![\w.:/])(?:file://)?(?:[A-Za-z]:[\\/]|\\\\|/)(?:[^\s:;,'\"<>|/\\]+[/\\])+")


class RequestError(UnveilError):
    """A request that is refused.

    Attributes:
        status: The HTTP status of the answer.
    """

    def __init__(self, status: int, expected: str, got: str, do: str) -> None:
        """Make the message of its three parts, and keep the status."""
        super().__init__(expected, got, do)
        self.status = status


class ServeError(UnveilError):
    """The server can't start with these options."""


def public_line(text: str, hidden: Iterable[Path | str] = ()) -> str:
    """A message as it may leave the machine: one line, printable, with names of files but without their folders.

    `hidden` are folders that are removed even where they hold spaces.

    >>> public_line("expected an image; got /srv/data/a b.png;\\ncheck it")
    'expected an image; got a b.png; check it'
    """
    line = " ".join(text.split())
    for folder in sorted({str(one) for one in hidden if len(str(one)) > 1}, key=len, reverse=True):
        line = line.replace(f"{folder}/", "").replace(f"{folder}\\", "").replace(folder, "the folder")
    line = escape_control(_FOLDERS.sub("", line))
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 1]}…"


def status_of(error: UnveilError) -> int:
    """The HTTP status of an error: its own, 507 for a full disk, and 422 for whatever a user can correct."""
    if isinstance(error, DiskFullError):
        return 507
    status = getattr(error, "status", None)
    return status if isinstance(status, int) else 422
