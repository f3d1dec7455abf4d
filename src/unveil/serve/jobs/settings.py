"""The recipe of a request: a named recipe with changes of single settings."""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from typing import Any

import numpy as np

from unveil.attribution import PatternNet
from unveil.classifiers import Classifier
from unveil.errors import RecipeError, TargetError
from unveil.predictions import Prediction
from unveil.recipes import NAMED, RECIPE_CODEC, Recipe
from unveil.seeding import check_seed
from unveil.serve.jobs.job import JobRequest
from unveil.targets import parse_target

MAX_SETTINGS, MAX_SETTINGS_BYTES, MAX_DEPTH = 500, 1 << 16, 12
MAX_TARGET = 1000
# Parts that are switched on with all their defaults, and the kinds that these are.
SWITCHES = {"trust": "TrustSettings", "label_check": "LabelCheck"}
SEE = "compare: unveil recipe show NAME"


def recipe_of(request: JobRequest) -> Recipe:
    """The recipe of a `request`, with its settings, its target, and without trust cards if it asks for none.

    Raises `RecipeError` and `TargetError`; also for a setting that another part of the request would override.
    """
    if request.recipe not in NAMED:
        raise RecipeError(f"a recipe {', '.join(NAMED)}", repr(request.recipe)[:80], "choose one of these")
    tops = {key.partition(".")[0] for key in request.settings}
    if request.target is not None and "target" in tops:
        raise RecipeError("a target, or settings of the target", "both", "leave one of them out")
    if not request.trust and "trust" in tops:
        raise RecipeError("settings of trust cards with trust cards", "trust = false", "leave one of them out")
    recipe = apply_settings(NAMED[request.recipe](), request.settings)
    if request.target is not None:
        recipe = recipe.with_target(parse_target(request.target))
    return recipe if request.trust else replace(recipe, trust=None)


def check_request(request: JobRequest, classifier: Classifier | None) -> None:
    """Check everything in a request but its image, before it waits in a queue.

    `classifier` is the one of the request; None if it isn't loaded yet, and then the target is checked by name only.
    Raises `RecipeError` and `TargetError`.
    """
    check_seed(request.seed)
    if request.target is not None and len(request.target) > MAX_TARGET:
        got = f"{len(request.target)}"
        raise TargetError(f"a target of at most {MAX_TARGET} characters", got, "name one class")
    recipe = recipe_of(request)
    if classifier is not None:
        prediction = Prediction(np.zeros(len(classifier.labels)), classifier.output)
        recipe.target.resolve(prediction, prediction, classifier.labels)


def apply_settings(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """A recipe with single settings changed.

    Args:
        recipe: The recipe to begin with.
        settings: Plain values by dotted keys into the recipe's table (`Recipe.as_dict`). Items of lists have their
            index as name: `stop.stops.0.rounds`. Another `kind` replaces its table by the defaults of that kind, before
            other keys are applied; true and false switch `trust` and `label_check` on, with defaults, and off.

    Raises `RecipeError` for keys and values that the recipe doesn't have, and for settings that name a file.

    >>> from unveil.recipes import paper
    >>> apply_settings(paper(), {"fill.kind": "Blur", "fill.sigma_px": 3}).fill
    Blur(sigma_px=3.0)
    """
    _check_plain(settings)
    tables = recipe.as_dict()
    for key in sorted(settings, key=_order):
        _set(tables, key, deepcopy(settings[key]))
    changed = Recipe.from_dict(tables)
    if any(isinstance(part, PatternNet) for part in _parts(changed)):
        raise RecipeError("settings that name no file", "PatternNet or PatternAttribution", "use unveil run")
    return changed


def _order(key: str) -> tuple[bool, int, str]:
    """Kinds first, the outer ones before the inner ones; then whole tables before what is in them."""
    return not key.endswith(".kind"), key.count("."), key


def _set(tables: dict, key: str, value: Any) -> None:
    *path, last = key.split(".")
    place: Any = tables
    for name in path:
        place = _item(place, name, key)
    if last == "kind":
        if not isinstance(place, dict) or (place and "kind" not in place):
            raise RecipeError("a table that has a kind", f"the setting {_show(key)}", SEE)
        if place.get("kind") != value:
            place.clear()
            place.update({"kind": value, **_defaults(value)})
    elif isinstance(place, list):
        _item(place, last, key)
        place[int(last)] = value
    elif isinstance(place, dict):
        place[last] = _defaults(SWITCHES[key]) if value is True and key in SWITCHES else value
    else:
        raise RecipeError("the key of a setting", _show(key), SEE)


def _item(place: Any, name: str, key: str) -> Any:
    if isinstance(place, dict) and (name in place or _is_field(place.get("kind"), name)):
        return place.setdefault(name, {})
    if isinstance(place, list) and name.isascii() and name.isdecimal() and int(name) < len(place):
        return place[int(name)]
    raise RecipeError("the key of a setting", _show(key), SEE)


def _defaults(kind: Any) -> dict:
    """The table of a kind with the defaults of its fields; fields without one are left out."""
    known = RECIPE_CODEC.kinds.get(kind) if isinstance(kind, str) else None
    values = {item.name: _default(item) for item in fields(known)} if known is not None else {}
    return {name: RECIPE_CODEC.encode(value) for name, value in values.items() if value is not MISSING}


def _default(item: Field) -> Any:
    return item.default if item.default_factory is MISSING else item.default_factory()


def _is_field(kind: Any, name: str) -> bool:
    known = RECIPE_CODEC.kinds.get(kind) if isinstance(kind, str) else None
    return known is not None and name in {item.name for item in fields(known)}


def _check_plain(settings: Any) -> None:
    """Texts as keys, plain values, and not too much of both."""
    if not isinstance(settings, Mapping) or not all(isinstance(key, str) for key in settings):
        raise RecipeError("settings as a table of values by dotted keys", type(settings).__name__, SEE)
    try:
        size = len(json.dumps(dict(settings), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise RecipeError("settings of plain, finite values", str(error)[:80], SEE) from error
    deepest = max((key.count(".") for key in settings), default=0)
    if len(settings) > MAX_SETTINGS or size > MAX_SETTINGS_BYTES or deepest > MAX_DEPTH:
        got = f"{len(settings)} settings with {size} bytes"
        raise RecipeError(f"at most {MAX_SETTINGS} settings and {MAX_SETTINGS_BYTES} bytes", got, "change fewer")


def _parts(value: Any) -> Iterator[Any]:
    """A setting and everything in it."""
    yield value
    inner = [getattr(value, item.name) for item in fields(value)] if is_dataclass(value) else []
    for part in [*inner, *(value if isinstance(value, tuple) else ())]:
        yield from _parts(part)


def _show(key: str) -> str:
    return repr(key)[:80]
