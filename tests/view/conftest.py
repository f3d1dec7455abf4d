"""Pages with a viewer in Chromium: from file://, without a network, with a policy that allows nothing but the viewer."""

from collections.abc import Callable, Iterator

import pytest

from view_pages import page_of, settle


@pytest.fixture
def show(browser, tmp_path) -> Iterator[Callable]:
    """Opens a page with the view of a text; any error, violation of the policy or request ends in a failure."""
    problems: list[str] = []
    contexts = []

    def open_page(text: str, compare: str = "", *, theme: str = "", dark: bool = False, width: int = 1280):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            offline=True,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda one: problems.append(one.url) if not one.url.startswith(("file:", "blob:")) else None)
        path = tmp_path / "page.html"
        path.write_text(page_of(text, compare, theme), encoding="utf-8")
        page.goto(path.as_uri())
        page.wait_for_function("document.querySelector('#place > div')?.shadowRoot.querySelector('.body')")
        settle(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []
