"""The table of labels below the regions, its plain values, and regions that show another label than their target."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from labeled_runs import CAT, DOG, FOX, first_shown, labeled_run, only_cat, three_labels
from tiny_runs import run
from unveil import load_run
from unveil.cli.labels import label_table, labels_as_json
from unveil.cli.results import region_table, run_as_json
from unveil.records import Run
from unveil.texts import format_ranges

ROWS = {  # by hand from `three_labels`: verdict, round, regions and gain
    CAT: ["supported", "1", "1,", "2", "+75%"],
    DOG: ["artifact", "2", "3,", "4", "+2%"],
    FOX: ["supported", "2", "3", "+62%"],
}
REASONS = {
    CAT: "2 regions shown alone raise its probability by 75%",
    DOG: f"called {FOX} where its regions are shown alone (by 2% at most)",
    FOX: "one region shown alone raises its probability by 62%",
}


def printed(table, width: int, **settings) -> list[str]:
    console = Console(width=width, file=io.StringIO(), **settings)
    console.print(table)
    return console.file.getvalue().splitlines()


def of_labels(shown: Run, width: int) -> list[str]:
    return printed(label_table(shown, width), width)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_one_row_per_label_with_its_verdict(width):
    lines = of_labels(three_labels(), width)
    assert max(map(len, lines)) <= width
    assert lines[0].split()[:5] == ["label", "verdict", "round", "regions", "gain"]
    for line, (name, cells) in zip(lines[1:4], ROWS.items(), strict=True):
        assert line.startswith(name)
        assert line.removeprefix(name).split()[: len(cells)] == cells


@pytest.mark.parametrize("width", [60, 80])
def test_in_a_narrow_terminal_reasons_stand_below_the_table(width):
    lines = of_labels(three_labels(), width)
    below = " ".join(" ".join(lines[lines.index("") :]).split())
    assert below == " ".join(f"{name} {reason}" for name, reason in REASONS.items())


def test_in_a_wide_terminal_each_reason_ends_its_row():
    lines = of_labels(three_labels(), 120)
    assert len(lines) == 4
    for line, reason in zip(lines[1:], REASONS.values(), strict=True):
        assert line.rstrip().endswith(f"%  {reason}")


def test_a_single_supported_label_is_one_line():
    lines = of_labels(only_cat(), 80)
    assert [line.rstrip() for line in lines] == [
        "cat is supported: one region shown alone raises its probability by 75%"
    ]


def test_a_single_label_that_is_not_supported_is_a_table():
    """Predicted for the whole image, and its only region shows nothing: weak."""
    lines = of_labels(labeled_run((0, [()])), 80)
    assert lines[0].split() == ["label", "verdict", "round", "regions", "gain"]
    assert lines[1].split() == ["cat", "weak", "1", "1", "+2%"]


def test_verdicts_have_the_colors_of_trust_cards():
    console = Console(width=120, file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print(label_table(three_labels(), 120))
    text = console.file.getvalue()
    assert text.count("\x1b[32msupported") == 2
    assert text.count("\x1b[31martifact") == 1
    assert "33m" in "".join(printed(label_table(labeled_run((0, [()])), 80), 80, force_terminal=True))


def test_runs_without_a_label_check_have_no_table():
    assert all(region.shown is None for region in run().regions)
    assert label_table(run(), 80) is None
    assert labels_as_json(run()) == []


def test_a_label_cannot_write_to_the_terminal():
    shown = three_labels()
    last = shown.rounds[1]
    regions = list(last.regions)
    regions[0] = replace(regions[0], shown=(replace(first_shown(regions[0]), name="\x1b[2Jx[red]y"),))
    hostile = replace(shown, rounds=(shown.rounds[0], replace(last, regions=tuple(regions))))
    for table in (label_table(hostile, 200), region_table(hostile, 200), label_table(hostile, 70)):
        text = "\n".join(printed(table, 200))
        assert "\x1b" not in text
        assert "\\x1b[2Jx[red]y" in text


def test_regions_are_numbered_and_name_what_they_show_in_place_of_their_target():
    lines = [line.split() for line in printed(region_table(three_labels(), 120), 120)]
    numbered = [line for line in lines if line[0].isdigit()]
    assert [line[:2] for line in numbered] == [["1", "1"], ["2", "1"], ["3", "2"], ["4", "2"]]
    assert numbered[2][2:6] == ["dog", "→", "red", "[fox]"]
    assert [numbered[row][2] for row in (0, 1, 3)] == ["cat", "cat", "dog"]
    assert all(numbered[row][3] != "→" for row in (0, 1, 3))


def test_json_has_the_label_cards_and_what_regions_show():
    told = json.loads(json.dumps(run_as_json(three_labels())))
    names = ["class_index", "name", "verdict", "round", "regions", "gain"]
    assert [[label[name] for name in names] for label in told["labels"]] == [
        [0, CAT, "supported", 1, [0, 1], 0.75],
        [1, DOG, "artifact", 2, [2, 3], 0.02],
        [2, FOX, "supported", 2, [2], 0.625],
    ]
    assert [label["reason"] for label in told["labels"]] == list(REASONS.values())
    regions = [region for one in told["rounds"] for region in one["regions"]]
    assert [region["box_gain"] for region in regions] == [0.75, 0.5, 0.02, 0.02]
    assert regions[2]["shown"] == [{"class_index": 2, "name": FOX, "gain": 0.625}]
    assert regions[3]["shown"] == []
    assert run_as_json(run())["rounds"][0]["regions"][0]["shown"] is None


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([3], "3"), ([1, 2], "1, 2"), ([1, 2, 3], "1–3"), ([1, 3, 4, 5, 7, 8], "1, 3–5, 7, 8")],
)
def test_three_or_more_numbers_in_a_row_are_a_range(numbers, text):
    assert format_ranges(numbers) == text


@pytest.mark.parametrize("words", [(), ("--no-trust",)])
def test_unveil_run_prints_the_labels_with_and_without_trust_cards(shell, words):
    path = shell.photograph("a.png")
    recipe = shell.folder / "quick.toml"
    recipe.write_text(recipe.read_text() + "[label_check]\nmargins_px = 2\nthreshold = 0.01\n")
    code, out, err = shell("run", path, *shell.common, *words, "--json")
    assert code == 0
    made = load_run(shell.folder / "out" / "a")
    assert made.labels
    told = json.loads(out)["runs"][0]["labels"]
    assert [(label["name"], label["verdict"], label["regions"]) for label in told] == [
        (card.name, str(card.verdict), list(card.regions)) for card in made.labels
    ]
    plain = " ".join(err.split())
    for card in made.labels:
        assert card.reason in plain
    # A word of one column of the trust table, whose header may be broken between words.
    assert ("Shapley" in plain) == (not words)
