"""The whole task by keyboard alone: nothing is clicked here."""

import pytest

from serve_pages import settle_bench

pytestmark = pytest.mark.browser
FOCUSED = """() => { let one = document.activeElement;
while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
return [one?.tagName, one?.getAttribute("role") ?? "", (one?.getAttribute("aria-label") ?? one?.textContent ?? "").trim()].join(" "); }"""


def tab_to(page, *wanted: str, most: int = 60) -> None:
    """Press Tab until the element that has the focus says all of these words."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if all(word in page.evaluate(FOCUSED) for word in wanted):
            return
    pytest.fail(f"{wanted} can't be reached by Tab")


def test_the_whole_task_by_keys(visit, page_server, scene):
    page_server.upload(scene, "by keys.png")
    page = visit()
    page.locator("[role=radio]").first.wait_for()
    tab_to(page, "radio")
    names = page.locator("[role=radio] .name").all_inner_texts()
    for _ in range(names.index("scene.png") if "scene.png" in names else 0):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert page.get_by_role("radio", checked=True).count() == 1
    tab_to(page, "BUTTON", "Start")
    page.keyboard.press("Enter")
    page.locator(".status .state.finished").wait_for(timeout=120_000)
    settle_bench(page)
    job = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('job')")

    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    assert page.get_by_role("slider", name="Round").input_value() == "1"
    page.keyboard.press("ArrowDown")  # the first region
    page.keyboard.press("r")  # hide it
    page.keyboard.press("Enter")  # what if
    page.locator(".asked li", has_text="p = ").wait_for()
    page.keyboard.press("Control+z")
    assert page.get_by_role("button", name="Ask", exact=True).is_disabled()

    page.keyboard.press("a")  # judging begins with the region that is chosen
    page.keyboard.press("n")
    page.keyboard.type("all of the figure")
    page.keyboard.press("Control+Enter")
    page.keyboard.press("a")
    with page.expect_response(lambda one: one.request.method == "PATCH" and "reject" in one.request.post_data):
        page.keyboard.press("x")  # for the next region, without waiting for the server
    judgments = page_server.client.get(f"/api/jobs/{job}/review").json()["judgments"]
    assert [one["answer"] for one in judgments.values()] == ["accept", "reject"]
    assert [one["note"] for one in judgments.values()] == ["all of the figure", ""]

    tab_to(page, "SUMMARY", "Export")
    page.keyboard.press("Enter")
    tab_to(page, "A", "Record")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename.endswith(".zip")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog", name="Keys").is_visible()


def test_a_tool_takes_the_focus_from_a_button(visit, new_job):
    page = visit(f"#job={new_job}")
    settle_bench(page)
    page.get_by_role("button", name="Agreement").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("r")
    assert page.evaluate(FOCUSED).startswith("CANVAS img")
    page.keyboard.press("Enter")  # asks, and doesn't open the table
    page.locator(".changes").wait_for()
    assert page.get_by_role("dialog").count() == 0


def test_keys_of_text_are_text(visit, finished_job):
    page = visit(f"#job={finished_job}")
    settle_bench(page)
    page.keyboard.press("n")
    page.keyboard.type("box [r] ?")
    assert page.locator(".note textarea").input_value() == "box [r] ?"
    assert page.get_by_role("dialog").count() == 0
    assert page.evaluate("(job) => localStorage.getItem(`unveil strokes ${job}`)", finished_job) is None


def test_all_keys_are_listed(visit, finished_job):
    page = visit(f"#job={finished_job}")
    settle_bench(page)
    page.keyboard.press("?")
    listed = page.get_by_role("dialog", name="Keys").locator("kbd").all_inner_texts()
    assert {"B", "E", "L", "R", "V", "A", "X", "U", "N", "[", "]", "Ctrl+Z", "Ctrl+Y", "Enter", "Esc", "?", "S"} <= set(
        listed
    )
