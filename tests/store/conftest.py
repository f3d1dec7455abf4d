"""A record to damage: written once, and a copy of it for each test."""

import shutil
from pathlib import Path

import pytest

from tiny_runs import run
from unveil.store import save_run


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    return save_run(run("plain, separate tracks", spacing=True), tmp_path_factory.mktemp("records") / "run")


@pytest.fixture
def folder(pristine, tmp_path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "run"))
