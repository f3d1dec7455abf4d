"""Reports: what a page says equals the record, with and without JavaScript; names stay text; folders open too."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from labeled_runs import three_labels
from tiny_runs import RECIPES, run
from unveil.errors import RecordError
from unveil.records import Run
from unveil.report import ReportKind, make_report_page, save_report, writing

HOSTILE = "</template><script>document.title='hacked'</script>\u2028<img src=x onerror=alert(1)>&\"'\x1b[31m.png"


class Texts(HTMLParser):
    """The text of all cells of tables, row by row."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self._inside = tag in ("td", "th") or (self._inside and tag in ("a", "span"))

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1] += data


def named(one: Run, name: str) -> Run:
    return replace(one, source=replace(one.source, name=name))


def page_of(tmp_path: Path, *runs: Run, **options) -> str:
    page, _ = save_report(runs, tmp_path / "report.html", **options)
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_tables_of_a_page_hold_the_numbers_of_the_record(recipe, tmp_path):
    one = run(recipe)
    rows = [row for row in Texts(page_of(tmp_path, one)).rows if row and row[0].isdigit()]
    assert [row[0] for row in rows] == [str(number + 1) for number in range(len(one.regions))]
    for row, region in zip(rows, one.regions, strict=True):
        assert row[2] == region.target
        assert float(row[4]) == pytest.approx(region.drop, abs=0.006)
        assert row[6] == f"{region.area_px:,} px"


def test_a_page_says_that_regions_were_tested_only_where_they_were(tmp_path):
    one = run()
    assert one.trust
    assert "and tested." in page_of(tmp_path, one)
    assert "and tested." not in page_of(tmp_path, one, replace(one, trust=None))


def test_a_page_as_text_is_the_file(tmp_path):
    assert make_report_page(run()) == page_of(tmp_path, run())


def test_labels_have_their_verdicts_and_reasons(tmp_path):
    one = three_labels()
    rows = Texts(page_of(tmp_path, one)).rows
    for card in one.labels:
        assert [card.name, str(card.verdict)] in [row[:2] for row in rows]
        assert any(row[-1] == card.reason for row in rows)


def test_a_name_is_text_wherever_it_stands(tmp_path):
    one = named(run(), HOSTILE)
    for page in (page_of(tmp_path, one), page_of(tmp_path, one, one), page_of(tmp_path, one, title=HOSTILE)):
        assert page.count("<script") == 2
        assert "<img src=x" not in page
        assert page.count("<template") == page.count("</template>")


def test_names_are_left_out_on_request(tmp_path):
    one = named(run(), "/data/jane/Jane_Doe.png")
    assert "/data/jane" not in page_of(tmp_path, one)
    page = page_of(tmp_path, one, anonymous=True)
    assert "Jane" not in page
    assert one.source.sha256[:12] in page


def test_the_policy_allows_the_page_itself_and_nothing_else(tmp_path):
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page_of(tmp_path, run()))
    rules = dict(rule.strip().split(" ", 1) for rule in policy.replace("&#39;", "'").split(";"))
    assert rules["default-src"] == rules["connect-src"] == "'none'"
    assert re.fullmatch(r"'sha256-\S+' 'sha256-\S+'", rules["script-src"])
    assert "unsafe" not in policy


def test_bad_input_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(RecordError, match="ends with .html"):
        save_report([run()], tmp_path / "report.pdf")
    with pytest.raises(RecordError, match="at least one run"):
        save_report([], tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.browser
def test_one_run_reads_without_scripts_and_is_drawn_with_them(tmp_path, visit):
    path, kind = save_report([named(run(), HOSTILE)], tmp_path / "report.html")
    assert kind is ReportKind.FILE
    plain = visit(path, scripts=False)
    assert plain.locator(".paper tbody tr").count() == len(run().regions)
    assert plain.locator("figure img").evaluate("image => image.naturalWidth") > 500
    page = visit(path)
    page.wait_for_selector(".run .viewer canvas")
    assert page.title() != "hacked"
    assert page.locator("h1").inner_text().startswith(Path(HOSTILE).name.split("\u2028")[0])
    assert not page.locator(".paper").first.is_visible()
    assert b"%PDF" in page.pdf()[:8]


def several() -> list[Run]:
    recipes = list(RECIPES)[:3]
    return [named(run(recipe), f"{number}.png") for number, recipe in enumerate(recipes)] + [three_labels()]


@pytest.mark.browser
def test_many_runs_are_sorted_filtered_and_opened_by_keys(tmp_path, visit):
    runs = several()
    path, _ = save_report(runs, tmp_path / "report.html")
    page = visit(path)
    rows = page.locator(".runs tbody tr.link")
    assert rows.count() == len(runs)
    page.get_by_label("Search").fill("2.png")
    assert rows.count() == 1
    assert page.locator(".filters output").inner_text() == f"1 of {len(runs)} runs"
    page.get_by_label("Search").fill("")
    page.locator("select[name=verdict]").select_option("artifact")
    marked = [one for one in runs if one.trust and any(str(card.verdict) == "artifact" for card in one.trust.cards)]
    assert rows.count() == len(marked)
    page.locator("select[name=verdict]").select_option("")
    page.get_by_role("button", name="image").press("Enter")
    names = rows.locator("td.name").all_inner_texts()
    assert names == sorted(names)
    page.get_by_role("button", name="1.png").press("Enter")
    page.wait_for_selector(".open .viewer canvas")
    assert page.locator("#open-head").inner_text() == "1.png"
    page.get_by_role("button", name="All runs").press("Enter")
    page.wait_for_selector(".runs tbody tr.link")


@pytest.mark.browser
def test_a_large_report_is_a_folder_whose_runs_open_from_files(tmp_path, visit, monkeypatch):
    monkeypatch.setattr(writing, "MOST_BYTES", 1000)
    runs = several()
    path, kind = save_report(runs, tmp_path / "report.html")
    assert (kind, path) == (ReportKind.FOLDER, tmp_path / "report" / "index.html")
    assert len(list((tmp_path / "report" / "runs").iterdir())) == len(runs)
    page = visit(path, "#run-2")
    page.wait_for_selector(".open .viewer canvas")
    # Written again, it replaces itself; another folder is left alone.
    save_report(runs, tmp_path / "report.html")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep")
    with pytest.raises(RecordError):
        save_report(runs, tmp_path / "mine.html")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "keep"


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("count", [1, 4])
def test_pages_have_no_serious_barriers(tmp_path, visit, dark, count):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = visit(save_report(several()[-count:], tmp_path / "report.html")[0], dark=dark)
    page.wait_for_timeout(300)
    found = axe.Axe().run(page).response["violations"]
    assert [
        (one["id"], one["nodes"][0]["html"][:120]) for one in found if one["impact"] in ("serious", "critical")
    ] == []
