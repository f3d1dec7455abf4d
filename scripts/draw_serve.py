"""Draw the pictures of docs/web-application.md: does what the page says in Chromium.

python scripts/draw_serve.py            # into docs/pictures
"""

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image as Pillow  # noqa: TID251 (screenshots as PNG files)

ROOT = Path(__file__).resolve().parents[1]
UNVEIL = "from unveil.cli import main; main()"
WIDTH, HEIGHT = 1280, 860
SCALE, COLORS = 1.25, 256
SLOW = "1500"  # noise samples of a round, so that a picture can be taken between two rounds


def start_server(folder: Path) -> tuple[subprocess.Popen, str]:
    """Start a server with the demo's scene; the process and its link."""
    command = [sys.executable, "-c", UNVEIL, "serve", "--folder", str(folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603 (own)
    if process.stdout is None:
        raise SystemExit("the server has no output")
    for line in process.stdout:
        if found := re.search(r"http://\S+/open\?token=\S+", line):
            return process, found.group()
    raise SystemExit("the server didn't start")


def settle(page: Any) -> None:
    """Wait until the image is painted."""
    page.wait_for_selector(".bench .viewer")
    page.wait_for_timeout(900)


def draw_line(page: Any, places: list[tuple[float, float]]) -> None:
    """Drag through places of the square image, as shares from its left and top."""
    box = page.locator(".stage canvas").bounding_box()
    side = min(box["width"], box["height"])
    left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
    points = [(left + x * side, top + y * side) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=12)
    page.mouse.up()


def take_pictures(link: str, out: Path, scheme: str) -> None:
    """Follow the tutorial, and take a picture of each step."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    chromium = os.environ.get("UNVEIL_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        look: dict[str, Any] = {"device_scale_factor": SCALE, "color_scheme": scheme}
        page = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, **look).new_page()
        page.goto(link)
        page.locator(".tile").first.click()
        page.wait_for_timeout(500)
        save(page, out, "start")
        page.get_by_label("Noise samples").fill(SLOW)
        page.get_by_role("button", name="Start", exact=True).click()
        page.locator("tr[data-region]").nth(1).wait_for(timeout=120_000)
        settle(page)
        save(page, out, "rounds")
        page.locator(".status .state.finished").wait_for(timeout=300_000)
        ask(page, out)
        judge(page, out)
        browser.close()


def ask(page: Any, out: Path) -> None:
    """Hide something that no region has, and a region."""
    settle(page)
    page.keyboard.press("b")
    draw_line(page, [(0.2, 0.72), (0.3, 0.62), (0.42, 0.7)])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("r")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.mouse.move(5, 5)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.locator(".asked li", has_text="p = ").wait_for(timeout=60_000)
    page.mouse.move(5, 5)
    page.wait_for_timeout(500)
    save(page, out, "what-if")


def judge(page: Any, out: Path) -> None:
    """Judge two regions blind."""
    page.locator(".modes").get_by_role("button", name="Judge").click()
    page.get_by_label("Blind").check()
    page.get_by_role("button", name="Begin with region 1").click()
    for key in ("a", "x"):
        page.keyboard.press(key)
        page.wait_for_timeout(600)
    page.mouse.move(5, 5)
    settle(page)
    save(page, out, "judge")


def save(page: Any, out: Path, name: str) -> None:
    """Save the window as a small PNG file."""
    picture = Pillow.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLORS, kmeans=2, dither=Pillow.Dither.NONE).save(out / f"serve-{name}.png", optimize=True)


def main() -> None:
    """Draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--dark", action="store_true", help="in the dark theme")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        process, link = start_server(Path(folder) / "data")
        try:
            take_pictures(link, options.out, "dark" if options.dark else "light")
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
