"""How fluid the viewer is: a radiograph of 3000 x 3000 pixels at 16 bits with 100 regions, in Chromium without a GPU.

    python benchmarks/viewer.py
    python benchmarks/viewer.py --regions 1000 --repeats 9

Prints one JSON object: ms to the page's own end of parsing, to the first paint and to the whole picture; and the median
and the 95th percentile of a frame while the window is dragged, while the view is zoomed and moved, and while the
pointer moves over regions. Each is the median over `--repeats` pages, with the smallest and the largest.
`idle` is a page on which nothing happens, for comparison: other work on the machine shows there.
"""

import argparse
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from tiny_runs import run
from unveil.images import Image
from unveil.images.geometry import Geometry
from unveil.images.preview import make_preview
from unveil.masks import Mask
from unveil.view import make_view
from view_pages import page_of

SIDE, GRID = 3000, 224
MEASURE = """async () => {
  const canvas = document.querySelector("#place > div").shadowRoot.querySelector("canvas");
  const box = canvas.getBoundingClientRect();
  canvas.setPointerCapture = () => {};
  const fire = (Kind, type, x, y, more) => canvas.dispatchEvent(new Kind(type,
    { clientX: box.left + x, clientY: box.top + y, pointerId: 1, bubbles: true, cancelable: true, ...more }));
  const frames = async (step) => {
    const lengths = [];
    let last = performance.now();
    for (let index = 0; index < 60; index++) {
      step(index);
      await new Promise(requestAnimationFrame);
      lengths.push(performance.now() - last);
      last = performance.now();
    }
    lengths.sort((a, b) => a - b);
    return { median: lengths[30], p95: lengths[57] };
  };
  const { domInteractive, navigationStart } = performance.timing;
  const result = {
    parsed: domInteractive - navigationStart,
    first_paint: performance.getEntriesByType("paint")[0].startTime,
    whole_picture: await globalThis.whole,
  };
  const move = (x, y, buttons) => fire(PointerEvent, "pointermove", x, y, { buttons });
  const wheel = (deltaY) => fire(WheelEvent, "wheel", 300, 300, { ctrlKey: true, deltaY });
  const mouse = (type, x, y) => fire(MouseEvent, type, x, y, { view: window, buttons: 1 });
  fire(PointerEvent, "pointerdown", 200, 200, { button: 2, buttons: 2 });
  result.window = await frames((index) => move(200 + 2 * index, 200 + index, 2));
  fire(PointerEvent, "pointerup", 200, 200, { button: 2 });
  result.zoom = await frames((index) => wheel(index < 30 ? -25 : 25));
  for (let index = 0; index < 10; index++) wheel(-25);
  await new Promise((done) => setTimeout(done, 500));
  mouse("mousedown", 300, 300);
  const there = (index) => (index < 30 ? index : 60 - index);
  result.pan = await frames((index) => mouse("mousemove", 300 + 4 * there(index), 300 + 2 * index));
  mouse("mouseup", 300, 420);
  await new Promise((done) => setTimeout(done, 500));
  result.hover = await frames((index) => move(20 + 9 * index, 40 + 8 * index, 0));
  result.idle = await frames(() => 0);
  return result;
}"""


def radiograph(regions: int) -> str:
    """The view of a run with that many ragged regions."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    pixels = 30000 + 12000 * np.sin(x / 90) * np.cos(y / 130) + draw.normal(0, 1500, (SIDE, SIDE))
    image = Image.from_array(pixels.clip(0, 65535).astype(np.uint16))
    geometry = Geometry.resize((SIDE, SIDE), (GRID, GRID))
    first = run().rounds[0]
    y, x = np.mgrid[:GRID, :GRID]
    found = []
    for _ in range(regions):
        (top, left), radius = draw.uniform(10, GRID - 10, 2), draw.uniform(5, 14)
        inside = np.hypot(y - top, x - left) + draw.normal(0, 1, (GRID, GRID)) < radius
        masks = {"mask": Mask.from_array(geometry.region_to_source(inside)), "model_mask": Mask.from_array(inside)}
        found.append(replace(first.regions[0], **masks))
    empty, gray = Mask.empty((GRID, GRID)), draw.integers(0, 256, (1, GRID, GRID), dtype=np.uint8)
    maps = (replace(first.maps[0], saliency=draw.random((GRID, GRID), dtype=np.float32)),)
    round_ = replace(first, regions=tuple(found), image=gray, erased=empty, erased_after=empty, maps=maps)
    source = replace(run().source, geometry=geometry, channels=1)
    shown = replace(run(), rounds=(round_,), trust=None, source=source, final_images={None: gray})
    return make_view(shown, preview=make_preview(image)).to_json()


# Notes when the stage first says that nothing is left to draw.
WATCH = """globalThis.whole = new Promise((done) => {
  const look = () => {
    const stage = document.querySelector("#place > div")?.shadowRoot.querySelector(".stage[aria-busy=false]");
    if (stage) done(performance.now());
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
});"""


def measure(path: Path, repeats: int) -> list[dict]:
    """One row of numbers for each of `repeats` fresh pages."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    chromium = os.environ.get("UNVEIL_CHROMIUM") or shutil.which("chromium")
    rows = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(repeats):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.add_init_script(WATCH)
            page.goto(path.as_uri())
            page.evaluate("whole")
            page.wait_for_timeout(500)
            rows.append(page.evaluate(MEASURE))
            page.close()
        browser.close()
    return rows


def middle(values: list[float]) -> dict[str, float]:
    """The median, the smallest and the largest of repeated measurements, in ms."""
    return {"ms": round(float(np.median(values)), 1), "low": round(min(values), 1), "high": round(max(values), 1)}


def summarize(rows: list[dict]) -> dict:
    """The same keys as each row, with what the repeats gave."""
    summary = {}
    for key, first in rows[0].items():
        if isinstance(first, dict):
            summary[key] = {part: middle([row[key][part] for row in rows]) for part in first}
        else:
            summary[key] = middle([row[key] for row in rows])
    return summary


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regions", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    text = radiograph(given.regions)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(page_of(text), encoding="utf-8")
        rows = measure(path, given.repeats)
    size = {"megabytes": round(len(text) / 1e6, 1), "regions": given.regions, "repeats": given.repeats}
    print(json.dumps({**size, **summarize(rows)}, indent=1))


if __name__ == "__main__":
    main()
