"""What commands share: exit codes, the console on standard error, results on standard output."""

import functools
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from contextvars import ContextVar
from typing import Any, TextIO

import typer
from rich.console import Console

from unveil.cli.texts import as_text, help_text

SOME_FAILED, FAILED, INTERRUPTED = 1, 2, 130

console = Console(stderr=True)
# Standard output as it is outside the command that runs now.
_standard_output: ContextVar[TextIO | None] = ContextVar("_standard_output", default=None)


def add_command(app: typer.Typer, command: Callable, name: str | None = None) -> None:
    """Add a command whose standard output holds nothing but its results, which it gives to `write_result`.

    Whatever else is printed while it runs goes to standard error: a network or the file that makes it may print, and a
    script must be able to read the results.
    """

    @functools.wraps(command)
    def call(*arguments: Any, **options: Any) -> Any:
        token = _standard_output.set(sys.stdout)
        try:
            with redirect_stdout(sys.stderr):
                return command(*arguments, **options)
        finally:
            _standard_output.reset(token)

    app.command(name, help=help_text(command))(call)


def show_error(text: str) -> None:
    """One line in red."""
    console.print(f"[bold red]error[/] {as_text(' '.join(text.split()))}", soft_wrap=True, highlight=False)


def show_warning(text: str) -> None:
    """One line in yellow."""
    console.print(f"[bold yellow]warning[/] {as_text(' '.join(text.split()))}", soft_wrap=True, highlight=False)


def write_result(text: str) -> None:
    """One or more lines of the result on standard output."""
    typer.echo(text, file=_standard_output.get())


def result_stream() -> Any:
    """Standard output, for results that are written piece by piece."""
    return _standard_output.get() or sys.stdout


def result_console() -> Console:
    """A console that prints results: on standard output, as wide as the terminal."""
    return Console(file=result_stream())


def write_json(value: Any) -> None:
    """The result, for machines."""
    write_result(json.dumps(value, indent=2, allow_nan=False))
