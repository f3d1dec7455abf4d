"""Settings as nested tables: frozen dataclasses to plain values and back, with errors that name the place."""

import dataclasses
import difflib
import types
import typing
from abc import ABC
from collections.abc import Iterable
from typing import Any

from unveil.errors import RecipeError


class Codec:
    """A codec for the kinds it is given: a part is a table with its class' name as `kind`, and its fields."""

    def __init__(self, kinds: Iterable[type]) -> None:
        self.kinds = {kind.__name__: kind for kind in kinds}

    def encode(self, value: Any, *, top: bool = False) -> Any:
        """Plain values of a part; `top` leaves the kind out, for the one value whose type is known."""
        if dataclasses.is_dataclass(value):
            fields = {item.name: self.encode(getattr(value, item.name)) for item in dataclasses.fields(value)}
            return fields if top else {"kind": type(value).__name__, **fields}
        if isinstance(value, tuple):
            return [self.encode(item) for item in value]
        # TOML has no null: a part that is left out is written as false.
        return False if value is None else value

    def decode(self, expected: Any, value: Any, place: str) -> Any:
        """The part that a plain value stands for, where `expected` is the type of the field it goes into."""
        # Not issubclass: any library may declare that int is a subclass of an abstract class of its own.
        if dataclasses.is_dataclass(expected) or ABC in getattr(expected, "__mro__", ()):
            return self._part(expected, value, place)
        if typing.get_origin(expected) in (types.UnionType, typing.Union):
            return self._one_of(typing.get_args(expected), value, place)
        if typing.get_origin(expected) is tuple:
            return self._tuple(expected, value, place)
        if typing.get_origin(expected) is typing.Literal:
            if value in typing.get_args(expected):
                return value
            raise RecipeError(f"{place} to be {_shown(expected)}", repr(value), "mend the recipe")
        # A whole number stands for a float, as in TOML and in Python; True doesn't stand for 1.
        if expected is float and type(value) is int:
            return float(value)
        if type(value) is not expected:
            raise RecipeError(f"{place} to be {expected.__name__}", f"{value!r}", "mend the recipe")
        return value

    def _part(self, expected: Any, value: Any, place: str) -> Any:
        if not isinstance(value, dict):
            raise RecipeError(f"[{place}] to be a table", f"{value!r}", "compare: unveil recipe show recommended")
        kind = self._kind(expected, value, place)
        hints = typing.get_type_hints(kind)
        known = {item.name for item in dataclasses.fields(kind)}
        given = {key: item for key, item in value.items() if key != "kind"}
        for key in given:
            if key not in known:
                raise RecipeError(f"in [{place}] one of {', '.join(sorted(known))}", repr(key), _closest(key, known))
        return kind(**{key: self.decode(hints[key], item, f"{place}.{key}") for key, item in given.items()})

    def _kind(self, expected: type, value: dict, place: str) -> type:
        if "kind" not in value:
            if expected.__name__ in self.kinds or not getattr(expected, "__abstractmethods__", None):
                return expected
            fitting = self._fitting(expected)
            if len(fitting) == 1:
                return self.kinds[fitting[0]]
            raise RecipeError(f"[{place}] to say its kind", "none", f"choose {' or '.join(fitting)}")
        kind = self.kinds.get(value["kind"])
        if kind is None or not issubclass(kind, expected):
            fitting = self._fitting(expected)
            got = repr(value["kind"])
            raise RecipeError(f"[{place}] of kind {', '.join(fitting)}", got, _closest(str(value["kind"]), fitting))
        return kind

    def _fitting(self, expected: type) -> list[str]:
        return [name for name, kind in self.kinds.items() if issubclass(kind, expected)]

    def _one_of(self, options: tuple, value: Any, place: str) -> Any:
        if types.NoneType in options:
            (part,) = (option for option in options if option is not types.NoneType)
            return None if value is False or value is None else self.decode(part, value, place)
        for option in options:
            try:
                return self.decode(option, value, place)
            except RecipeError:
                continue
        names = " or ".join(map(_shown, options))
        raise RecipeError(f"{place} to be {names}", repr(value), "mend the recipe")

    def _tuple(self, expected: Any, value: Any, place: str) -> tuple:
        if not isinstance(value, list):
            raise RecipeError(f"{place} to be a list", repr(value), "mend the recipe")
        item, *_ = typing.get_args(expected)
        return tuple(self.decode(item, one, f"{place}[{index}]") for index, one in enumerate(value))


def _shown(option: Any) -> str:
    if typing.get_origin(option) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(option)))
    return getattr(option, "__name__", str(option))


def _closest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else "mend the recipe"
