"""The notebook's tables: one row per region and per label, in the order of the run; no name becomes markup."""

from dataclasses import replace
from html.parser import HTMLParser

from labeled_runs import CAT, DOG, FOX, first_shown, three_labels
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
        assert row[2] == region.target
        assert row[6:] == [str(card.verdict), card.reason]
        assert float(row[4]) == round(region.drop, 2)
    assert [row[0] for row in rows] == [str(number) for number in range(1, len(rows) + 1)]


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
    assert parser.rows[-1][2] == hostile


def test_a_second_table_has_the_labels_by_hand():
    """As `three_labels` says: cat and fox are shown by regions, dog by none."""
    shown = three_labels()
    rows = [row for row in cells(shown).rows if row]
    assert [row[2] for row in rows[:4]] == [CAT, CAT, f"{DOG} → {FOX}", DOG]
    assert [row[:5] for row in rows[4:]] == [
        [CAT, "supported", "1", "1, 2", "+75%"],
        [DOG, "artifact", "2", "3, 4", "+2%"],
        [FOX, "supported", "2", "3", "+62%"],
    ]
    assert [row[5] for row in rows[4:]] == [card.reason for card in shown.labels]
    assert shown._repr_html_().count("<table>") == 2
    assert run()._repr_html_().count("<table>") == 1


def test_names_of_labels_are_text():
    hostile = "<b>x</b>&amp;"
    shown = three_labels()
    first, last = shown.rounds
    regions = (replace(last.regions[0], shown=(replace(first_shown(last.regions[0]), name=hostile),)), last.regions[1])
    parser = cells(replace(shown, rounds=(first, replace(last, regions=regions))))
    assert parser.tags == {"table", "caption", "thead", "tr", "th", "tbody", "td"}
    assert parser.rows[-1][0] == hostile
    assert f"{DOG} → {hostile}" in [row[2] for row in parser.rows if len(row) > 2]


def test_a_run_without_regions_says_so():
    assert cells(run("no region")).rows[-1] == ["no regions"]
