"""A Jupyter server on loopback with JupyterLab and Jupyter Notebook, driven in Chromium without any other network."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from notebooks import PLACES, Jupyter, start_jupyter

# Complaints of Jupyter itself, with or without a run in the notebook; anything else ends in a failure.
JUPYTER_ERRORS = re.compile(
    r"widget model not found"  # a widget of a notebook that was opened again
    r"|reading 'schema'"  # Jupyter Notebook, when it opens any file
    r"|Failed to load resource: .* http://127\.0\.0\.1:\d+/"  # of the server itself, from which the stub loads nothing
    r"|Command 'filebrowser:open-path' not registered"  # the same
)


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory) -> Iterator[Jupyter]:
    """One server per session."""
    for name in ("jupyterlab", "notebook", "ipykernel", "anywidget"):
        pytest.importorskip(name)
    folder = tmp_path_factory.mktemp("jupyter")
    server, process = start_jupyter(folder)
    try:
        for _ in range(600):
            try:
                server.ask("api/status")
                break
            except OSError:
                assert process.poll() is None, (folder / "log.txt").read_text()
                time.sleep(0.2)
        yield server
        server.stop_kernels()
    finally:
        process.terminate()
        process.wait(timeout=60)


def _text_of(frame: str | bytes) -> str:
    return frame if isinstance(frame, str) else frame.decode("utf-8", "replace")


@pytest.fixture
def visit(browser, jupyter) -> Iterator[Callable]:
    """Opens a notebook in an application: its page, and the messages that it sends; errors end in a failure."""
    problems: list[str] = []
    contexts = []

    def note(text: str) -> None:
        if not JUPYTER_ERRORS.search(text):
            problems.append(text)

    def open_notebook(application: str, path: Path, *, dark: bool = False):
        context = browser.new_context(
            viewport={"width": 1400, "height": 1000}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        page = context.new_page()
        own = f"127.0.0.1:{jupyter.port}"
        page.route(lambda url: own not in url and not url.startswith(("blob:", "data:")), lambda route: route.abort())
        page.on(
            "console",
            lambda message: note(f"{message.text} {message.location['url']}") if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: note(str(error)))
        page.on("requestfailed", lambda one: note(f"request: {one.url}") if own not in one.url else None)
        sent: list[str] = []
        page.on("websocket", lambda one: one.on("framesent", lambda frame: sent.append(_text_of(frame))))
        page.goto(f"http://{own}/{PLACES[application]}/{path.relative_to(jupyter.folder)}?token={jupyter.token}&reset")
        page.wait_for_function("window.jupyterapp?.shell.currentWidget?.context?.isReady", timeout=120_000)
        return page, sent

    yield open_notebook
    for context in contexts:
        context.close()
    jupyter.stop_kernels()
    assert not problems, problems
