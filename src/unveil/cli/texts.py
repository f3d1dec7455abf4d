"""Texts from outside (labels, file names, errors of other code) as a terminal may get them."""

from rich.markup import escape


def escape_control(text: str) -> str:
    """A text from outside as the terminal may get it: control characters as escapes, so that no name can move the
    cursor, change colors or forge a line.

    >>> print(escape_control("a\\x1b[2Jb"))
    a\\x1b[2Jb
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def as_text(text: str) -> str:
    """A text from outside for Rich: printable, and without markup."""
    return escape(escape_control(text))
