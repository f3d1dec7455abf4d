"""The documents' tables say what the results say, to the digit."""

import pytest
from tables import number, rounds, search, single, suites


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, ".00"), (0.957, ".96"), (1.0, "1"), (0.999, "1.00"), (-0.004, "-.00"), (0.05, ".05")],
)
def test_numbers_have_two_digits(value, text):
    assert number(value) == text


def test_an_interval_stands_behind_its_number():
    assert number(0.5, (0.25, 1.0)) == ".50 [.25, 1]"


def row(method: str, network: str, **more) -> dict:
    said = {
        "recall": 0.9,
        "recall_by_round": [0.5, 0.9],
        "recall_equal_area": 0.6,
        "precision": 0.8,
        "false_region_rate": 0.0,
        "rim_rate": None,
        "cues": 12,
        "seconds": 0.126,
        "intervals": {"recall": [0.8, 1.0], "precision": [0.7, 0.9]},
        "by_suite": {
            "usual": {"recall": 1.0, "precision": 0.75, "false_region_rate": None, "cues": 3},
            "absent": {"recall": None, "precision": None, "false_region_rate": 0.25, "cues": 0},
        },
    }
    return {"method": method, "network": network, "head": "max", **said, **more}


REFUSED = {"method": "LRP", "network": "vit", "head": "max", "refused": "no rule"}
RESULT = {
    "rows": [
        row("recommended", "net"),
        row("LRP", "net", threshold=0.3, recall=0.4, ahead=0.31),
        row("recommended", "vit"),
        REFUSED,
    ]
}


def lines(text: str) -> list[str]:
    return [line.strip("| ") for line in text.splitlines()]


def test_rounds_have_a_column_each_and_the_last_its_interval():
    head, rule, first, second = lines(rounds(RESULT, "recommended"))
    assert head == "network | cues | after 1 | after 2 | its first map | precision | false | rims | s"
    assert first == "`net-max` | 12 | .50 | .90 [.80, 1] | .60 | .80 [.70, .90] | .00 | – | 0.13"
    assert second.startswith("`vit-max`")
    assert rule.count("|") == head.count("|")


def test_single_maps_are_held_against_ours_network_by_network():
    """And where a map was refused there is a dash."""
    result = {"rows": [*RESULT["rows"], row("RISE", "vit", threshold=0.5, ahead=-0.02)]}
    head, _, lrp, rise = lines(single(result, ""))
    assert head == "map | `net-max` | `vit-max`"
    assert lrp == "LRP | .60 (.40) **+.31** | –"
    assert rise == "RISE | – | .60 (.90) **-.02**"


def test_suites_without_cues_have_false_regions():
    head, _, usual, absent = lines(suites(RESULT, "recommended"))
    assert head == "suite | `net-max` | `vit-max`"
    assert usual == "`usual` | 1 / .75 | 1 / .75"
    assert absent == "`absent` | .25 false | .25 false"


def test_variants_of_the_search():
    names = (
        *("recall_max", "recall_average", "precision_max", "precision_average", "recall_worst"),
        *("false_region_rate", "rim_rate", "iou"),
    )
    values = {name: 0.1 * (number + 1) for number, name in enumerate(names)}
    variant = {"variant": "most 3", **values, "area_per_cue_px": 401.7}
    expected = "most 3 | .10 | .20 | .30 | .40 | .50 | .60 | .70 | .80 | 402"
    assert lines(search({"variants": [variant]}, ""))[-1] == expected
