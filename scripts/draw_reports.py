"""Draw the pictures of reports in the README and the docs: does what docs/tutorial.md says, and opens it in Chromium.

python scripts/draw_reports.py            # into docs/pictures
"""

import argparse
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image as Pillow  # noqa: TID251 (screenshots as JPEG files)

ROOT = Path(__file__).resolve().parents[1]
UNVEIL = "from unveil.cli import main; main()"
KEY = "table-11.png"  # a picture with a key and a tag
QUALITY, SCALE = 86, 1.5


def follow_tutorial(folder: Path) -> None:
    """Save the files of the tutorial and run its commands, but for opening the report."""
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    for name, content in re.findall(r'^```python title="(.*?)"\n(.*?)^```', text, re.DOTALL | re.MULTILINE):
        (folder / name).write_text(content, encoding="utf-8")
    for line in re.findall(r"^\$ (.*)$", text, re.MULTILINE):
        program, *words = shlex.split(line)
        given = [file for word in words if word != "--open" for file in files_of(word, folder)]
        start = [sys.executable] if program == "python" else [sys.executable, "-c", UNVEIL]
        subprocess.run([*start, *given], check=True, cwd=folder)  # noqa: S603 (the tutorial's own)


def files_of(word: str, folder: Path) -> list[str]:
    """What a shell makes of a word."""
    return sorted(str(path.relative_to(folder)) for path in folder.glob(word)) if "*" in word else [word]


def take_pictures(page: Path, out: Path) -> None:
    """Screenshots of the index and of one run, light and dark."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    chromium = os.environ.get("UNVEIL_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": 1200, "height": 980}, device_scale_factor=SCALE, color_scheme=scheme
            )
            tab = context.new_page()
            tab.goto(page.as_uri())
            tab.wait_for_timeout(1000)
            height = tab.evaluate("document.querySelector('.heats').getBoundingClientRect().bottom") + 24
            whole = tab.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": 1200, "height": height})
            save(whole, out / name_of("index", scheme))
            tab.get_by_role("button", name=KEY).click()
            tab.wait_for_timeout(1500)
            save(tab.screenshot(), out / name_of("run", scheme))
            context.close()
        browser.close()


def name_of(what: str, scheme: str) -> str:
    """The name of a picture."""
    return f"report-{what}{'-dark' * (scheme == 'dark')}.jpg"


def save(png: bytes, path: Path) -> None:
    """Save a screenshot as JPEG."""
    Pillow.open(io.BytesIO(png)).convert("RGB").save(path, quality=QUALITY, optimize=True)


def main() -> None:
    """Draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--folder", type=Path, help="a folder in which the tutorial was followed; default: a new one")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        if options.folder is None:
            follow_tutorial(folder)
        take_pictures(folder.resolve() / "report.html", options.out)


if __name__ == "__main__":
    main()
