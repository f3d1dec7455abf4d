"""The whole task in a browser: upload, watch, stop, go on, hide something, judge, export, and reload in the middle."""

import json
import zipfile
from pathlib import Path

import pytest

from serve_pages import draw, settle_bench

pytestmark = pytest.mark.browser
SLOW = "600"  # noise samples of a round, so that a run is still going on when it is stopped


def choose(page, name: str) -> None:
    page.get_by_role("radio", name=name).click()


def test_the_whole_task(visit, page_server, scene, tmp_path):
    page = visit()
    page.locator("input[type=file]").set_input_files(scene)
    page.get_by_role("radio", name="scene.png", checked=True).wait_for()
    page.get_by_label("Noise samples").fill(SLOW)
    page.get_by_role("button", name="Start", exact=True).click()
    page.locator(".status .state.running").wait_for()
    page.locator("tr[data-region]").first.wait_for()  # the first round, while the run goes on
    page.get_by_role("button", name="Stop", exact=True).click()
    page.locator(".status .state.stopped").wait_for()
    job = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('job')")
    rounds = page_server.job(job)["rounds"]
    assert rounds >= 1

    page.get_by_role("button", name="3 more rounds").click()
    page.locator(".status .state.running").wait_for()
    page.reload()  # in the middle
    page.locator(".status .state.running").wait_for()
    page.locator(".status .state.finished").wait_for(timeout=180_000)
    assert page_server.job(job)["rounds"] > rounds
    assert page.get_by_role("slider", name="Round").get_attribute("max") == str(page_server.job(job)["rounds"])

    settle_bench(page)
    page.keyboard.press("b")
    draw(page, [(40, 40), (60, 60)])
    page.get_by_role("button", name="Ask").click()
    page.get_by_text("p = ").first.wait_for()
    (asked,) = page_server.client.get(f"/api/jobs/{job}/what-ifs").json()
    assert [one["kind"] for one in asked["what_if"]["drawing"]["strokes"]] == ["brush"]
    shown = page.locator(".changes tbody tr").all_inner_texts()
    assert [line.split("\t")[0] for line in shown] == [one["name"] for one in asked["what_if"]["labels"]][: len(shown)]

    page.get_by_role("button", name="Judge", exact=True).first.click()
    page.get_by_role("button", name="Begin with region 1").click()
    with page.expect_response(lambda one: one.request.method == "PATCH"):
        page.get_by_role("button", name="Accept").click()
    (judgment,) = page_server.client.get(f"/api/jobs/{job}/review").json()["judgments"].values()
    assert (judgment["answer"], judgment["blind"]) == ("accept", False)

    for name, check in (("Record", is_zip), ("Masks", is_zip), ("COCO", is_json), ("Table of regions", has_rows)):
        page.locator("summary", has_text="Export").click()
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert check(path), name


def is_zip(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return archive.testzip() is None and bool(archive.namelist())


def is_json(path: Path) -> bool:
    return bool(json.loads(path.read_text())["annotations"])


def has_rows(path: Path) -> bool:
    return len(path.read_text().splitlines()) > 1
