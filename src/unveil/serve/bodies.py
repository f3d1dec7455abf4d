"""JSON bodies, read strictly: finite numbers, bounded depth, valid text. Routes read bodies in no other way."""

import asyncio
import json
import math
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

MAX_DEPTH = 16
INLINE_BYTES = 1 << 16  # larger bodies are parsed in a thread


def parse_json(body: bytes) -> Any:
    """The value of a JSON text. Raises `ValueError` with one line for anything that isn't plain, finite and shallow.

    >>> parse_json(b'{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    >>> parse_json(b"NaN")
    Traceback (most recent call last):
    ValueError: a number that isn't finite
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("bytes that aren't UTF-8") from None
    try:
        value = json.loads(text, parse_constant=_refuse_number, parse_float=_finite, object_pairs_hook=_table)
    except RecursionError:
        raise ValueError(f"more than {MAX_DEPTH} levels of nesting") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"text that isn't JSON, at character {error.pos}") from None
    _check_values(value)
    return value


def _refuse_number(name: str) -> NoReturn:
    raise ValueError("a number that isn't finite")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number that isn't finite")
    return number


def _table(pairs: list[tuple[str, Any]]) -> dict:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a key that is given twice")
    return table


def _check_values(value: Any) -> None:
    """Depth and texts, level by level: no recursion, whatever is given."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} levels of nesting")
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item
                inner += item.values()
            elif isinstance(item, list):
                inner += item
            elif isinstance(item, str) and not _is_text(item):
                raise ValueError("a text with a null character or half a surrogate pair")
            elif isinstance(item, int) and abs(item) >= 1 << 63:
                raise ValueError("a whole number of more than 63 bits")
        level = inner


def _is_text(text: str) -> bool:
    return (text.isascii() and "\0" not in text) or not any(
        char == "\0" or "\ud800" <= char <= "\udfff" for char in text
    )


class StrictRequest(Request):
    """A request whose JSON is read by `parse_json`."""

    async def json(self) -> Any:
        """The value of the body. Raises an HTTP error 400 with one line."""
        body = await self.body()
        try:
            if len(body) <= INLINE_BYTES:
                return parse_json(body)
            return await asyncio.to_thread(parse_json, body)
        except ValueError as error:
            raise HTTPException(400, f"expected JSON in the body; got {error}; correct it") from None


class StrictRoute(APIRoute):
    """A route that reads JSON strictly and refuses query parameters that it doesn't have."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of FastAPI, with these two checks before it."""
        handle = super().get_route_handler()
        known = {item.alias for item in self.dependant.query_params}

        async def handle_strictly(request: Request) -> Response:
            names = [name for name, _ in request.query_params.multi_items()]
            if len(set(names)) < len(names) or not known.issuperset(names):
                expected = f"query parameters {', '.join(sorted(known))}, each once" if known else "no query parameters"
                raise HTTPException(422, f"expected {expected}; got others; leave them out")
            return await handle(StrictRequest(request.scope, request.receive))

        return handle_strictly
