"""Judging: blind until judged, one region after the other, and what others judge at the same time stays."""

import json
import re

import pytest

from serve_pages import judge, settle_bench, write_scene

pytestmark = pytest.mark.browser
VERDICTS = re.compile(r"supported|\bweak|artifact|no card", re.IGNORECASE)
# All text and all attributes of the page and of its shadow roots, and its title.
EVERYTHING = """() => { const texts = [document.title];
const walk = (node) => {
  if (node.nodeType === Node.TEXT_NODE) texts.push(node.data);
  for (const one of node.attributes ?? []) texts.push(one.value);
  for (const one of node.childNodes) walk(one);
  if (node.shadowRoot) walk(node.shadowRoot);
};
walk(document.documentElement); return texts.join("\\n"); }"""


def go_blind(page) -> None:
    page.get_by_role("button", name="Judge", exact=True).first.click()
    page.get_by_label("Blind").check()
    settle_bench(page)


def test_nothing_tells_the_verdict_before_it_is_judged(visit, page_server, new_job):
    view = page_server.client.get(f"/api/jobs/{new_job}/view").json()
    regions = view["regions"]
    page = visit(f"#job={new_job}")
    settle_bench(page)
    assert VERDICTS.search(page.evaluate(EVERYTHING))
    go_blind(page)
    for key in ["ArrowDown"] * len(regions) + ["1", "2", "s", "m", "o"]:
        page.keyboard.press(key)
        settle_bench(page)
        assert not VERDICTS.search(page.evaluate(EVERYTHING))
    told = page.evaluate(EVERYTHING)
    for region in regions:
        assert region["trust"]["reason"] not in told
        for score in (region["drop"], region["trust"]["necessity"]):
            assert f"{abs(score):.2f}" not in told

    page.keyboard.press("Escape")
    page.get_by_role("button", name="Begin with region 1").click()
    for judged, region in enumerate(regions, start=1):
        judge(page, "a")
        page.get_by_text(f"{judged} of {len(regions)} region").wait_for()
        verdicts = page.locator(".judged .theirs").all_inner_texts()
        assert verdicts == [one["trust"]["verdict"] for one in regions[:judged]], region["id"]
    saved = page_server.client.get(f"/api/jobs/{new_job}/review").json()["judgments"]
    assert {name: one["blind"] for name, one in saved.items()} == {region["id"]: True for region in regions}


def test_an_answer_that_is_changed_with_the_verdict_in_view_is_not_blind(visit, page_server, new_job):
    page = visit(f"#job={new_job}")
    settle_bench(page)
    go_blind(page)
    page.get_by_role("button", name="Begin with region 1").click()
    judge(page, "u")
    page.locator(".given.unsure").wait_for()
    page.locator(".judged button").first.click()
    judge(page, "x")
    page.locator(".given.reject").wait_for()
    (judgment,) = page_server.client.get(f"/api/jobs/{new_job}/review").json()["judgments"].values()
    assert (judgment["answer"], judgment["blind"]) == ("reject", False)


def with_verdicts(verdict: str):
    """Answers with the view, and this verdict for all regions."""

    def change(route) -> None:
        view = route.fetch().json()
        for region in view["regions"]:
            region["trust"]["verdict"] = verdict
        route.fulfill(json=view)

    return change


def test_outlines_have_one_style_while_blind(visit, new_job):
    """A view with other verdicts is drawn the same way."""
    views = []
    for verdict in ("artifact", "weak"):
        context = visit.context()
        context.route("**/view", with_verdicts(verdict))
        page = visit(f"#job={new_job}", context=context)
        settle_bench(page)
        seen = page.locator(".stage canvas").screenshot()
        go_blind(page)
        page.mouse.move(5, 5)
        settle_bench(page)
        views.append((seen, page.locator(".stage canvas").screenshot()))
    (artifact, blind_artifact), (weak, blind_weak) = views
    assert artifact != weak
    assert blind_artifact == blind_weak


def test_two_people_judge_at_the_same_time(visit, page_server, new_job):
    first, second = visit(f"#job={new_job}"), visit(f"#job={new_job}")
    for page, region in ((first, 0), (second, 1)):
        settle_bench(page)
        page.get_by_role("button", name="Judge", exact=True).first.click()
        page.locator(".judged button").nth(region).click()
    judge(first, "a")
    judge(second, "x")
    second.locator(".given.accept").wait_for()
    assert second.locator(".given.reject").count() == 1
    answers = page_server.client.get(f"/api/jobs/{new_job}/review").json()["judgments"]
    assert sorted(one["answer"] for one in answers.values()) == ["accept", "reject"]


def test_the_table_of_agreement_counts_what_was_judged(visit, page_server, new_job):
    page = visit(f"#job={new_job}")
    settle_bench(page)
    go_blind(page)
    page.get_by_role("button", name="Begin with region 1").click()
    judge(page, "a")
    page.get_by_role("button", name="Agreement").click()
    page.locator(".counts").first.wait_for()
    table = page.locator("section", has_text="Judged blind").locator(".counts")
    shown = {
        row.locator("th").inner_text(): [int(cell) for cell in row.locator("td").all_inner_texts()]
        for row in table.locator("tbody tr").all()
    }
    counts = page_server.client.get("/api/agreement").json()["blind"]["counts"]
    expected = {
        name: [row["accept"], row["unsure"], row["reject"]] for name, row in counts.items() if any(row.values())
    }
    assert shown == expected
    assert sum(map(sum, shown.values())) > 0


MARKUP = "<img src=x onerror=alert(1)>&lt;b&gt;<script>alert(2)</script>"


def test_names_labels_and_notes_stay_text(visit, page_server, tmp_path, new_job):
    image = page_server.upload(write_scene(tmp_path / "other.png", 200_011), f"{MARKUP.replace('/', '')}.png")
    context = visit.context()

    def change(route) -> None:
        text = json.dumps(route.fetch().json())
        view = json.loads(text)
        for label in [*view["labels"], *view["targets"]]:
            label["name"] = MARKUP
        view["source"]["name"] = MARKUP
        for region in view["regions"]:
            region["trust"]["reason"] = MARKUP
        route.fulfill(json=view)

    context.route("**/view", change)
    page = visit(f"#job={new_job}", context=context)
    settle_bench(page)
    page.keyboard.press("n")
    page.keyboard.type(MARKUP)
    page.keyboard.press("Control+Enter")
    page.keyboard.press("a")
    page.locator(".judged .said").wait_for()
    assert page.locator(".judged .said").inner_text() == MARKUP
    page.get_by_role("button", name="New run").click()
    tile = page.locator(".tile", has_text="onerror").locator(".name")
    stored = page_server.client.get("/api/images").json()
    assert tile.inner_text() == next(one["name"] for one in stored if one["id"] == image)
    assert page.evaluate("document.querySelectorAll('img[src=x], script:not([src])').length") == 0
    assert (
        page.evaluate("document.querySelector('.bench')?.shadowRoot.querySelectorAll('img, script').length ?? 0") == 0
    )
