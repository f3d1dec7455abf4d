"""`unveil recipe`: list the named recipes, show one as TOML, check a file."""

from typing import Annotated

import typer

from unveil.cli.completion import complete_recipe
from unveil.cli.console import add_command, console, write_result

recipe_app = typer.Typer(help="List, show and check recipes.", no_args_is_help=True)


def list_recipes() -> None:
    """List the recipes that have a name."""
    from unveil.recipes import NAMED  # noqa: PLC0415 (torch)

    for name, make in NAMED.items():
        write_result(f"{name}\t{' '.join((make.__doc__ or '').split())}")


def show(
    recipe: Annotated[
        str, typer.Argument(help="A name or a TOML file.", autocompletion=complete_recipe)
    ] = "recommended",
) -> None:
    """Print a recipe as TOML: the start of one of your own."""
    from unveil.recipes import get_recipe  # noqa: PLC0415

    write_result(get_recipe(recipe).to_toml().removesuffix("\n"))


def check(recipe: Annotated[str, typer.Argument(help="A TOML file.", autocompletion=complete_recipe)]) -> None:
    """Check a recipe file: exit code 0 and the recipe in one line, or 2 and what is wrong."""
    from unveil.recipes import get_recipe  # noqa: PLC0415

    console.print(repr(get_recipe(recipe)), markup=False, highlight=False)


add_command(recipe_app, list_recipes, "list")
add_command(recipe_app, show)
add_command(recipe_app, check)
