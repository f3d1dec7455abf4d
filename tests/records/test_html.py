"""The notebook's table: one row per region in the order of the run, and nothing of a name becomes markup."""

from dataclasses import replace
from html.parser import HTMLParser

from tiny_runs import run
from unveil.records import Run


class Cells(HTMLParser):
    """The texts of the body's cells, row by row, and every tag that occurs."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def cells(shown: Run) -> Cells:
    parser = Cells()
    parser.feed(shown._repr_html_())
    parser.close()
    return parser


def test_one_row_per_region_with_its_card():
    shown = run()
    rows = [row for row in cells(shown).rows if row]
    assert len(rows) == len(shown.regions) > 1
    for row, region in zip(rows, shown.regions, strict=True):
        card = shown.card(region)
        assert row[1] == region.target
        assert row[5:] == [str(card.verdict), card.reason]
        assert float(row[3]) == round(region.drop, 2)


def test_names_are_text():
    hostile = "<script>alert(1)</script><img src=x>"
    first = run().rounds[0]
    score = replace(first.regions[0].target_score, name=hostile)
    region = replace(first.regions[0], target_score=score)
    shown = replace(
        run(), source=replace(run().source, name=hostile), rounds=(replace(first, regions=(region,)),), trust=None
    )
    parser = cells(shown)
    assert parser.tags == {"table", "caption", "thead", "tr", "th", "tbody", "td"}
    assert parser.rows[-1][1] == hostile


def test_a_run_without_regions_says_so():
    assert cells(run("no region")).rows[-1] == ["no regions"]
