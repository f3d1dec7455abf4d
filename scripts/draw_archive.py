"""Draw the picture of an archive's page in the docs: planted scenes with a letter, summarized and opened in Chromium.

python scripts/draw_archive.py            # into docs/pictures
"""

import argparse
import io
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image as Pillow  # noqa: TID251 (screenshots as JPEG files)

from unveil.batch.driver import run_archive
from unveil.batch.engines.spawn import Spawn
from unveil.batch.summary import example_pictures, save_summary, summarize_archive
from unveil.recipes import demo

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from shortcut_archive import plan_archive, write_scenes  # noqa: E402 (beside the package)  # pyright: ignore[reportMissingImports]

QUALITY, SCALE, WIDTH = 84, 1.5, 900


def take_picture(page: Path, out: Path) -> None:
    """A screenshot of the top of the page, up to the end of the first two labels."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    chromium = os.environ.get("UNVEIL_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": WIDTH, "height": 900}, device_scale_factor=SCALE)
        tab = context.new_page()
        tab.goto(page.as_uri())
        bottom = tab.evaluate("document.querySelector('.labels tbody tr:nth-child(2)').getBoundingClientRect().bottom")
        whole = tab.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": bottom})
        Pillow.open(io.BytesIO(whole)).convert("RGB").save(out, quality=QUALITY, optimize=True)


def main() -> None:
    """Make the archive, its page, and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    with TemporaryDirectory() as given:
        folder = Path(given)
        archive = plan_archive(folder, write_scenes(folder / "scenes", 48, marked=True), demo())
        run_archive(archive, Spawn(archive.folder, chosen.workers))
        summary = summarize_archive(archive)
        pictures = example_pictures(archive, summary.shortcuts)
        page = save_summary(summary, folder / "page.html", title="Scenes with a letter", pictures=pictures)
        take_picture(page, chosen.out / "archive-summary.jpg")


if __name__ == "__main__":
    main()
