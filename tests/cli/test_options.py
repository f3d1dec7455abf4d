"""The help of commands: first what to type, then options in panels with their defaults."""

import re

import pytest
import typer

from unveil.cli import app
from unveil.cli.options import MACHINE, METHOD, RESULTS, WHAT
from unveil.cli.preparation import PANEL

PANELS = (WHAT, PANEL, METHOD, RESULTS, MACHINE)


def commands(group, path=()):
    """All commands below a group, by the words that call them."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(typer.main.get_command(app)))


def options_of(path):
    """The options of a command, without --help."""
    return [item for item in COMMANDS[path].params if item.param_type_name == "option" and item.name != "help"]


def test_the_first_screen_says_what_to_type(shell, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    _, out, err = shell("--help")
    screen = (out + err).splitlines()
    lines = [line.strip() for line in screen[:12]]
    examples = [
        line.split("unveil ", 1)[1].split() for line in lines if re.search(r"\bunveil (demo|run|models)\b", line)
    ]
    assert [words[0] for words in examples] == ["demo", "models", "run"]
    # Each of them is a call that the parser takes.
    for words in examples:
        context = COMMANDS[(words[0],)].make_context(words[0], words[1:])
        assert context.params


@pytest.mark.parametrize(
    "path", [("run",), ("demo",), ("maximize",), ("patterns",), ("benchmark", "paper"), ("benchmark", "planted")]
)
def test_options_are_in_panels_in_one_order(shell, path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    panels = [option.rich_help_panel for option in options_of(path)]
    _, out, err = shell(*path, "--help")
    shown = [panel for panel in re.findall(r"─ ([A-Z][a-z ]+) ─", out + err) if panel not in ("Arguments", "Options")]
    assert shown == [panel for panel in PANELS if panel in panels]
    assert set(panels) <= set(PANELS)


@pytest.mark.parametrize("path", list(COMMANDS), ids=" ".join)
def test_every_default_is_shown(shell, path):
    """Of each option that may be left out; switches are off."""
    _, out, err = shell(*path, "--help")
    rows = {found[1]: line for line in (out + err).splitlines() if (found := re.match(r"│[ *]+--([a-z-]+)", line))}
    for option in options_of(path):
        name = option.opts[0].removeprefix("--")
        row = rows[name]
        if option.required:
            assert "[required]" in row
        elif option.is_flag and not option.secondary_opts:
            assert option.default is False
        elif name not in ("layer", "channel", "target") or path != ("maximize",):
            assert re.search(r"\[default: [^\]]+\]", row), row
            assert option.help.rstrip(".") in " ".join(row.split()), "nothing of it is taken for markup"
