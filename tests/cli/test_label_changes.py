"""The answer to a what-if on a terminal: safe, in any width, and honest about what was recorded."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from drawings import WHAT_IF
from unveil.cli.label_changes import describe_difference, print_what_if
from unveil.targets import TargetScore
from unveil.what_if import LabelChange


def printed(what_if=WHAT_IF, name: str = "a.png", width: int = 120) -> str:
    file = io.StringIO()
    print_what_if(what_if, name, Console(file=file, width=width, force_terminal=False))
    return file.getvalue()


def test_texts_from_outside_cannot_move_the_cursor_or_color_anything():
    """Terminal commands and Rich's markup in the name of the image, in labels and in the target."""
    labels = (LabelChange(0, "[red]wolf[/] \x1b[2J", 0.9, 0.1, 2.0, -1.0),)
    target = TargetScore("[bold]wolf \x1b[2J", ((0, 1.0),))
    text = printed(replace(WHAT_IF, labels=labels, target_score=target), "x\x1b]0;title\x07[link=y].png")
    assert "\x1b" not in text and "\x07" not in text
    assert (
        r"x\x1b]0;title\x07[link=y].png: Hiding it lowers the score of [bold]wolf \x1b[2J by 2.10 (90.0% → 10.0%)"
        in text
    )
    assert r"[red]wolf[/] \x1b[2J" in text


@pytest.mark.parametrize("width", [40, 80, 160])
def test_every_line_fits_the_terminal(width):
    assert max(map(len, printed(width=width).splitlines())) <= width


def test_labels_that_do_not_change_have_no_line_but_those_of_the_target():
    still = LabelChange(3, "target", 0.5, 0.5, 0.0, 0.0), LabelChange(4, "other", 0.2, 0.2004, 0.0, 0.0)
    moved = tuple(LabelChange(10 + number, f"label {number}", 0.5, 0.4, 0.0, 0.0) for number in range(12))
    lines = printed(replace(WHAT_IF, labels=(*moved, *still))).splitlines()
    assert [line for line in lines if line.startswith(("target", "other"))] == []
    assert sum(line.startswith("label ") and "50.0%" in line for line in lines) == 10
    few = printed(replace(WHAT_IF, labels=(moved[0], *still)))
    assert "\ntarget " in few and "\nother " not in few


def test_the_bar_shows_what_was_kept_and_what_was_lost():
    label = LabelChange(3, "mass", 0.75, 0.25, 0.0, 0.0)
    (line,) = (line for line in printed(replace(WHAT_IF, labels=(label,))).splitlines() if line.startswith("mass "))
    assert (line.count("━"), line.count("╌")) == (6, 12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "the same as recorded"),
        ({"score_after": WHAT_IF.score_after + 1e-5}, "the same as recorded"),
        ({"score_after": WHAT_IF.score_after + 0.01}, "differs from what was recorded[/]: drop +2.10, p = 0.050"),
        ({"p_value": 0.075, "exceeding": 2}, "differs from what was recorded[/]: drop +2.10, p = 0.050"),
        ({"p_value": None, "placements": None, "exceeding": 0}, "the same as recorded"),
        ({"image_sha256": "0" * 64}, "not the recorded question[/]: the image differs"),
        ({"seed": 8, "rounds": 1}, "not the recorded question[/]: the seed, the number of rounds differ"),
        ({"recipe": {"fill": {"kind": "Blur"}}}, "not the recorded question[/]: the fill differs"),
    ],
)
def test_differences_from_what_was_recorded_are_named(change, words):
    assert words in describe_difference(WHAT_IF, replace(WHAT_IF, **change))
