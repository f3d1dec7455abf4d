"""What commands share: exit codes, the console on standard error, JSON on standard output."""

import json
import sys
from typing import Any

from rich.console import Console

from unveil.cli.texts import as_text

SOME_FAILED, FAILED, INTERRUPTED = 1, 2, 130

console = Console(stderr=True)


def show_error(text: str) -> None:
    """One line in red."""
    console.print(f"[bold red]error[/] {as_text(' '.join(text.split()))}", soft_wrap=True, highlight=False)


def show_warning(text: str) -> None:
    """One line in yellow."""
    console.print(f"[bold yellow]warning[/] {as_text(' '.join(text.split()))}", soft_wrap=True, highlight=False)


def write_json(value: Any) -> None:
    """The result, for machines."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")
