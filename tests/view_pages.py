"""Pages that hold a viewer and nothing else, for the tests in a browser."""

import base64
import hashlib

import numpy as np
import pytest

from unveil.view import viewer_code

START = """
const { render } = globalThis[Symbol.for("unveil.viewer")];
const textOf = (id) => document.getElementById(id).textContent;
const texts = { view: textOf("view"), compare: textOf("compare"), theme: document.documentElement.dataset.theme };
globalThis.stop = render({ model: { get: (name) => texts[name] || null }, el: document.getElementById("place") });
"""


SETTLED = """() => new Promise((done) => {
  const isBusy = () => [...document.querySelectorAll("*")].some((one) => one.shadowRoot?.querySelector("[aria-busy=true]"));
  const look = () => (isBusy() ? requestAnimationFrame(look) : requestAnimationFrame(() => requestAnimationFrame(done)));
  setTimeout(look, 150);
})"""


def settle(page) -> None:
    """Wait until what was asked for is decoded and painted."""
    page.evaluate(SETTLED)


READ = """() => { const canvas = document.querySelector("#place > div").shadowRoot.querySelectorAll(".stage canvas")[PLACE];
const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
let text = ""; for (let i = 0; i < data.length; i += 8192) text += String.fromCharCode(...data.subarray(i, i + 8192));
return [canvas.height, canvas.width, btoa(text)]; }"""


def canvas_of(page, place: int = 0) -> np.ndarray:
    """The pixels of the first canvas, or of another one: h w RGBA."""
    height, width, content = page.evaluate(READ.replace("PLACE", str(place)))
    return np.frombuffer(base64.b64decode(content), np.uint8).reshape(height, width, 4).astype(int)


def press(page, *keys: str, place: int = 0) -> None:
    """Press keys while an image has the focus."""
    page.locator(".stage canvas").nth(place).focus()
    for key in keys:
        page.keyboard.press(key)
    settle(page)


def serious_problems(page) -> list[str]:
    """What axe finds, if it is serious."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, options={"rules": {"page-has-heading-one": {"enabled": False}}}).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def page_of(text: str, compare: str = "", theme: str = "") -> str:
    """A page with nothing but the viewer; its policy allows the two scripts by their hashes, and no style and no image."""
    scripts = (viewer_code(), START)
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in scripts)
    policy = f"default-src 'none'; script-src {hashes}; base-uri 'none'"
    data = "".join(
        f'<script type="application/json" id="{name}">{one}</script>'
        for name, one in (("view", text), ("compare", compare))
    )
    code = "".join(f'<script type="module">{one}</script>' for one in scripts)
    head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}"><title>A run</title>'
    body = f'<body><main id="place"></main>{data}{code}</body>'
    return f'<!doctype html><html lang="en" data-theme="{theme}"><head>{head}</head>{body}</html>'
