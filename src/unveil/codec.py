"""Encode settings (nested frozen dataclasses) as plain tables and decode them; errors name the field."""

import dataclasses
import difflib
import numbers
import reprlib
import types
import typing
from abc import ABC
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import tomli_w

from unveil.errors import RecipeError

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60


class Codec:
    """Encode dataclasses as tables that hold the name of the class as `kind`, and the fields; and decode them."""

    def __init__(self, kinds: Iterable[type]) -> None:
        """Know the classes `kinds`; no other class can be decoded."""
        self.kinds = {kind.__name__: kind for kind in kinds}

    def encode(self, value: Any, *, top: bool = False) -> Any:
        """Encode a value; `top` leaves out the kind of a dataclass, for the value whose type is known."""
        if dataclasses.is_dataclass(value):
            fields = {item.name: self.encode(getattr(value, item.name)) for item in dataclasses.fields(value)}
            return fields if top else {"kind": type(value).__name__, **fields}
        if isinstance(value, tuple):
            return [self.encode(item) for item in value]
        # TOML has no null: None is written as false.
        return False if value is None else value

    def decode(self, expected: Any, value: Any, place: str) -> Any:
        """Decode a plain value to the type `expected`; `place` is the name of the field in errors.

        Raises `RecipeError` for an unknown kind or field and for a value of another type.
        """
        # Not issubclass: any library may declare that int is a subclass of an abstract class of its own.
        if dataclasses.is_dataclass(expected) or ABC in getattr(expected, "__mro__", ()):
            return self._decode_dataclass(expected, value, place)
        if typing.get_origin(expected) in (types.UnionType, typing.Union):
            return self._decode_union(typing.get_args(expected), value, place)
        if typing.get_origin(expected) is tuple:
            return self._decode_tuple(expected, value, place)
        if typing.get_origin(expected) is typing.Literal:
            if value in typing.get_args(expected):
                return value
            raise RecipeError(f"{place} to be {_type_name(expected)}", _show(value), "fix the recipe")
        # Integers are accepted as floats, as in Python; True isn't accepted as 1.
        if expected is float and type(value) is int:
            return float(value)
        if type(value) is not expected:
            raise RecipeError(f"{place} to be {expected.__name__}", _show(value), "fix the recipe")
        return value

    def _decode_dataclass(self, expected: Any, value: Any, place: str) -> Any:
        if not isinstance(value, dict):
            raise RecipeError(f"[{place}] to be a table", _show(value), "compare: unveil recipe show recommended")
        kind = self._kind_of(expected, value, place)
        hints = typing.get_type_hints(kind)
        known = {item.name for item in dataclasses.fields(kind)}
        given = {key: item for key, item in value.items() if key != "kind"}
        for key in given:
            if key not in known:
                raise RecipeError(f"in [{place}] one of {', '.join(sorted(known))}", _show(key), _suggest(key, known))
        for item in dataclasses.fields(kind):
            required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
            if required and item.name not in given:
                raise RecipeError(f"[{place}] with a {item.name}", "none", f"add {item.name} = …")
        return kind(**{key: self.decode(hints[key], item, f"{place}.{key}") for key, item in given.items()})

    def _kind_of(self, expected: type, value: dict, place: str) -> type:
        if "kind" not in value:
            if expected.__name__ in self.kinds or not getattr(expected, "__abstractmethods__", None):
                return expected
            fitting = self._names_of(expected)
            if len(fitting) == 1:
                return self.kinds[fitting[0]]
            raise RecipeError(f"[{place}] to say its kind", "none", f"choose {' or '.join(fitting)}")
        name = value["kind"]
        kind = self.kinds.get(name) if isinstance(name, str) else None
        if kind is None or not issubclass(kind, expected):
            fitting = self._names_of(expected)
            do = _suggest(name, fitting) if isinstance(name, str) else "fix the recipe"
            raise RecipeError(f"[{place}] of kind {', '.join(fitting)}", _show(name), do)
        return kind

    def _names_of(self, expected: type) -> list[str]:
        return [name for name, kind in self.kinds.items() if issubclass(kind, expected)]

    def _decode_union(self, options: tuple, value: Any, place: str) -> Any:
        if types.NoneType in options:
            (present,) = (option for option in options if option is not types.NoneType)
            return None if value is False or value is None else self.decode(present, value, place)
        for option in options:
            try:
                return self.decode(option, value, place)
            except RecipeError:
                continue
        names = " or ".join(map(_type_name, options))
        raise RecipeError(f"{place} to be {names}", _show(value), "fix the recipe")

    def _decode_tuple(self, expected: Any, value: Any, place: str) -> tuple:
        if not isinstance(value, list):
            raise RecipeError(f"{place} to be a list", _show(value), "fix the recipe")
        item, *_ = typing.get_args(expected)
        return tuple(self.decode(item, element, f"{place}[{index}]") for index, element in enumerate(value))


def require_numbers(settings: Any) -> None:
    """Check the types of all fields of a frozen dataclass that hold numbers, before their bounds are checked.

    Numbers of numpy become plain ones. Raises `RecipeError` for a value of another type: a text, True, or a number
    that isn't whole where the field is an integer.
    """
    for name, options in _number_fields(type(settings)):
        value = getattr(settings, name)
        object.__setattr__(settings, name, _plain_number(name, options, value))


@cache
def _number_fields(kind: type) -> tuple[tuple[str, tuple], ...]:
    hints = typing.get_type_hints(kind)
    options = ((item.name, _options(hints[item.name])) for item in dataclasses.fields(kind))
    return tuple((name, found) for name, found in options if int in found or float in found)


def _options(hint: Any) -> tuple:
    return typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)


def _plain_number(name: str, options: tuple, value: Any) -> Any:
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        if int in options and isinstance(value, numbers.Integral):
            return int(value)
        if float in options:
            return value if type(value) in (int, float) else float(value)
    for option in options:
        origin = typing.get_origin(option)
        if origin is typing.Literal and isinstance(value, str) and value in typing.get_args(option):
            return value
        if origin is tuple and isinstance(value, tuple):
            item, *_ = typing.get_args(option)
            return tuple(_plain_number(name, (item,), element) for element in value)
        if origin is None and option not in (int, float) and isinstance(value, option):
            return value
    names = " or ".join("a whole number" if option is int else _plain_name(option) for option in options)
    raise RecipeError(f"{name} to be {names}", _show(value), "give another value")


def _plain_name(option: Any) -> str:
    if typing.get_origin(option) is tuple:
        return "a tuple of numbers"
    return {float: "a number", types.NoneType: "None"}.get(option) or _type_name(option)


def _show(value: Any) -> str:
    """A value of any size and depth on one short line."""
    return " ".join(_REPR.repr(value).split())


def _type_name(option: Any) -> str:
    if typing.get_origin(option) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(option)))
    return getattr(option, "__name__", str(option))


def _suggest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else "fix the recipe"


def to_toml(values: Mapping[str, Any]) -> str:
    """The text of a TOML file of plain `values`.

    >>> to_toml({"name": "mine", "joint": True})
    'name = "mine"\\njoint = true\\n'
    """
    return tomli_w.dumps(values)
