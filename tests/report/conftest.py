"""Pages of reports in Chromium: from file://, without a network; any error or request ends in a failure."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def visit(browser) -> Iterator[Callable]:
    """Opens a report; `scripts=False` as a reader without JavaScript."""
    problems: list[str] = []
    contexts = []

    def open_page(path: Path, place: str = "", *, scripts: bool = True, dark: bool = False):
        context = browser.new_context(
            viewport={"width": 1280, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            offline=True,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        kinds = ("file:", "blob:", "data:")
        page.on("request", lambda one: problems.append(one.url) if not one.url.startswith(kinds) else None)
        page.goto(path.as_uri() + place)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []
