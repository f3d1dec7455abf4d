"""What-ifs over HTTP: the answer at once, its test later, and what is refused."""

import json

import pytest

from serve.serving import opened_page
from unveil.what_if import Drawing, ask_what_if
from workplaces import picture, tiny, wait_for

BRUSH = {"kind": "brush", "width_px": 9, "points": [[20, 20], [22, 30]]}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with opened_page(tmp_path_factory.mktemp("serve")) as page:
        image = page.workplace.add_image("a.png", iter([picture()]))
        page.job = page.finish(tiny(image))
        yield page


def test_an_answer_comes_at_once_and_its_test_later(page):
    path = f"/api/jobs/{page.job}/what-ifs"
    before = page.workplace.last_event
    drawing = {"strokes": [BRUSH, {"kind": "region", "region": "r1.1"}]}
    answer = page("POST", path, {"drawing": drawing})
    assert answer.status == 201, answer.body
    first = answer.json()
    assert first["testing"] is True
    assert first["what_if"]["p_value"] is None
    wait_for(lambda: [event for event in page.workplace.events(before) if event.kind == "what_if"])
    (event,) = [event for event in page.workplace.events(before) if event.kind == "what_if"]
    assert (event.job, event.data) == (page.job, {"number": first["number"]})
    tested = page.get(f"{path}/{first['number']}")
    assert tested["testing"] is False
    wanted = page.workplace.ask(page.job, lambda context: ask_what_if(context, Drawing.from_dict(drawing)))
    assert tested["what_if"] == json.loads(json.dumps(wanted.as_dict()))
    assert tested["what_if"]["labels"] == first["what_if"]["labels"]
    assert page.get(path)[-1] == tested
    assert page.service.testing == {}


def test_on_what_the_run_left(page):
    question = {"drawing": {"strokes": [BRUSH]}, "on": "erased", "rounds": 1, "target": "class:1"}
    answer = page("POST", f"/api/jobs/{page.job}/what-ifs", question)
    assert answer.status == 201, answer.body
    what_if = answer.json()["what_if"]
    assert (what_if["on"], what_if["rounds"]) == ("erased", 1)
    wait_for(lambda: not page.service.testing)


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"drawing": []},
        {"drawing": {}},
        {"drawing": {"strokes": []}},
        {"drawing": {"strokes": [{**BRUSH, "kind": "eraser"}]}},
        {"drawing": {"strokes": [{**BRUSH, "kind": "fill"}]}},
        {"drawing": {"strokes": [{**BRUSH, "width_px": -1}]}},
        {"drawing": {"strokes": [{**BRUSH, "width_px": "9"}]}},
        {"drawing": {"strokes": [{**BRUSH, "points": [[1, 2, 3]]}]}},
        {"drawing": {"strokes": [{**BRUSH, "points": [[1e300, 0]]}]}},
        {"drawing": {"strokes": [{**BRUSH, "points": [[1, 1]] * 6000}]}},
        {"drawing": {"strokes": [BRUSH] * 201}},
        {"drawing": {"strokes": [{**BRUSH, "points": [[5000, 5000]]}]}},
        {"drawing": {"strokes": [{"kind": "region", "region": "r99.1"}]}},
        {"drawing": {"strokes": [{"kind": "region", "region": "../../x"}]}},
        {"drawing": {"strokes": [BRUSH]}, "on": "nothing"},
        {"drawing": {"strokes": [BRUSH]}, "rounds": 0},
        {"drawing": {"strokes": [BRUSH]}, "target": "class:nothing"},
        {"drawing": {"strokes": [BRUSH]}, "more": 1},
    ],
    ids=lambda question: str(question)[:60],
)
def test_drawings_that_are_refused(page, question):
    before = page.get(f"/api/jobs/{page.job}/what-ifs")
    answer = page("POST", f"/api/jobs/{page.job}/what-ifs", question)
    assert answer.status == 422, answer.body
    assert list(answer.json()) == ["error"]
    assert page.get(f"/api/jobs/{page.job}/what-ifs") == before
    assert page.service.testing == {}


def test_numbers_that_are_not_there(page):
    assert page("GET", f"/api/jobs/{page.job}/what-ifs/999").status == 404
    assert page("GET", f"/api/jobs/{page.job}/what-ifs/0").status == 422
    assert page("GET", f"/api/jobs/{'0' * 16}/what-ifs").status == 404
    assert page("POST", f"/api/jobs/{'0' * 16}/what-ifs", {"drawing": {"strokes": [BRUSH]}}).status == 404
