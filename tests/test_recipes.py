"""Recipes as values and as TOML: nothing is lost on the way, and every error names its place."""

import dataclasses
import math
import tomllib
import typing

import numpy as np
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from unveil.attribution import (
    Attribution,
    Captum,
    Deconvnet,
    Gradient,
    GuidedBackprop,
    Occlusion,
    Rise,
    SmoothGrad,
    UntilStable,
)
from unveil.errors import RecipeError, TargetError, UnveilError
from unveil.fills import Blur, Constant, Fill, Inpaint, Mean, Noise, SoftEdge
from unveil.recipes import NAMED, RECIPE_CODEC, Recipe, get_recipe, paper, recommended
from unveil.regions import Otsu, Quantile, RelativeToMax, Selector, SmoothedThreshold, Threshold
from unveil.saliency import L2, Magnitude, MaxAbs, PositiveSum, ShrunkL2, UnbiasedL2
from unveil.stopping import CoverageAbove, MaxRounds, ScoreBelow, Stop, TargetLost
from unveil.targets import Class, Margin, Predicted, Target, Top, parse_target

SHARES = st.floats(0.01, 0.99)
METHODS = st.sampled_from([Gradient(), Deconvnet(), GuidedBackprop()])
LABELS = st.text(min_size=1, max_size=9) | st.integers(0, 999)
HARD = st.one_of(
    st.just(Mean()),
    st.builds(Constant, SHARES),
    st.builds(Constant, st.tuples(SHARES, SHARES, SHARES)),
    st.builds(Blur, SHARES),
    st.builds(Noise, SHARES),
    st.builds(Inpaint, st.integers(1, 9)),
)
RECIPES = st.builds(
    Recipe,
    name=st.text(max_size=9),
    target=st.one_of(
        st.builds(Class, LABELS),
        st.builds(Top, st.integers(1, 14)),
        st.builds(Predicted, SHARES),
        st.tuples(LABELS, LABELS).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: Margin(*pair)),
    ),
    attribution=METHODS
    | st.builds(SmoothGrad, METHODS, st.integers(2, 99), SHARES)
    | st.builds(SmoothGrad, METHODS, st.integers(2, 49).map(lambda half: 2 * half), SHARES, st.just(True))
    | st.builds(SmoothGrad, METHODS, st.builds(UntilStable, SHARES, st.integers(8, 20), st.integers(20, 99)))
    | st.builds(Rise, st.integers(2, 99))
    | st.builds(Occlusion, st.integers(8, 20), st.integers(1, 8))
    | st.builds(Captum, st.sampled_from(["Saliency", "DeepLift"]), st.text(max_size=5)),
    magnitude=st.sampled_from([L2(), MaxAbs(), PositiveSum(), UnbiasedL2(3), ShrunkL2(5)]),
    selector=st.builds(
        SmoothedThreshold,
        st.sampled_from([3, 11]),
        st.integers(1, 5),
        st.one_of(st.builds(RelativeToMax, SHARES), st.builds(Quantile, SHARES), st.just(Otsu())),
        st.integers(0, 9),
        st.booleans(),
        SHARES,
        st.integers(1, 9),
        SHARES,
    ),
    fill=HARD | st.builds(SoftEdge, HARD, st.integers(1, 9)),
    stop=st.builds(MaxRounds, st.integers(1, 9))
    | st.builds(lambda p: MaxRounds(4) | TargetLost(p) | ScoreBelow(p) | CoverageAbove(p), SHARES),
    joint=st.booleans(),
)


@given(RECIPES)
def test_every_recipe_survives_toml(recipe):
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert Recipe.from_dict(recipe.as_dict()) == recipe


@pytest.mark.parametrize("name", list(NAMED))
def test_named_recipes(name):
    recipe = get_recipe(name)
    assert recipe.name == name
    assert recipe == NAMED[name]() == Recipe.from_toml(recipe.to_toml())


def test_the_paper_settings_are_the_paper_s():
    """Bordes et al. 2018: SmoothGrad of guided backprop, an 11 x 11 filter of ones three times, five rounds."""
    recipe = paper()
    assert recipe.attribution == SmoothGrad(GuidedBackprop(), 50, 0.15)
    assert isinstance(recipe.selector, SmoothedThreshold)
    assert (recipe.selector.size_px, recipe.selector.passes, recipe.selector.band_px, recipe.selector.split) == (
        11,
        3,
        0,
        False,
    )
    assert (recipe.stop, recipe.fill, recipe.joint) == (MaxRounds(5), Mean(), True)


def test_a_file(tmp_path):
    mine = dataclasses.replace(recommended(), name="mine ö")
    (tmp_path / "mine.toml").write_text(mine.to_toml(), encoding="utf-8")
    assert get_recipe(tmp_path / "mine.toml") == mine
    assert get_recipe(str(tmp_path / "mine.toml")) == mine
    assert get_recipe(mine) is mine


def test_auto_in_a_file_means_until_stable():
    recipe = Recipe.from_toml('[attribution]\nkind = "SmoothGrad"\nsamples = "auto"\nantithetic = true\n')
    assert recipe.attribution == SmoothGrad(samples=UntilStable(), antithetic=True)
    assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_missing_settings_have_their_defaults():
    assert Recipe.from_toml('name = "short"\n[selector]\nkind = "SmoothedThreshold"\nsize_px = 5\n') == Recipe(
        "short", selector=SmoothedThreshold(size_px=5)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "expected a recipe in TOML"),
        ("nam = 'a'", r"in \[recipe\] one of .*; got 'nam'; did you mean 'name'\?"),
        ("[fill]\nkind = 'Blurr'", r"\[recipe.fill\] of kind .*; got 'Blurr'; did you mean 'Blur'\?"),
        ("[fill]\nkind = 'Otsu'", r"\[recipe.fill\] of kind Mean, Constant"),
        ("[fill]\nsigma_px = 3", r"\[recipe.fill\] to say its kind; got none; choose Mean or"),
        ("fill = 'Mean'", r"\[recipe.fill\] to be a table; got 'Mean'"),
        ("[selector]\nsize_px = 11.0", r"recipe.selector.size_px to be int; got 11.0"),
        ("[selector]\nsize_px = true", r"recipe.selector.size_px to be int; got True"),
        ("[selector]\nsize_px = 4", "an odd box size"),
        ("[selector.threshold]\nkind = 'RelativeToMax'\nshare = 2", "share between 0 and 1; got 2.0"),
        ("joint = 1", "recipe.joint to be bool; got 1"),
        (
            "[attribution]\nkind = 'SmoothGrad'\nsamples = '50'",
            "recipe.attribution.samples to be int or UntilStable or .auto.; got .50.",
        ),
        ("[attribution.method]\nkind = 'SmoothGrad'", "recipe.attribution"),
        ("[stop]\nkind = 'TargetLost'", r"a stop that always ends; .*combine it with a limit"),
        ("[target]\nkind = 'Class'\nlabel = 1.5", "recipe.target.label to be str or int; got 1.5"),
        ("[stop]\nkind = 'AnyOf'\nstops = 3", "recipe.stop.stops to be a list"),
        ("[fill]\nkind = 'os.system'", "of kind Mean"),
    ],
)
def test_errors_in_a_file_name_their_place(text, message):
    with pytest.raises(RecipeError, match=message) as error:
        Recipe.from_toml(text)
    assert "\n" not in str(error.value)


def test_unknown_names_and_files_are_refused(tmp_path):
    with pytest.raises(
        RecipeError,
        match=r"a recipe recommended, paper, demo, lrp, black-box, or a .toml file; got 'papper'; did you mean paper\?",
    ):
        get_recipe("papper")
    with pytest.raises(RecipeError, match="check the path"):
        get_recipe(tmp_path / "no.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="a recipe file"):
        get_recipe(tmp_path / "binary.toml")


def is_numeric(kind: object) -> bool:
    """True for a field that may hold a number, or several."""
    return kind in (int, float) or any(is_numeric(part) for part in typing.get_args(kind))


# Names of classes, not amounts: the classifier's labels bound them.
IDENTIFIERS = {("Class", "label"), ("Margin", "a"), ("Margin", "b")}
NUMBERS = [
    (kind, item.name)
    for kind in (Recipe, *RECIPE_CODEC.kinds.values())
    for item in dataclasses.fields(kind)
    if is_numeric(typing.get_type_hints(kind)[item.name]) and (kind.__name__, item.name) not in IDENTIFIERS
]


@pytest.mark.parametrize("value", [10**10, 10**12, -1 - 10**7, 1e10, math.inf, -math.inf, math.nan], ids=str)
@pytest.mark.parametrize(("kind", "name"), NUMBERS, ids=lambda part: getattr(part, "__name__", part))
def test_every_number_of_a_recipe_has_bounds(kind, name, value):
    hint = typing.get_type_hints(kind)[name]
    if isinstance(value, float) and hint is not float and float not in typing.get_args(hint):
        value = 10**100  # a whole number's type is checked before its size
    with pytest.raises(UnveilError) as error:
        kind(**{name: value})
    assert "\n" not in str(error.value)


# Where 0 has a meaning, or is a class or a color; every other number begins above it.
ZEROS = {
    ("Recipe", "min_drop_share"), ("TrustSettings", "max_players"), ("TrustSettings", "samples"), ("Zennit", "gamma"),
    ("SmoothedThreshold", "band_px"), ("SmoothedThreshold", "min_area_share"), ("SmoothedThreshold", "floor"),
    ("Constant", "value"), ("LabelCheck", "margins_px"), ("CoverageAbove", "coverage"), ("NotPredicted", "probability"),
    ("NothingShown", "probability"),
    ("Class", "label"), ("Margin", "a"), ("Margin", "b"),
}  # fmt: skip
ALL_NUMBERS = [*NUMBERS, (Class, "label"), (Margin, "a"), (Margin, "b")]
OTHERS = {Margin: {"a": "cat", "b": "dog"}, Class: {}}


def make(kind, name, value):
    """An instance whose field is never seen by the type checker of the tests, only by the class itself."""
    made = object.__new__(kind)
    fields = {**OTHERS.get(kind, {}), name: value}
    for item in dataclasses.fields(kind):
        missing = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        default = None if missing else item.default
        if not missing and item.default is dataclasses.MISSING:
            default = item.default_factory()
        object.__setattr__(made, item.name, fields.get(item.name, default))
    made.__post_init__()
    return made


@pytest.mark.parametrize(("kind", "name"), ALL_NUMBERS, ids=lambda part: getattr(part, "__name__", part))
def test_every_number_is_checked_when_it_is_made(kind, name):
    for value in (-1, -1e-9, True, "many", [0.5], object(), 0.5 + 0j, np.float32("nan"), np.bool_(True)):
        if (kind, name) in ALL_NUMBERS[-3:] and isinstance(value, str):
            continue  # the label of a class
        with pytest.raises(UnveilError) as error:
            make(kind, name, value)
        assert "\n" not in str(error.value)
    if (kind.__name__, name) in ZEROS:
        assert getattr(make(kind, name, 0), name) == 0
    else:
        with pytest.raises(UnveilError):
            make(kind, name, 0)


@pytest.mark.parametrize(("kind", "name"), ALL_NUMBERS, ids=lambda part: getattr(part, "__name__", part))
def test_a_number_of_numpy_is_as_good_as_a_plain_one(kind, name):
    """The same value, and it can be written; a whole number is never made of a fraction."""
    hint = typing.get_type_hints(kind)[name]
    whole = float not in (hint, *typing.get_args(hint))
    plain = next(value for value in ((9, 8, 3) if whole else (0.25,)) if not fails(kind, name, value))
    for value in (np.int64(plain), np.uint16(plain)) if whole else (np.float64(plain), np.float32(plain)):
        made = make(kind, name, value)
        assert getattr(made, name) == plain
        assert type(getattr(made, name)) is type(plain)
        assert tomllib.loads(tomli_w.dumps(RECIPE_CODEC.encode(made)))[name] == plain
    if whole:
        for value in (plain + 0.5, float(plain)):
            assert fails(kind, name, value)


def fails(kind, name, value):
    """Whether the class refuses a value."""
    try:
        make(kind, name, value)
    except UnveilError:
        return True
    return False


def test_no_part_of_a_recipe_is_forgotten():
    """Every dataclass of the package that a recipe may hold is one of those whose numbers are checked above."""
    bases = (Target, Attribution, Magnitude, Selector, Threshold, Fill, Stop)
    held, waiting = set(), list(bases)
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if dataclasses.is_dataclass(kind) and kind.__module__.startswith("unveil."):
                held.add(kind)
    assert len(held) > 25
    assert held <= set(RECIPE_CODEC.kinds.values())


@pytest.mark.parametrize(
    "text", ["top:0", "top:-3", "top:1001", "predicted:0", "predicted:2", "predicted:nan", "margin:a,a"]
)
def test_a_target_out_of_its_bounds_is_refused_when_it_is_parsed(text):
    with pytest.raises(TargetError):
        parse_target(text)


def test_the_numbers_are_found():
    names = {(kind.__name__, name) for kind, name in NUMBERS}
    assert {("SmoothGrad", "samples"), ("Rise", "masks"), ("Constant", "value"), ("TrustSettings", "samples")} <= names
    assert len(names) > 40


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "[" + ".".join("a" * 5000) + "]",
        "[fill." + ".".join(["fill"] * 3000) + "]\nkind = 'SoftEdge'",
        "stop = " + "{kind = 'AnyOf', stops = [" * 200 + "{kind = 'MaxRounds'}" + "]}" * 200,
        "seed = " + "1" * 5000,
        "[fill]\nkind = ['Mean']",
        "[fill]\nkind = {a = 1}",
        "[fill]\nkind = 1979-05-27",
        "[target]\nkind = 'Class'",
        "joint = 'x" + "y" * 10_000 + "'",
        "min_drop_share = nan",
        "[stop]\nkind = 'MaxRounds'\nrounds = 1e400",
    ],
    ids=lambda text: text[:24],
)
def test_nesting_and_kinds_that_no_recipe_has(text):
    with pytest.raises(RecipeError) as error:
        Recipe.from_toml(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000


def test_a_huge_file_is_not_read(tmp_path):
    with (tmp_path / "huge.toml").open("wb") as file:
        file.truncate(2**40)  # without any content: it takes no space
    with pytest.raises(RecipeError, match="a recipe file of at most 1000000 bytes"):
        get_recipe(tmp_path / "huge.toml")


KINDS = st.sampled_from([*RECIPE_CODEC.kinds, "os.system"])
KEYS = st.sampled_from(
    sorted(
        {"kind", *(item.name for kind in (Recipe, *RECIPE_CODEC.kinds.values()) for item in dataclasses.fields(kind))}
    )
)
LEAVES = st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.integers(0, 3) | st.dates()
TABLES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.tuples(KINDS, st.dictionaries(KEYS, inner, max_size=3)).map(lambda pair: {**pair[1], "kind": pair[0]})
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from([item.name for item in dataclasses.fields(Recipe)]), TABLES, max_size=3))
def test_any_tables_are_a_recipe_or_one_clear_line(tables):
    try:
        recipe = Recipe.from_dict(tables)
    except UnveilError as error:
        assert "\n" not in str(error)
    else:
        assert Recipe.from_dict(recipe.as_dict()) == recipe
