"""The form of a recipe: one field per setting, made from the types, docstrings and checks of the recipe's classes."""

import dataclasses
import inspect
import re
import types
import typing
from abc import ABC
from collections.abc import Iterator
from functools import cache
from typing import Any

from unveil.errors import UnveilError
from unveil.recipes import NAMED, RECIPE_CODEC
from unveil.serve.refusals import RequestError
from unveil.stopping import AnyOf
from unveil.targets import Target

MOST_NESTED = 1  # other kinds within other kinds; a recipe file can go on
# They need an object, a file, or a list that a form can't make.
NOT_IN_FORMS = ("CustomAttribution", "PatternNet", "PatternAttribution", "AnyOf")
UNITS = {"_px": "px", "_mm": "mm", "_mm2": "mm²", "_share": "share"}
_BOUND = re.compile(r"(of at least|of at most|above|below) (-?[\d.]+(?:e[+-]?\d+)?)$")
_ENTRY = re.compile(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", re.MULTILINE)


def recipe_form(name: str) -> dict:
    """The form of a named recipe, as plain values: its name, and a list of fields.

    Each field has a `key` (dotted, as `apply_settings` takes it), a `title`, a `help`, a `type` (integer, number,
    boolean, choice or text), and the `value` of the recipe. Choices have `choices`; numbers have `minimum`, `maximum`
    and `unit` where these are known. A field that exists only for other kinds than the recipe's has `when`: pairs of a
    key and the value that it must have.

    Raises `RequestError` for a name that no recipe has.
    """
    if name not in NAMED:
        raise RequestError(404, f"a recipe {', '.join(NAMED)}", "another name", "choose one of these")
    return {"recipe": name, "fields": [dict(field) for field in _form_fields(name)]}


@cache
def _form_fields(name: str) -> tuple[dict, ...]:
    recipe = NAMED[name]()
    # The target has its own place in a request.
    return tuple(field for field in _fields_of(recipe, "", ()) if field["key"].partition(".")[0] not in LEFT_OUT)


LEFT_OUT = ("name", "target")


def _fields_of(owner: Any, prefix: str, when: tuple, nested: int = 0) -> Iterator[dict]:
    """The fields of a dataclass that is a value."""
    hints = typing.get_type_hints(type(owner))
    for item in dataclasses.fields(owner):
        yield from _field(owner, item.name, hints[item.name], f"{prefix}{item.name}", (when, nested))


def _field(owner: Any, name: str, hint: Any, key: str, place: tuple[tuple, int]) -> Iterator[dict]:
    when, nested = place
    value, options = getattr(owner, name), _options(hint)
    about: dict[str, Any] = {"key": key, "title": _title(name), "help": help_of(type(owner), name)}
    if when:
        about["when"] = [{"key": one, "value": other} for one, other in when]
    bases = [option for option in options if _is_settings(option)]
    if bases and (value is None or dataclasses.is_dataclass(value)):
        yield from _part(value, bases[0], about, (when, nested), is_optional=types.NoneType in options)
    elif isinstance(value, tuple):
        yield from _items(value, about, (when, nested))
    elif (leaf := _leaf(value, options)) is not None:
        yield about | leaf | _number_facts(owner, name, leaf["type"])


def _part(value: Any, base: type, about: dict, place: tuple[tuple, int], *, is_optional: bool) -> Iterator[dict]:
    """A setting that is a dataclass itself: a choice of its kind, and the fields of the kinds."""
    (when, nested), key = place, about["key"]
    if is_optional:
        yield about | {"type": "boolean", "value": value is not None}
        when = (*when, (key, True))
    if value is None:
        return
    kinds = _kinds_of(base, type(value)) if nested < MOST_NESTED else []
    if len(kinds) > 1:
        names = [kind.__name__ for kind in kinds]
        yield about | {"key": f"{key}.kind", "type": "choice", "value": type(value).__name__, "choices": names}
        for kind in kinds:
            if kind is not type(value):
                condition = (*when, (f"{key}.kind", kind.__name__))
                yield from _fields_of_kind(kind, f"{key}.", condition, nested + 1)
        when = (*when, (f"{key}.kind", type(value).__name__))
    yield from _fields_of(value, f"{key}.", when, nested)


def _kinds_of(base: type, own: type) -> list[type]:
    """The classes that a setting of the type `base` may have in a form; `own` is the recipe's."""
    if own is AnyOf or issubclass(base, Target):
        return []
    kinds = [kind for kind in RECIPE_CODEC.kinds.values() if issubclass(kind, base)]
    return [kind for kind in kinds if kind is own or kind.__name__ not in NOT_IN_FORMS]


def _fields_of_kind(kind: type, prefix: str, when: tuple, nested: int) -> Iterator[dict]:
    """The fields of a kind that the recipe doesn't use, with its defaults; none where it has no defaults."""
    try:
        value = kind()
    except (TypeError, UnveilError):
        hints = typing.get_type_hints(kind)
        for item in dataclasses.fields(kind):
            kind_of_leaf = next((LEAVES[option] for option in _options(hints[item.name]) if option in LEAVES), None)
            if kind_of_leaf is not None:
                default = None if item.default is dataclasses.MISSING else item.default
                about: dict[str, Any] = {
                    "key": f"{prefix}{item.name}",
                    "title": _title(item.name),
                    "help": help_of(kind, item.name),
                }
                about["when"] = [{"key": one, "value": other} for one, other in when]
                yield about | {"type": kind_of_leaf, "value": default, **_unit(item.name)}
        return
    yield from _fields_of(value, prefix, when, nested)


def _items(value: tuple, about: dict, place: tuple[tuple, int]) -> Iterator[dict]:
    """The fields of a list, one after the other."""
    for index, item in enumerate(value):
        key = f"{about['key']}.{index}"
        title = f"{about['title']} {index + 1}"
        if dataclasses.is_dataclass(item):
            kind = _title("_".join(re.findall("[A-Z][a-z0-9]*", type(item).__name__)).lower())
            for field in _fields_of(item, f"{key}.", *place):
                yield field | {"title": f"{kind}: {field['title'].lower()}"}
        elif (leaf := _leaf(item, (type(item),))) is not None:
            yield about | {"key": key, "title": title} | leaf | _unit(about["key"])


LEAVES = {bool: "boolean", int: "integer", float: "number", str: "text"}


def _leaf(value: Any, options: tuple) -> dict | None:
    choices = [choice for option in options for choice in typing.get_args(option) if isinstance(choice, str)]
    if choices and (isinstance(value, str) or value is None):
        return {"type": "choice", "value": value, "choices": choices}
    kind = next((LEAVES[option] for option in (type(value), *options) if option in LEAVES), None)
    if kind is None:
        return None
    if kind == "integer" and float in options:
        kind = "number"
    return {"type": kind, "value": value}


def _number_facts(owner: Any, name: str, kind: str) -> dict:
    """Unit and bounds: the class itself says them when it refuses numbers that are far outside."""
    if kind not in ("integer", "number"):
        return {}
    facts = _unit(name)
    for far, key in ((-(10**15), "minimum"), (10**15, "maximum")):
        bound = _bound(owner, name, far if kind == "integer" else float(far))
        if bound is not None:
            facts[key] = int(bound) if kind == "integer" and bound == int(bound) else bound
    return facts


def _bound(owner: Any, name: str, far: float) -> float | None:
    try:
        dataclasses.replace(owner, **{name: far})
    except UnveilError as error:
        found = _BOUND.search(error.expected)
        between = re.search(r"(-?[\d.]+) to (-?[\d.]+)", error.expected.replace(" 000", "000"))
        if found is not None:
            return float(found[2])
        if between is not None:
            return float(between[1 if far < 0 else 2].rstrip("."))
    return None


def _unit(name: str) -> dict:
    unit = next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), None)
    return {} if unit is None or unit == "share" else {"unit": unit}


def help_of(kind: type, name: str) -> str:
    """What the docstring of a dataclass says about one of its fields, in one line.

    >>> from unveil.stopping import MaxRounds
    >>> help_of(MaxRounds, "rounds")
    'The number of rounds, 1 to 1000; the paper has 5.'
    """
    text = inspect.getdoc(kind) or ""
    for found in _ENTRY.finditer(text):
        if found[1] == name:
            return " ".join(found[2].split())
    sentences = re.split(r"(?<=[.;:]) |\n\n|\n- ", " ".join(text.split()))
    return next((sentence for sentence in sentences if f"`{name}`" in sentence), "")


def _title(name: str) -> str:
    words = name
    for suffix in UNITS:
        words = words.removesuffix(suffix) if suffix != "_share" else words
    return words.replace("_", " ").capitalize()


def _options(hint: Any) -> tuple:
    return typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)


def _is_settings(option: Any) -> bool:
    return dataclasses.is_dataclass(option) or ABC in getattr(option, "__mro__", ())
