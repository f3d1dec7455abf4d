"""A server for the tests of its page, and pages of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from serve_pages import Server, Visits, write_scene


@pytest.fixture(scope="session")
def page_server(tmp_path_factory) -> Iterator[Server]:
    """A server with one finished job."""
    pytest.importorskip("uvicorn")
    server = Server(tmp_path_factory.mktemp("serve"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def scene(tmp_path_factory) -> Path:
    """A planted scene as a file."""
    return write_scene(tmp_path_factory.mktemp("scene") / "scene.png")


@pytest.fixture(scope="session")
def finished_job(page_server, scene) -> str:
    """A job with trust cards that is finished; tests that judge or ask take a job of their own."""
    job = page_server.submit(page_server.upload(scene))
    assert page_server.wait_for(job)["state"] == "finished"
    return job


@pytest.fixture
def new_job(page_server, scene) -> str:
    """Another finished job with trust cards."""
    job = page_server.submit(page_server.upload(scene))
    assert page_server.wait_for(job)["state"] == "finished"
    return job


@pytest.fixture
def visit(browser, page_server) -> Iterator[Visits]:
    """Opens pages; whatever the browser complains of is a failure."""
    visits = Visits(browser, page_server)
    yield visits
    visits.close()
    assert visits.problems == []
