"""`unveil serve` in a process of its own, and pages of it in Chromium; errors, violations and foreign requests are failures."""

import base64
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
from PIL import Image as Pillow

from unveil.planted import draw_scene

SCENE = 200_010
START_S, JOB_S, PATIENCE_MS = 120, 240, 120_000  # machines are shared
QUICK = {"attribution.samples": 4}


class Server:
    """A server with a folder of its own."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        self._links: queue.Queue[str] = queue.Queue()
        self._output: list[str] = []
        code = "import sys; from unveil.cli import main; sys.argv[0] = 'unveil'; main()"
        command = [sys.executable, "-c", code, "serve", "--folder", str(folder), "--port", str(port)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | {"COLUMNS": "200"}
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            link = self.link()
        except (AssertionError, queue.Empty):
            self.kill()
            raise
        self.origin = link.partition("/open")[0]
        self.port = int(self.origin.rpartition(":")[2])
        self.client = httpx.Client(base_url=self.origin, timeout=120)
        self.client.get(link)
        self.client.headers["Origin"] = self.origin  # as a page of this server would
        self.cookies = [
            {"name": name, "value": value, "domain": "127.0.0.1", "path": "/", "httpOnly": True, "sameSite": "Strict"}
            for name, value in self.client.cookies.items()
        ]

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._output.append(line)
            if found := re.search(r"http://\S+/open\?token=\S+", line):
                self._links.put(found.group())
        self._links.put("")  # the end

    def link(self) -> str:
        """The next link that the server prints; each can be used once."""
        link = self._links.get(timeout=START_S)
        assert link, "".join(self._output)
        return link

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self._process.kill()
        self._end()

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._end()

    def _end(self) -> None:
        if hasattr(self, "client"):
            self.client.close()
        self._process.wait()
        self._reader.join(20)
        assert self._process.stdout
        self._process.stdout.close()

    def upload(self, path: Path, name: str | None = None) -> str:
        """Upload an image; its id."""
        answer = self.client.post(
            "/api/images",
            params={"name": name or path.name},
            content=path.read_bytes(),
            headers={"Content-Type": "application/octet-stream"},
        )
        answer.raise_for_status()
        return answer.json()["id"]

    def submit(self, image: str, *, trust: bool = True, settings: dict | None = None) -> str:
        """Submit a job of the demo; its id."""
        request = {"image": image, "model": "planted/demo", "recipe": "demo", "settings": QUICK | (settings or {})}
        answer = self.client.post("/api/jobs", json=request | {"target": None, "seed": 0, "trust": trust})
        answer.raise_for_status()
        return answer.json()["id"]

    def job(self, job: str) -> dict:
        """What the server says of a job."""
        return self.client.get(f"/api/jobs/{job}").json()

    def wait_for(self, job: str) -> dict:
        """Wait until a job is over, by its stream, which ends then."""
        with self.client.stream("GET", f"/api/jobs/{job}/events", timeout=JOB_S) as stream:
            for _ in stream.iter_lines():
                pass  # until it ends
        return self.job(job)


def write_scene(path: Path, seed: int = SCENE) -> Path:
    """A planted scene as a PNG file."""
    pixels = np.moveaxis(np.asarray(draw_scene(seed).pixels), 0, -1)
    Pillow.fromarray((pixels * 255).round().astype(np.uint8)).save(path)
    return path


class Visits:
    """Pages of a server, each in a browser context of its own, as two people would have them."""

    def __init__(self, browser, server: Server) -> None:
        self.browser, self.server = browser, server
        self.problems: list[str] = []
        self._contexts: list = []

    def __call__(self, place: str = "", *, width: int = 1400, dark: bool = False, context=None):
        """Open the page at a place, such as #job=…"""
        context = context or self.context(width=width, dark=dark)
        page = context.new_page()
        page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.goto(f"{self.server.origin}/{place}")
        page.wait_for_selector(".card")
        return page

    def context(self, *, width: int = 1400, dark: bool = False, has_cookie: bool = True):
        """A browser of one person."""
        context = self.browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            accept_downloads=True,
        )
        context.set_default_timeout(PATIENCE_MS)
        self._contexts.append(context)
        if has_cookie:
            context.add_cookies(self.server.cookies)
        context.route(re.compile(r"^(?!http://127\.0\.0\.1:)(?!blob:|data:)"), self._refuse)
        return context

    def _refuse(self, route) -> None:
        self.problems.append(f"asked {route.request.url}")
        route.abort()

    def close(self) -> None:
        """Close all of them."""
        for context in self._contexts:
            context.close()


ReadCanvas = Callable[[], np.ndarray]
READ = """() => { const canvas = document.querySelector(".bench").shadowRoot.querySelector(".stage canvas");
const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
let text = ""; for (let i = 0; i < data.length; i += 8192) text += String.fromCharCode(...data.subarray(i, i + 8192));
return [canvas.height, canvas.width, btoa(text)]; }"""
SETTLED = """() => new Promise((done) => {
  const isBusy = () => document.querySelector(".bench").shadowRoot.querySelector("[aria-busy=true]");
  const look = () => (isBusy() ? requestAnimationFrame(look) : requestAnimationFrame(() => requestAnimationFrame(done)));
  setTimeout(look, 150);
})"""


def settle_bench(page) -> None:
    """Wait until the image is decoded and painted."""
    page.wait_for_selector(".bench .viewer")
    page.evaluate(SETTLED)


def stage_pixels(page) -> np.ndarray:
    """The pixels of the stage: h w RGBA."""
    settle_bench(page)
    height, width, content = page.evaluate(READ)
    return np.frombuffer(base64.b64decode(content), np.uint8).reshape(height, width, 4).astype(int)


def stage_place(page, y: float, x: float, side: int = 128) -> tuple[float, float]:
    """Where a pixel of a square image lies on the page, while it is fitted: x and y for the mouse."""
    box = page.locator(".stage canvas").bounding_box()
    scale = min(box["width"], box["height"]) / side
    left, top = (box["x"] + (box["width"] - side * scale) / 2, box["y"] + (box["height"] - side * scale) / 2)
    return left + x * scale, top + y * scale


def draw(page, points: list[tuple[float, float]], side: int = 128) -> None:
    """Drag the mouse through points of the image (y, x)."""
    first, *rest = [stage_place(page, y, x, side) for y, x in points]
    page.mouse.move(*first)
    page.mouse.down()
    for place in rest:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


def judge(page, key: str) -> None:
    """Press the key of a judgment, and wait until it is saved."""
    with page.expect_response(lambda one: one.request.method == "PATCH"):
        page.keyboard.press(key)
