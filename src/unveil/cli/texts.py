"""Texts from outside (labels, file names, errors of other code) as a terminal may get them."""

import inspect
from collections.abc import Callable

from rich.markup import escape

from unveil.texts import escape_control


def as_text(text: str) -> str:
    """A text from outside for Rich: printable, and without markup."""
    return escape(escape_control(text))


def help_text(command: Callable) -> str:
    """The docstring of a command for its help: each paragraph in one line, so that any width wraps it well."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(escape(" ".join(paragraph.split())) for paragraph in paragraphs)
