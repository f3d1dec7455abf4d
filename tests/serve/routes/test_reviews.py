"""Judgments over HTTP: kept beside the record, and never in it."""

import time

import pytest

from serve.serving import opened_page
from unveil.review import load_review
from unveil.store import load_run
from workplaces import picture, tiny


@pytest.fixture
def page(tmp_path):
    with opened_page(tmp_path) as page:
        image = page.workplace.add_image("a.png", iter([picture()]))
        page.job = page.finish(tiny(image))
        yield page


def test_a_review_grows_region_by_region(page):
    path = f"/api/jobs/{page.job}/review"
    folder = page.workplace.record_folder(page.job)
    sealed = {file.name: file.read_bytes() for file in folder.iterdir()}
    empty = page.get(path)
    assert (empty["reviewer"], empty["judgments"]) == ("", {})
    note = "<script>alert(1)</script> ' \u202e 浮腫"
    before = time.time()
    first = page("PATCH", f"{path}/r1.1", {"answer": "accept", "note": note, "blind": True})
    assert first.status == 200, first.body
    second = page("PATCH", f"{path}/r2.1", {"answer": "reject"}).json()
    assert {name: one["answer"] for name, one in second["judgments"].items()} == {"r1.1": "accept", "r2.1": "reject"}
    kept = second["judgments"]["r1.1"]
    assert (kept["note"], kept["blind"]) == (note, True)
    assert before <= kept["time_s"] <= time.time()
    assert page.get(path) == second
    review = load_review(folder)
    assert review is not None
    assert review.judgments["r1.1"].note == note
    back = page("PATCH", f"{path}/r1.1", {"answer": None}).json()
    assert list(back["judgments"]) == ["r2.1"]
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == sealed
    csv = page("GET", f"/api/jobs/{page.job}/export/review.csv").body.decode()
    assert csv.count("\n") == 2
    assert "reject" in csv


def test_a_whole_review_is_replaced(page):
    path = f"/api/jobs/{page.job}/review"
    judgments = {"r1.1": {"answer": "unsure", "note": "", "blind": False, "time_s": 5.0}}
    saved = page("PUT", path, {"reviewer": "A. B.", "judgments": judgments})
    assert saved.status == 200, saved.body
    assert saved.json()["judgments"] == judgments
    assert page.get(path)["reviewer"] == "A. B."
    assert page("PUT", path, {}).json()["judgments"] == {}


def test_the_agreement_of_two_jobs(page):
    other = page.finish(tiny(page.workplace.images()[0], seed=4))
    empty = page.get("/api/agreement")
    for job in (page.job, other):
        for number, _ in enumerate(load_run(page.workplace.record_folder(job)).rounds[:2], start=1):
            answer = page("PATCH", f"/api/jobs/{job}/review/r{number}.1", {"answer": "accept"})
            assert answer.status == 200, answer.body
    assert page.get("/api/agreement") != empty
    # A record that was damaged doesn't keep the others from being counted.
    (page.workplace.record_folder(other) / "arrays.safetensors").write_bytes(b"x")
    alone = page.get("/api/agreement")
    assert alone != empty


@pytest.mark.parametrize(
    ("region", "judgment", "status"),
    [
        ("r99.1", {"answer": "accept"}, 422),
        ("r0.1", {"answer": "accept"}, 422),
        ("..%2f..%2fx", {"answer": "accept"}, 404),
        ("r1.1", {"answer": "maybe"}, 422),
        ("r1.1", {}, 422),
        ("r1.1", {"answer": "accept", "note": "x" * 2001}, 422),
        ("r1.1", {"answer": "accept", "note": 1}, 422),
        ("r1.1", {"answer": "accept", "blind": 1}, 422),
        ("r1.1", {"answer": "accept", "time_s": 1}, 422),
    ],
)
def test_judgments_that_are_refused(page, region, judgment, status):
    answer = page("PATCH", f"/api/jobs/{page.job}/review/{region}", judgment)
    assert answer.status in (status, 422), answer.body
    assert list(answer.json()) == ["error"]
    assert page.get(f"/api/jobs/{page.job}/review")["judgments"] == {}


def test_reviews_of_jobs_without_a_record(page):
    image = page.workplace.images()[0]
    job = page.workplace.submit(tiny(image, settings={"attribution.samples": 100_000}, trust=False)).id
    assert page.get(f"/api/jobs/{job}/review") == {"record_sha256": None, "reviewer": "", "judgments": {}}
    assert page("PATCH", f"/api/jobs/{job}/review/r1.1", {"answer": "accept"}).status == 409
    assert page("GET", f"/api/jobs/{job}/export/record.zip").status == 409
    page.workplace.delete(job)
