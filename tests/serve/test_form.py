"""The form of a recipe: every field can be applied, and says what the recipe's classes say."""

import pytest

from unveil.recipes import NAMED
from unveil.serve.form import recipe_form
from unveil.serve.jobs import apply_settings
from unveil.serve.refusals import RequestError


@pytest.mark.parametrize("name", NAMED)
def test_values_of_the_form_are_those_of_the_recipe(name):
    """Applying them all changes nothing; applying each condition and then its value is accepted."""
    fields = recipe_form(name)["fields"]
    own = {field["key"]: field["value"] for field in fields if _is_own(field, fields)}
    switches = {key: value for key, value in own.items() if not (key in ("trust", "label_check") and value is True)}
    assert apply_settings(NAMED[name](), switches) == NAMED[name]()
    assert len({(field["key"], str(field.get("when"))) for field in fields}) == len(fields)


def _is_own(field: dict, fields: list[dict]) -> bool:
    """Whether the recipe itself has the field: each of its conditions is the value of one that the recipe has."""
    values = {one["key"]: one for one in fields if "when" not in one or one is not field}
    return all(
        values[condition["key"]]["value"] == condition["value"] and _is_own(values[condition["key"]], fields)
        for condition in field.get("when", ())
    )


def test_fields_of_other_kinds_can_be_applied():
    for field in recipe_form("recommended")["fields"]:
        conditions = {one["key"]: one["value"] for one in field.get("when", ()) if one["value"] is not True}
        if field["value"] is None or field["key"] in ("trust", "label_check"):
            continue
        if any(name in str(conditions) for name in ("Captum", "Cam", "Quantile", "Zennit")):
            continue  # they need a value that has no default, or a library
        recipe = apply_settings(NAMED["recommended"](), {**conditions, field["key"]: field["value"]})
        tables = recipe.as_dict()
        for part in field["key"].split("."):
            tables = tables[int(part)] if isinstance(tables, list) else tables[part]
        assert tables == field["value"], field["key"]


def test_bounds_are_those_at_which_the_recipe_refuses():
    checked = 0
    for field in recipe_form("recommended")["fields"]:
        for bound, beyond in (("minimum", -1), ("maximum", 1)):
            if bound not in field or field.get("when") or field["type"] != "integer":
                continue
            apply_settings(NAMED["recommended"](), {field["key"]: field[bound]})
            with pytest.raises(Exception, match="expected"):
                apply_settings(NAMED["recommended"](), {field["key"]: field[bound] + beyond})
            checked += 1
    assert checked >= 8


def test_some_fields_as_a_person_sees_them():
    fields = {field["key"]: field for field in recipe_form("recommended")["fields"]}
    rounds = fields["stop.stops.0.rounds"]
    assert rounds == {
        "key": "stop.stops.0.rounds",
        "title": "Max rounds: rounds",
        "help": "The number of rounds, 1 to 1000; the paper has 5.",
        "type": "integer",
        "value": 10,
        "minimum": 1,
        "maximum": 1000,
    }
    width = fields["fill.width_px"]
    assert (width["unit"], width["title"]) == ("px", "Width")
    assert fields["fill.kind"]["choices"][0] == "Mean"
    assert fields["joint"]["type"] == "boolean"
    assert "target.kind" not in fields
    assert "CustomAttribution" not in fields["attribution.kind"]["choices"]
    assert "PatternNet" not in fields["attribution.kind"]["choices"]
    assert all(field["help"] for field in fields.values())


def test_names_that_are_no_recipe():
    for name in ("", "Recommended", "../x.toml", "recommended.toml"):
        with pytest.raises(RequestError, match="recommended, paper"):
            recipe_form(name)
