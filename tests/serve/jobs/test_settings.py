"""The recipe of a request, compared with recipes that are made in Python."""

from dataclasses import replace

import pytest

from unveil.attribution import Zennit
from unveil.errors import RecipeError, TargetError
from unveil.fills import Blur, SoftEdge
from unveil.recipes import LabelCheck, TrustSettings, demo, paper, recommended
from unveil.serve.jobs import JobRequest, apply_settings, recipe_of
from unveil.stopping import AnyOf, MaxRounds
from unveil.targets import Class, Top


def request(**changes) -> JobRequest:
    return JobRequest("0" * 32, "demo", **changes)


def test_without_settings_it_is_the_named_recipe():
    for recipe in (demo(), paper(), recommended()):
        assert apply_settings(recipe, {}) == recipe
        assert recipe_of(request(recipe=recipe.name)) == recipe


def test_single_settings_and_items_of_lists():
    changed = apply_settings(
        demo(), {"stop.stops.0.rounds": 3, "fill.fill.sigma_px": 9.5, "label_check.margins_px.1": 5}
    )
    check = demo().label_check
    expected = replace(
        demo(),
        stop=AnyOf((MaxRounds(3), *demo().stop.stops[1:])),
        fill=SoftEdge(Blur(sigma_px=9.5), width_px=4),
        label_check=replace(check, margins_px=(check.margins_px[0], 5, check.margins_px[2])),
    )
    assert changed == expected


def test_another_kind_begins_with_its_defaults_and_outer_kinds_come_first():
    # Given in an order that would fail if it were kept.
    changes = {"fill.fill.sigma_px": 2.0, "fill.fill.kind": "Blur", "fill.kind": "SoftEdge", "fill.width_px": 3}
    assert apply_settings(paper(), changes).fill == SoftEdge(Blur(sigma_px=2.0), width_px=3)
    assert apply_settings(demo(), {"fill.kind": "Blur"}).fill == Blur()
    assert apply_settings(
        demo(), {"attribution.kind": "Zennit", "attribution.composite": "EpsilonPlus"}
    ).attribution == Zennit("EpsilonPlus")


def test_whole_tables_are_taken_before_what_is_in_them_and_stay_as_they_were():
    table = {"kind": "SoftEdge", "fill": {"kind": "Blur", "sigma_px": 5.0}, "width_px": 2}
    changes = {"fill.fill.sigma_px": 7.0, "fill": table}
    assert apply_settings(demo(), changes).fill == SoftEdge(Blur(sigma_px=7.0), width_px=2)
    assert table["fill"] == {"kind": "Blur", "sigma_px": 5.0}


def test_an_equal_kind_changes_nothing():
    assert apply_settings(demo(), {"fill.kind": "SoftEdge"}) == demo()


def test_parts_are_switched_off_and_on():
    off = apply_settings(demo(), {"trust": False, "label_check": False})
    assert off == replace(demo(), trust=None, label_check=None)
    assert apply_settings(off, {"trust": True, "label_check": True}) == replace(
        demo(), trust=TrustSettings(), label_check=LabelCheck()
    )
    on = apply_settings(off, {"trust": True, "trust.placements": 19})
    assert on.trust == TrustSettings(placements=19)


@pytest.mark.parametrize(
    "settings",
    [
        {"nothing": 1},
        {"stop.stops.9.rounds": 3},
        {"stop.stops.-1.rounds": 3},
        {"stop.stops.0.rounds.deeper": 3},
        {"stop.stops.0.rounds": "3"},
        {"stop.stops.0.rounds": 10_000},
        {"stop": {"kind": "TargetLost"}},
        {"name.kind": "Blur"},
        {"fill.kind": ["Blur"]},
        {"fill.kind": "NoSuch"},
        {"": 1},
        {"attribution": {"kind": "PatternNet", "patterns": "/etc/passwd"}},
        {"attribution": {"kind": "SmoothGrad", "base": {"kind": "PatternAttribution", "patterns": "x"}}},
        {"attribution": {"kind": "CustomAttribution", "name": "x"}},
        {"min_drop_share": float("nan")},
        {"min_drop_share": object()},
        {"a." * 40: 1},
        {f"key{number}": 1 for number in range(501)},
        {"name": "x" * 70_000},
    ],
)
def test_what_a_recipe_does_not_have_is_refused_in_one_line(settings):
    with pytest.raises(RecipeError) as caught:
        apply_settings(demo(), settings)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_target_and_trust_of_a_request():
    assert recipe_of(request(recipe="demo", target="top:2", trust=False)) == replace(demo(), target=Top(2), trust=None)
    assert recipe_of(request(recipe="demo", target="class:ring")).target == Class("ring")
    assert recipe_of(request(recipe="demo", settings={"target": {"kind": "Top", "count": 2}})).target == Top(2)


def test_nothing_in_a_request_overrides_another_part_of_it():
    with pytest.raises(RecipeError, match="both"):
        recipe_of(request(target="top:2", settings={"target.threshold": 0.3}))
    with pytest.raises(RecipeError, match="trust"):
        recipe_of(request(trust=False, settings={"trust.placements": 19}))
    with pytest.raises(TargetError):
        recipe_of(request(target="top:many"))


@pytest.mark.parametrize("name", ["", "nothing", "demo.toml", "../recipe.toml", "/etc/passwd"])
def test_a_recipe_is_a_name_and_never_a_path(name, tmp_path, monkeypatch):
    (tmp_path / "demo.toml").write_text(demo().to_toml())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match="choose one of these"):
        recipe_of(request(recipe=name))
