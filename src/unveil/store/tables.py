"""Tables read from a file that may be damaged or hostile: every value is checked, every error names its key."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from types import NoneType
from typing import Any, TypeVar

from unveil.errors import RecordError

DAMAGED = "the record was changed or damaged: make the run again"
# Whole numbers that every JSON reader keeps exactly. Larger sizes exist in no image.
_LARGEST = 2**53
ROUNDING = 1e-6  # of shares, which are quotients of sums
_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    dict: "a table",
    list: "a list",
    NoneType: "null",
}
Member = TypeVar("Member", bound=Enum)


def damaged(expected: str, got: str) -> RecordError:
    """The error for a record that isn't as it was written."""
    return RecordError(expected, got, DAMAGED)


@dataclass(frozen=True)
class Table:
    """A table of a file; `place` is the way to it: `rounds[0].regions[1]`. Its methods raise `RecordError`, which names
    the `file` and says what to `do` about it."""

    values: dict
    place: str
    file: str = "run.json"
    do: str = DAMAGED

    def at(self, key: str) -> str:
        """The full name of a key."""
        return f"{self.place}.{key}" if self.place else key

    def has(self, key: str) -> bool:
        """True if there is a value: keys that were added later are missing from older records."""
        return self.values.get(key) is not None

    def text(self, key: str) -> str:
        """A text."""
        return self._get(key, str)

    def text_or_none(self, key: str) -> str | None:
        """A text, or None for null."""
        return self._get(key, str, NoneType)

    def whole(self, key: str, least: int = 0) -> int:
        """A whole number from `least` on."""
        return self._whole(self._get(key, int), self.at(key), least)

    def whole_or_none(self, key: str) -> int | None:
        """A whole number, or None for null."""
        return None if self._get(key, int, NoneType) is None else self.whole(key)

    def any_whole(self, key: str) -> int:
        """A whole number of any size and sign."""
        return self._get(key, int)

    def number(self, key: str, least: float = -math.inf, most: float = math.inf) -> float:
        """A finite number from `least` to `most`; what is beyond by rounding only is accepted."""
        value = self._number(self._get(key, float, int), self.at(key))
        if not least - ROUNDING <= value <= most + ROUNDING:
            bounds = f"of at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
            raise self.wrong(self.at(key), f"a number {bounds}", value)
        return value

    def number_or_none(self, key: str, least: float = -math.inf, most: float = math.inf) -> float | None:
        """A finite number from `least` to `most`, or None for null."""
        return None if self._get(key, float, int, NoneType) is None else self.number(key, least, most)

    def share(self, key: str) -> float:
        """A number from 0 to 1."""
        return self.number(key, 0, 1)

    def share_or_none(self, key: str) -> float | None:
        """A number from 0 to 1, or None for null."""
        return self.number_or_none(key, 0, 1)

    def one_of(self, key: str, kind: type[Member]) -> Member:
        """A member of an enumeration, by its value."""
        text = self.text(key)
        try:
            return kind(text)
        except ValueError as error:
            names = ", ".join(str(member.value) for member in kind)
            raise self.wrong(self.at(key), f"one of {names}", text) from error

    def plain(self, key: str) -> dict:
        """A table as it stands, whatever it holds."""
        return self._get(key, dict)

    def table(self, key: str) -> "Table":
        """A table inside this one."""
        return replace(self, values=self.plain(key), place=self.at(key))

    def tables(self, key: str) -> list["Table"]:
        """A list of tables."""
        places = ((item, f"{self.at(key)}[{index}]") for index, item in enumerate(self._get(key, list)))
        return [replace(self, values=self._checked(item, place, dict), place=place) for item, place in places]

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        return self._items(key, lambda item, place: self._checked(item, place, str))

    def text_table(self, key: str) -> dict[str, str]:
        """A table of texts."""
        inner = self.table(key)
        return {name: inner.text(name) for name in inner.values}

    def wholes(self, key: str, least: int = 0) -> tuple[int, ...]:
        """A list of whole numbers from `least` on."""
        return self._items(key, lambda item, place: self._whole(self._checked(item, place, int), place, least))

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of finite numbers."""
        return tuple(self._numbers(self._get(key, list), self.at(key)))

    def numbers_or_none(self, key: str) -> tuple[float, ...] | None:
        """A list of finite numbers, or None for null."""
        return None if self._get(key, list, NoneType) is None else self.numbers(key)

    def rows(self, key: str) -> tuple[tuple[float, ...], ...]:
        """A list of lists of finite numbers."""
        return self._items(key, lambda row, place: tuple(self._numbers(self._checked(row, place, list), place)))

    def _get(self, key: str, *kinds: type) -> Any:
        if key not in self.values:
            raise RecordError(f"the key {self.at(key)!r} in {self.file}", "no such key", self.do)
        return self._checked(self.values[key], self.at(key), *kinds)

    def _items(self, key: str, read: Callable[[Any, str], Any]) -> tuple:
        return tuple(read(item, f"{self.at(key)}[{index}]") for index, item in enumerate(self._get(key, list)))

    def wrong(self, place: str, expected: str, got: Any) -> RecordError:
        """The error for a value that isn't what the file must have at this place."""
        return RecordError(f"{place!r} in {self.file} to be {expected}", _short(got), self.do)

    def _checked(self, value: Any, place: str, *kinds: type) -> Any:
        # The exact type: True is not 1.
        if type(value) not in kinds:
            names = " or ".join(_NAMES[kind] for kind in kinds if not (kind is int and float in kinds))
            raise self.wrong(place, names, value)
        return value

    def _whole(self, value: int, place: str, least: int) -> int:
        if not least <= value <= _LARGEST:
            raise self.wrong(place, f"from {least} to {_LARGEST}", value)
        return value

    def _numbers(self, values: list, place: str) -> Iterator[float]:
        for index, value in enumerate(values):
            yield self._number(self._checked(value, f"{place}[{index}]", float, int), f"{place}[{index}]")

    def _number(self, value: float, place: str) -> float:
        try:
            return float(value)
        except OverflowError as error:
            raise self.wrong(place, "a number", value) from error


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
