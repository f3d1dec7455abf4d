"""Texts from outside (labels, names, reasons) as terminals, tables and file systems may get them; numbers in words."""

import os
import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

MAX_NAME_BYTES = 100
LARGEST_SHARE, LARGEST_MULTIPLE = 1.5, 100  # a share up to the first is said in per cent, multiples up to the second
# Spreadsheets take a cell that begins with one of these for a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
# Names that Windows keeps for devices, with whatever ending.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


def escape_control(text: str) -> str:
    """A text from outside as the terminal may get it: control characters as escapes, so that no name can move the
    cursor, change colors or forge a line.

    >>> print(escape_control("a\\x1b[2Jb"))
    a\\x1b[2Jb
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def format_multiple(share: float) -> str:
    """A `share` of something that can be more than all of it, as a multiple: empty up to 150 %, which are easier to
    read in per cent; without a decimal from 10 on; and `more than 100` beyond, where the whole is close to 0.

    >>> format_multiple(1.4), format_multiple(1.84), format_multiple(27.06), format_multiple(4e6)
    ('', '1.8', '27', 'more than 100')
    """
    if not share > LARGEST_SHARE:
        return ""
    if share > LARGEST_MULTIPLE:
        return f"more than {LARGEST_MULTIPLE}"
    return f"{share:.1f}" if share < 9.95 else f"{share:.0f}"


def format_ranges(numbers: Sequence[int]) -> str:
    """Increasing numbers, with three or more in a row as a range.

    >>> format_ranges([1, 2, 4, 5, 6, 9])
    '1, 2, 4–6, 9'
    """
    starts = [0, *(place for place, (a, b) in enumerate(pairwise(numbers), start=1) if b != a + 1), len(numbers)]
    rows = [numbers[start:stop] for start, stop in pairwise(starts)]
    return ", ".join(f"{row[0]}–{row[-1]}" if len(row) > 2 else ", ".join(map(str, row)) for row in rows if row)


def spreadsheet_text(text: str) -> str:
    """A text from outside as a cell of a CSV table: in one line, and with an apostrophe in front where a spreadsheet
    would take it for a formula. Spaces in front don't hide a formula.

    >>> spreadsheet_text('=HYPERLINK("x")'), spreadsheet_text("husky")
    ('\\'=HYPERLINK("x")', 'husky')
    """
    return ("'" if text.lstrip(" ").startswith(FORMULA_STARTS) else "") + escape_control(text)


def safe_name(text: str) -> str:
    """A text from outside as the name of a file or folder: letters, digits, `.`, `_` and `-`, in at most
    `MAX_NAME_BYTES` bytes of UTF-8. Letters of all scripts are kept; whatever else is there becomes `_`.

    >>> safe_name("a/b: c"), safe_name(".."), safe_name("CON")
    ('a_b_c', 'image', 'CON_')
    """
    try:
        # By its bytes, so that the name of a file is the same in every locale.
        text = os.fsencode(text).decode("utf-8", errors="replace")
    except UnicodeEncodeError:  # no name of a file
        text = text.encode("utf-8", errors="replace").decode("utf-8")
    text = unicodedata.normalize("NFC", text)
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


def _is_kept(char: str) -> bool:
    # Marks belong to the letters before them: Indic vowels, for instance.
    return char.isalnum() or char in "._-" or unicodedata.category(char).startswith("M")
