"""The index of many runs as a reader uses it: rows in sight, places, addresses, steps from run to run, and paper."""

from dataclasses import replace

import numpy as np
import pytest

from tiny_runs import run
from unveil.masks import Mask
from unveil.records import Run
from unveil.report import save_report

pytestmark = pytest.mark.browser
COUNT = 90


def numbered(number: int) -> Run:
    """A run with one region: in the upper left corner, or for every third in the lower right one."""
    first = run().rounds[0]
    inside = np.zeros((32, 32), bool)
    place = slice(22, 32) if number % 3 == 0 else slice(0, 10)
    inside[place, place] = True
    region = replace(first.regions[0], model_mask=Mask.from_array(inside), score_before=first.regions[0].score_after)
    region = replace(region, score_before=region.score_after + 1 + number)
    round_ = replace(first, regions=(region,))
    return replace(run(), rounds=(round_,), trust=None, source=replace(run().source, name=f"image-{number:03}.png"))


@pytest.fixture
def index(tmp_path, visit):
    """The page of many runs; by their drops, the first number is the most suspicious."""
    path, _ = save_report([numbered(number) for number in range(COUNT)], tmp_path / "report.html")
    return lambda place="": visit(path, place)


def names(page) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('.runs td.name')].map((cell) => cell.textContent)")


def test_only_rows_in_sight_are_there_and_all_can_be_reached(index):
    page = index()
    seen = set()
    for _ in range(40):
        shown = names(page)
        assert 0 < len(shown) < COUNT
        seen |= set(shown)
        page.evaluate("document.querySelector('.rows').scrollTop += 250")
        page.wait_for_timeout(30)
    assert seen == {f"image-{number:03}.png" for number in range(COUNT)}
    # By the keyboard alone: down ten rows, and open the one that has the focus.
    page.evaluate("document.querySelector('.rows').scrollTop = 0")
    page.wait_for_timeout(50)
    page.locator("tr.link button").first.focus()
    for _ in range(40):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".open .viewer canvas")
    assert page.locator("#open-head").inner_text() == "image-040.png"
    assert page.locator(".step output").inner_text() == f"41 of {COUNT}"


def test_a_place_lists_its_runs(index):
    page = index()
    button = page.locator(".heats button").first
    box = button.bounding_box()
    button.click(position={"x": box["width"] - 20, "y": box["height"] - 20})
    wanted = [f"image-{number:03}.png" for number in range(0, COUNT, 3)]
    assert page.locator(".filters output").inner_text() == f"{len(wanted)} of {COUNT} runs"
    assert set(names(page)) <= set(wanted)
    # The address leads there again, and the button back to all runs.
    again = index(page.evaluate("location.hash"))
    assert names(again)[:5] == wanted[:5]
    again.get_by_role("button", name="place in the image").click()
    again.get_by_role("button", name="Clear").click()
    assert again.locator(".filters output").inner_text() == f"{COUNT} of {COUNT} runs"


def test_steps_follow_the_order_of_the_table(index):
    page = index("#text=image-01&sort=name&down=1")
    assert names(page)[:2] == ["image-019.png", "image-018.png"]
    page.locator("tr.link button").first.click()
    head = page.locator("#open-head")
    for expected in ("image-018.png", "image-017.png"):
        page.get_by_role("button", name="Next").press("Enter")
        page.wait_for_timeout(150)
        assert head.inner_text() == expected
        assert page.evaluate("document.activeElement.name") == "after"
    facts = page.locator(".open .facts").inner_text()
    assert "The classifier predicts" in facts
    assert "What was not found" in facts
    assert page.locator(".alike li").count() == 5
    page.get_by_role("button", name="All runs").click()
    assert page.get_by_label("Search").input_value() == "image-01"
    assert page.evaluate("document.activeElement.textContent") == "image-017.png"


def test_an_unknown_address_shows_all_runs(index):
    page = index("#run-999&verdict=nonsense&label=none&place=9999&sort=x")
    assert page.locator(".filters output").inner_text() == f"{COUNT} of {COUNT} runs"


def test_on_paper_all_rows_are_printed_or_the_open_run_alone(index):
    page = index()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert len(names(page)) == COUNT
    assert page.locator(".run.listed").first.is_visible()
    page.emulate_media(media="screen")
    page.evaluate("location.hash = 'run-3'")
    page.wait_for_selector(".open .viewer canvas")
    page.emulate_media(media="print")
    assert page.locator(".open .paper").is_visible()
    assert not page.locator(".run.listed").first.is_visible()
    assert not page.locator(".open > .viewer").is_visible()
