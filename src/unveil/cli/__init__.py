"""The command line, one module per command: parses arguments and prints.

Results go to standard output, everything else to standard error.
"""

import sys
import warnings
from typing import Any

import typer

from unveil import __version__
from unveil.cli.agreement import agreement
from unveil.cli.batch import batch
from unveil.cli.benchmark import benchmark_app
from unveil.cli.console import FAILED, INTERRUPTED, add_command, show_error, show_warning
from unveil.cli.demo import demo
from unveil.cli.evaluate import evaluate
from unveil.cli.export import export_app
from unveil.cli.maximize import maximize
from unveil.cli.models import models
from unveil.cli.patterns import patterns
from unveil.cli.recipe import recipe_app
from unveil.cli.report import report
from unveil.cli.run import run
from unveil.cli.serve import serve
from unveil.cli.show import show
from unveil.cli.summarize import summarize
from unveil.cli.table import table
from unveil.cli.train import train
from unveil.cli.what_if import what_if
from unveil.errors import UnveilError, UnveilWarning

HELP = """Find every region of an image that a classifier relies on, round after round.

\b[bold]Start with one of these:[/]
  try it       unveil demo
  list models  unveil models resnet
  your image   unveil run dog.jpg -m torchvision/resnet50"""
app = typer.Typer(
    name="unveil",
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    run,
    batch,
    what_if,
    show,
    table,
    summarize,
    report,
    serve,
    demo,
    models,
    patterns,
    maximize,
    evaluate,
    agreement,
    train,
):
    add_command(app, command)
app.add_typer(export_app, name="export")
app.add_typer(recipe_app, name="recipe")
app.add_typer(benchmark_app, name="benchmark")


def _version(wanted: bool) -> bool:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit
    return wanted


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def main() -> None:
    """Run a command; errors of use become one line on standard error and exit code 2, Ctrl-C becomes 130."""
    show_others = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
        if issubclass(category, UnveilWarning):
            show_warning(str(message))
        else:
            show_others(message, category, *place, **options)

    warnings.showwarning = show
    try:
        app(prog_name="unveil", standalone_mode=True)
    except UnveilError as error:
        show_error(str(error))
        sys.exit(FAILED)
    except KeyboardInterrupt:
        show_error("stopped")
        sys.exit(INTERRUPTED)
