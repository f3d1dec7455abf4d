"""Names, labels and reasons that try to be more than text: in a page of one run and of many, in a file and a folder."""

from dataclasses import replace
from pathlib import Path

import pytest

from labeled_runs import three_labels
from tiny_runs import run
from unveil.records import Run
from unveil.report import save_report, writing
from unveil.view import viewer_code

# What ends an element or a script, what runs by itself, what moves a cursor, and what ends a line in JavaScript only.
ATTACKS = (
    "</template><script>globalThis.hacked = 1</script>",
    "</script><script>globalThis.hacked = 2</script>",
    "<img src=x onerror='globalThis.hacked = 3'>",
    "\u2028globalThis.hacked = 4//\u2029",
    "\x1b[2J\x1b]0;title\x07\u202e\\u003cb>",
    "{{ 7 * 7 }}{% raw %}&lt;b&gt;\"'`${globalThis.hacked = 5}",
    "#run-2&verdict=artifact\n__proto__",
)


def hostile(made: Run, attack: str) -> Run:
    """The run with the text as name of the image and of the model, as every label, and as every reason."""
    labels = tuple(f"{attack} {number}" for number in range(len(made.classifier.labels)))
    trust = made.trust
    if trust is not None:
        trust = replace(trust, cards=tuple(replace(card, reason=attack) for card in trust.cards))
    rounds = tuple(
        replace(
            round_,
            maps=tuple(replace(one, target_score=replace(one.target_score, name=attack)) for one in round_.maps),
            regions=tuple(
                replace(region, target_score=replace(region.target_score, name=attack)) for region in round_.regions
            ),
        )
        for round_ in made.rounds
    )
    return replace(
        made,
        source=replace(made.source, name=f"{attack}.png"),
        classifier=replace(made.classifier, labels=labels, name=attack),
        rounds=rounds,
        trust=trust,
        versions={**made.versions, attack: attack},
    )


def all_hostile() -> list[Run]:
    return [hostile(made, attack) for attack in ATTACKS for made in (run(), three_labels())]


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_text_of_a_page_holds_no_element_of_a_name(tmp_path, attack):
    made = hostile(run(), attack)
    for runs in ([made], [made, made]):
        page = save_report(runs, tmp_path / "report.html", title=attack)[0].read_text(encoding="utf-8")
        page = page.replace(viewer_code(), "")
        assert page.count("<script") == page.count("</script") == 2
        assert page.count("<template") == page.count("</template")
        assert "<img src=x" not in page


@pytest.mark.browser
@pytest.mark.parametrize("limit", [50_000_000, 1000])
def test_nothing_runs_and_texts_are_shown_as_they_are(tmp_path, visit, monkeypatch, limit):
    monkeypatch.setattr(writing, "MOST_BYTES", limit)
    runs = all_hostile()
    path, _ = save_report(runs, tmp_path / "report.html")
    page = visit(path)
    rows = page.locator(".runs tbody tr.link")
    assert rows.count() == len(runs)
    names = page.evaluate("[...document.querySelectorAll('.runs td.name')].map((cell) => cell.textContent)")
    assert sorted(names) == sorted(Path(one.source.name).name for one in runs)
    for number in range(len(runs)):
        page.evaluate(f"location.hash = 'run-{number + 1}'")
        page.wait_for_selector(".open .viewer canvas")
        page.wait_for_timeout(60)
        expected = Path(runs[number].source.name).name
        assert page.evaluate("document.getElementById('open-head').textContent") == expected
        shown = page.evaluate("document.querySelector('.open .facts').textContent")
        assert runs[number].rounds[0].regions[0].target in shown
    page.evaluate("location.hash = ''")
    for attack in ATTACKS:
        page.get_by_label("Search").fill(attack)
        # A text field drops the ends of lines.
        assert rows.count() == (0 if "\n" in attack else 2)
    assert page.evaluate("globalThis.hacked") is None
    assert page.locator("img[src=x]").count() == 0
    assert page.title() == f"{len(runs)} runs"


@pytest.mark.browser
def test_one_hostile_run_is_drawn(tmp_path, visit):
    for attack in ATTACKS:
        page = visit(save_report([hostile(run(), attack)], tmp_path / "report.html", title=attack)[0])
        page.wait_for_selector(".run .viewer canvas")
        assert page.evaluate("globalThis.hacked") is None
        assert page.locator("img[src=x]").count() == 0
        page.context.close()
