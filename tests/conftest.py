"""Every shape in a signature is checked while the tests run; the real assets are used where they are."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("unveil", "checking.check")

# Examples are drawn anew in every run only where a person looks on; no deadline, because these machines are shared.
settings.register_profile("unveil", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("unveil")

# Nothing is kept between processes, neither by the tests nor by the commands that they start.
os.environ["UNVEIL_CACHE"] = ""

if "PYTEST_XDIST_WORKER" in os.environ:
    import torch

    torch.set_num_threads(1)

CHROMIUM = os.environ.get("UNVEIL_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
BESIDE = Path(__file__).parents[2] / "shared" / "assets"


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of real networks and photographs; tests that need it are skipped where it isn't."""
    folder = Path(os.environ.get("UNVEIL_ASSETS", BESIDE))
    if not (folder / "weights").is_dir():
        pytest.skip("no assets: set UNVEIL_ASSETS to their folder")
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Chromium; tests are skipped where it or playwright isn't installed."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium: install it, or set UNVEIL_CHROMIUM")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()
