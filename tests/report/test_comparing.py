"""Pages of two runs side by side: both are there, with and without JavaScript, and names stay text."""

from dataclasses import replace

import pytest

from tiny_runs import run
from unveil.errors import RecordError
from unveil.report import save_comparison

FIRST, SECOND = "guided, joint, top 2", "plain, separate tracks"
HOSTILE = "</template><script>document.title='hacked'</script>\u2028<img src=x onerror=alert(1)>\x1b[31m.png"


def test_a_page_holds_both_runs(tmp_path):
    folder = run(SECOND).save(tmp_path / "record")
    page = save_comparison([run(FIRST), folder], tmp_path / "pair.html", title="Two recipes")
    text = page.read_text(encoding="utf-8")
    assert "<h1>Two recipes</h1>" in text
    first, second = text.split('id="run-1"')[1].split('id="run-2"')
    for part, one in ((first, run(FIRST)), (second, run(SECOND))):
        rows = [row for row in part.split("<tr>") if row.startswith('<td class="number">')]
        assert len(rows) == len(one.regions)
        for row, region in zip(rows, one.regions, strict=True):
            assert f"{region.drop:+z.2f}" in row


@pytest.mark.parametrize("count", [0, 1, 3])
def test_only_two_runs_can_be_compared(count, tmp_path):
    with pytest.raises(RecordError, match=f"expected two runs to compare; got {count}"):
        save_comparison([run(FIRST)] * count, tmp_path / "pair.html")
    assert not (tmp_path / "pair.html").exists()


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(RecordError, match="ends with .html"):
        save_comparison([run(FIRST), run(FIRST)], tmp_path / "pair.pdf")


def test_names_can_be_replaced(tmp_path):
    runs = [replace(one, source=replace(one.source, name="secret.png")) for one in (run(FIRST), run(SECOND))]
    text = save_comparison(runs, tmp_path / "pair.html", anonymous=True).read_text(encoding="utf-8")
    assert "secret" not in text
    assert runs[0].source.sha256[:12] in text


@pytest.mark.browser
def test_a_comparison_opens_and_hostile_names_are_text(visit, tmp_path):
    other = run(SECOND)
    other = replace(
        other, source=replace(other.source, name=HOSTILE), classifier=replace(other.classifier, name=HOSTILE)
    )
    page = visit(save_comparison([run(FIRST), other], tmp_path / "pair.html"))
    page.wait_for_selector("#pair .stage canvas")
    assert page.locator("#pair .stage canvas").count() == 2
    assert page.title() != "hacked"
    pairs = page.locator("#pair tr[data-first]")
    numbers = [pairs.locator(f"td:nth-child({side}) .badge").count() for side in (1, 2)]
    assert numbers == [len(run(FIRST).regions), len(run(SECOND).regions)]


@pytest.mark.browser
def test_a_comparison_can_be_read_without_scripts(visit, tmp_path):
    page = visit(save_comparison([run(FIRST), run(SECOND)], tmp_path / "pair.html"), scripts=False)
    assert page.get_by_role("heading", name="A: tiny").is_visible()
    assert page.get_by_role("table", name="").count() >= 2
    assert page.locator(".picture img").first.is_visible()


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_a_comparison_is_accessible(visit, tmp_path, dark):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit(save_comparison([run(FIRST), run(SECOND)], tmp_path / "pair.html"), dark=dark)
    page.wait_for_selector("#pair .stage canvas")
    found = axe.run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
