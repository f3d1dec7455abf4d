"""`unveil recipe`: list the named recipes, show one as TOML, check a file."""

from typing import Annotated

import typer

from unveil.cli.completion import complete_recipe
from unveil.cli.console import console

recipe_app = typer.Typer(help="List, show and check recipes.", no_args_is_help=True)


@recipe_app.command("list")
def list_recipes() -> None:
    """List the recipes that have a name."""
    from unveil.recipes import NAMED  # noqa: PLC0415 (torch)

    for name, make in NAMED.items():
        typer.echo(f"{name}\t{' '.join((make.__doc__ or '').split())}")


@recipe_app.command()
def show(
    recipe: Annotated[
        str, typer.Argument(help="A name or a TOML file.", autocompletion=complete_recipe)
    ] = "recommended",
) -> None:
    """Print a recipe as TOML: the start of one of your own."""
    from unveil.recipes import get_recipe  # noqa: PLC0415

    typer.echo(get_recipe(recipe).to_toml(), nl=False)


@recipe_app.command()
def check(recipe: Annotated[str, typer.Argument(help="A TOML file.", autocompletion=complete_recipe)]) -> None:
    """Check a recipe file: exit code 0 and the recipe in one line, or 2 and what is wrong."""
    from unveil.recipes import get_recipe  # noqa: PLC0415

    console.print(repr(get_recipe(recipe)), markup=False, highlight=False)
