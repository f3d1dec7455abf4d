"""Every shape in a signature is checked while the tests run; the real assets are used where they are."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("unveil", "checking.check")

# Examples are drawn anew in every run only where a person looks on; no deadline, because these machines are shared.
settings.register_profile("unveil", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("unveil")

if "PYTEST_XDIST_WORKER" in os.environ:
    import torch

    torch.set_num_threads(1)

BESIDE = Path(__file__).parents[2] / "shared" / "assets"


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of real networks and photographs; tests that need it are skipped where it isn't."""
    folder = Path(os.environ.get("UNVEIL_ASSETS", BESIDE))
    if not (folder / "weights").is_dir():
        pytest.skip("no assets: set UNVEIL_ASSETS to their folder")
    return folder
