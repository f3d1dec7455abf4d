"""How the page looks and reads in each state, light and dark; that it finds the server again; and that many pages stream."""

import json
import re
from pathlib import Path

import pytest

from serve_pages import Server, Visits, draw, settle_bench, write_scene
from view_pages import serious_problems

pytestmark = pytest.mark.browser
TYPES = Path(__file__).parents[2] / "web" / "app" / "types.ts"


@pytest.mark.parametrize("dark", [False, True])
def test_no_serious_problems_of_accessibility(visit, new_job, dark):
    page = visit(dark=dark)
    page.locator(".tile").first.wait_for()
    page.locator("summary", has_text="All settings").click()
    assert serious_problems(page) == []
    page = visit(f"#job={new_job}", dark=dark)
    settle_bench(page)
    assert serious_problems(page) == []
    page.keyboard.press("b")
    draw(page, [(40, 40), (60, 60)])
    page.keyboard.press("Enter")
    page.locator(".changes").wait_for()
    assert serious_problems(page) == []
    page.keyboard.press("a")
    page.keyboard.press("a")
    page.locator(".given.accept").wait_for()
    page.get_by_label("Blind").check()
    assert serious_problems(page) == []
    page.keyboard.press("?")
    assert serious_problems(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Agreement").click()
    page.locator(".counts").first.wait_for()
    assert serious_problems(page) == []


@pytest.mark.parametrize("width", [1400, 1000, 700, 420])
def test_nothing_is_wider_than_the_window(visit, finished_job, width):
    page = visit(width=width)
    page.locator(".tile").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page = visit(f"#job={finished_job}", width=width)
    settle_bench(page)
    for mode in ("Look", "What if", "Judge"):
        page.locator(".modes").get_by_role("button", name=mode).click()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_file_that_is_no_image_is_refused_with_a_reason(visit):
    page = visit()
    page.locator("input[type=file]").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"text"})
    reason = page.locator(".uploads .why")
    reason.wait_for()
    assert "; got " in reason.inner_text()
    page.get_by_role("button", name="Dismiss a.txt").click()
    assert page.locator(".uploads li").count() == 0
    assert all("status of 4" in problem for problem in visit.problems)
    visit.problems.clear()  # the browser lists refused requests


def test_a_link_opens_one_session(visit, page_server):
    link = page_server.link()
    context = visit.context(has_cookie=False)
    page = context.new_page()
    page.goto(link)
    page.locator(".tile, .drop").first.wait_for()
    assert "token" not in page.url
    other = visit.context(has_cookie=False).new_page()
    assert other.goto(link).status == 401


def test_what_is_shown_is_in_the_address(visit, finished_job):
    page = visit(f"#job={finished_job}")
    settle_bench(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    place = page.url
    assert re.search(r"#job=\w+&round=1&region=r1\.1$", place)
    other = visit(place.partition("/#")[2] and "#" + place.partition("#")[2])
    settle_bench(other)
    assert other.get_by_role("slider", name="Round").input_value() == "1"
    assert other.locator("tr.active").first.get_attribute("data-region") == "r1.1"
    page.get_by_role("button", name="New run").click()
    page.go_back()
    settle_bench(page)
    assert page.get_by_role("slider", name="Round").input_value() == "1"


def test_camera_round_and_region_stay_when_more_rounds_come(visit, page_server, scene):
    job = page_server.submit(page_server.upload(scene), trust=False, settings={"stop.stops.0.rounds": 1})
    page_server.wait_for(job)
    page = visit(f"#job={job}")
    settle_bench(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("i")
    page.keyboard.press("+")
    settle_bench(page)
    corners = page.locator(".corner").all_inner_texts()
    page.get_by_role("button", name="3 more rounds").click()
    page.locator(".status .state.finished").wait_for()
    page.locator('input[aria-label="Round"]:not([max="1"])').wait_for()
    settle_bench(page)
    assert page.locator(".corner").all_inner_texts() == corners
    assert page.locator("tr.active").first.get_attribute("data-region") == "r1.1"


def test_ten_pages_of_one_browser_see_a_run(visit, page_server, scene):
    """Browsers open six connections to a server, so ten streams would leave four pages waiting for ever."""
    context = visit.context()
    pages = [visit(context=context) for _ in range(10)]
    job = page_server.submit(page_server.upload(scene), trust=False)
    for page in pages:
        page.locator(".run .state.finished").first.wait_for()
        page.locator(".run").first.click()
        settle_bench(page)
    assert all(job in page.url for page in pages)


def test_another_browser_sees_a_run_and_its_end(visit, page_server, scene):
    first, second = visit(), visit()
    first.locator(".tile").first.click()
    before = second.locator(".run").count()
    first.get_by_role("button", name="Start", exact=True).click()
    second.locator(".run").nth(before).wait_for()
    second.locator(".run").first.click()
    second.locator(".status .state.finished").wait_for()
    settle_bench(second)
    assert second.locator(".run").count() == before + 1


def test_a_server_that_is_killed_is_found_again(browser, tmp_path):
    server = Server(tmp_path / "data")
    visits = Visits(browser, server)
    job = server.submit(server.upload(write_scene(tmp_path / "scene.png")), settings={"attribution.samples": 400})
    page = visits(f"#job={job}")
    page.locator("tr[data-region]").first.wait_for()
    server.kill()
    page.locator(".banner").wait_for()
    again = Server(tmp_path / "data", server.port)
    page.context.add_cookies(again.cookies)
    page.locator(".banner").wait_for(state="detached")
    page.locator(".status .state.finished").wait_for(timeout=120_000)
    assert again.job(job)["state"] == "finished"
    visits.close()
    again.stop()


def interface(name: str) -> tuple[set[str], set[str]]:
    """The required and the optional fields of an interface of the page."""
    body = re.search(rf"export interface {name} {{\n(.*?)\n}}", TYPES.read_text(), re.DOTALL)
    assert body, name
    fields = re.findall(r"^  (\w+)(\??):", body.group(1), re.MULTILINE)
    return {one for one, optional in fields if not optional}, {one for one, optional in fields if optional}


def test_the_page_knows_what_the_server_answers(page_server, new_job):
    get = lambda path: page_server.client.get(path).json()  # noqa: E731
    answers = {
        "Session": [get("/api/session")],
        "ModelInfo": get("/api/session")["models"],
        "RecipeInfo": get("/api/session")["recipes"],
        "FormField": get("/api/recipe-form?recipe=demo")["fields"],
        "StoredImage": get("/api/images"),
        "Job": [get(f"/api/jobs/{new_job}")],
        "Review": [get(f"/api/jobs/{new_job}/review")],
        "Agreement": [get("/api/agreement")],
        "AgreementTable": [get("/api/agreement")["blind"]],
    }
    drawing = {"strokes": [{"kind": "lasso", "points": [[9, 9], [9, 40], [40, 20]]}]}
    asked = page_server.client.post(f"/api/jobs/{new_job}/what-ifs", json={"drawing": drawing, "on": "original"}).json()
    answers |= {"WhatIfEntry": [asked], "WhatIf": [asked["what_if"]], "LabelChange": asked["what_if"]["labels"]}
    for name, found in answers.items():
        required, optional = interface(name)
        assert found, name
        for one in found:
            assert required <= set(one), (name, required - set(one))
            if name in ("Job", "Session", "ModelInfo", "FormField", "StoredImage"):
                assert set(one) <= required | optional, (name, json.dumps(sorted(set(one) - required - optional)))


def test_the_page_uses_only_routes_that_are_described(page_server):
    paths = page_server.client.get("/api/openapi.json").json()["paths"]
    source = "".join(path.read_text() for path in TYPES.parent.glob("*.ts"))
    used = set(re.findall(r'["`](/api/[a-z-]+)', source))
    assert used and all(any(path.startswith(one) for path in paths) for one in used)
    parts = set(re.findall(r"jobPath\([\w.]+, [\"`](/[a-z-]+)", source)) | {"/export"}
    assert len(parts) >= 6
    assert all(any(path.startswith(f"/api/jobs/{{job_id}}{part}") for path in paths) for part in parts)
