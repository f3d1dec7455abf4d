"""What a report of thousands of runs costs: making it, opening it, and finding something in it.

    python benchmarks/report_index.py
    python benchmarks/report_index.py --runs 200 --out /tmp/report.html   # keeps the report

Makes runs from a few real ones of planted scenes: with other names, labels, drops, verdicts, and places of their
regions. They are made on the way, as records would be read, so the peak of memory is that of the report. Then opens it
in Chromium without a GPU. Prints one JSON object: sizes in MB, making in s, ms until the table can be used (from the
start of navigation until the table answers to a filter), ms of a filter, ms until a run is drawn (median and largest
of 20), and the JavaScript heap in MB, before garbage is collected and after.
"""

import argparse
import json
import os
import resource
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from unveil import Mask, Run, load_run
from unveil.records import Verdict
from unveil.report import save_report

REAL_RUNS = 12
READY = """async () => {
  const answer = () => document.querySelector(".filters output")?.textContent ?? "";
  while (!answer().endsWith(" runs")) await new Promise((done) => setTimeout(done, 5));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now();
}"""
MEASURE = """async () => {
  const { text } = document.querySelector(".filters").elements;
  const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const filter = async (value) => {
    const start = performance.now();
    text.value = value;
    text.dispatchEvent(new Event("input", { bubbles: true }));
    await painted();
    return performance.now() - start;
  };
  const drawn = () => {
    const canvas = document.querySelector(".open .viewer > div")?.shadowRoot.querySelector("canvas");
    if (!canvas?.width) return false;
    const middle = [canvas.width >> 1, canvas.height >> 1, 1, 1];
    return canvas.getContext("2d").getImageData(...middle).data[3] > 0;
  };
  const result = { filter: [], open: [] };
  for (const value of ["7", "77", "77.png", "oak", ""]) result.filter.push(await filter(value));
  for (let count = 0; count < 20; count++) {
    document.querySelector(".rows").scrollTop = 53 * 9 * count;
    await painted();
    const start = performance.now();
    document.querySelectorAll(".runs tr.link button")[12].click();
    await new Promise((done) => setTimeout(done));
    while (!drawn()) await new Promise(requestAnimationFrame);
    result.open.push(performance.now() - start);
    document.querySelector("[name=all]").click();
    await painted();
  }
  return result;
}"""


def save_real_runs(folder: Path) -> None:
    """Save runs of planted scenes that have regions."""
    from unveil import Image, find_regions, load_classifier  # noqa: PLC0415 (torch, which would count as memory)
    from unveil.planted import draw_scene  # noqa: PLC0415

    classifier, found, seed = load_classifier("planted/demo"), 0, 100_000
    while found < REAL_RUNS:
        run = find_regions(Image.from_array(draw_scene(seed).pixels), classifier, "demo")
        if run.regions:
            run.save(folder / str(found))
            found += 1
        seed += 1


def real_runs() -> list[Run]:
    """Runs of planted scenes, made in another process, so that this one needs no torch."""
    with TemporaryDirectory() as folder:
        maker = get_context("spawn").Process(target=save_real_runs, args=(Path(folder),))
        maker.start()
        maker.join()
        return [load_run(Path(folder) / str(number)) for number in range(REAL_RUNS)]


def varied(real: list[Run], count: int) -> Iterator[Run]:
    """That many runs, each unlike the others."""
    draw = np.random.default_rng(0)
    for number in range(count):
        run = real[number % len(real)]
        shift = int(draw.integers(-40, 41)), int(draw.integers(-40, 41))
        scale = float(draw.lognormal(0, 0.7))
        rounds = tuple(
            replace(
                round_,
                regions=tuple(
                    replace(
                        region,
                        mask=moved(region.mask, shift),
                        model_mask=moved(region.model_mask, shift),
                        score_before=region.score_after + scale * region.drop,
                    )
                    for region in round_.regions
                ),
            )
            for round_ in run.rounds
        )
        labels = tuple(f"{name} {draw.integers(20)}" for name in run.classifier.labels)
        source = replace(run.source, name=f"site-{number % 9}/image-{number:05d}.png")
        yield replace(
            run,
            rounds=rounds,
            source=source,
            classifier=replace(run.classifier, labels=labels),
            trust=judged(run, draw),
        )


def moved(mask: Mask, shift: tuple[int, int]) -> Mask:
    """The mask, rolled."""
    return Mask.from_array(np.roll(mask.to_array(), shift, axis=(0, 1)))


def judged(run: Run, draw: np.random.Generator) -> Any:
    """Trust cards with other verdicts."""
    kinds = draw.choice(list(Verdict), len(run.regions), p=(0.8, 0.15, 0.05))
    if run.trust is None:
        return None
    cards = zip(run.trust.cards, kinds, strict=True)
    return replace(run.trust, cards=tuple(replace(card, verdict=Verdict(kind)) for card, kind in cards))


def in_browser(path: Path) -> dict[str, Any]:
    """What a reader waits for."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    chromium = os.environ.get("UNVEIL_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        usable, measured, heap = [], {}, []
        for _ in range(3):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(path.as_uri(), wait_until="commit")
            usable.append(page.evaluate(READY))
            page.wait_for_timeout(500)
            measured = page.evaluate(MEASURE)
            session = page.context.new_cdp_session(page)
            heap = [session.send("Runtime.getHeapUsage")["usedSize"]]
            session.send("HeapProfiler.collectGarbage")
            heap.append(session.send("Runtime.getHeapUsage")["usedSize"])
            page.close()
        browser.close()
    return {
        "usable_ms": [round(value) for value in usable],
        "filter_ms": round(max(measured["filter"])),
        "open_ms": [round(float(np.median(measured["open"]))), round(max(measured["open"]))],
        "heap_mb": [round(value / 1e6, 1) for value in heap],
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--out", type=Path, help="where the report is kept")
    options = parser.parse_args()
    real = real_runs()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        path, kind = save_report(varied(real, options.runs), options.out or Path(folder) / "report.html")
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        files = [one for one in (path.parent.rglob("*") if kind == "folder" else [path]) if one.is_file()]
        result = {
            "runs": options.runs,
            "kind": kind,
            "page_mb": round(path.stat().st_size / 1e6, 2),
            "all_mb": round(sum(one.stat().st_size for one in files) / 1e6, 1),
            "making_s": round(seconds, 1),
            "peak_mb": round(peak / 1e3),
            "peak_more_mb": round((peak - before) / 1e3),
            **in_browser(path),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
