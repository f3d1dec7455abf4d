"""Figures of runs with a label check: artifacts are marked in the round that searched for them, and nowhere else."""

from dataclasses import replace

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from labeled_runs import FOX, first_shown, labeled_run, only_cat, three_labels
from tiny_runs import run
from unveil.records import Run, TrustCard, TrustCards, Verdict
from unveil.render import draw_run
from unveil.render.columns import make_columns
from unveil.render.parts import FAINT

LONG = "soft-coated wheaten terrier, a breed of dogs from Ireland"


def texts_by_column(shown: Run) -> list[list[Text]]:
    """The texts of each column of a run's figure, from top to bottom."""
    figure = draw_run(shown)
    columns: dict[int, list[Text]] = {}
    for axes in figure.axes:
        columns.setdefault(axes.get_subplotspec().colspan.start, []).extend(axes.texts)
    return [columns[number] for number in sorted(columns)]


def marks(shown: Run) -> list[list[str]]:
    """What is written in each column about artifacts, in the faint color of notes."""
    return [
        [text.get_text() for text in column if text.get_text().startswith("artifact:") and text.get_color() == FAINT]
        for column in texts_by_column(shown)
    ]


def notes(shown: Run) -> list[str]:
    """One line per region."""
    lines = "\n".join(text.get_text() for column in texts_by_column(shown) for text in column).splitlines()
    return [line for line in lines if "  drop " in line]


def with_cards(shown: Run, verdict: Verdict) -> Run:
    model = run().trust
    cards: list[TrustCard] = [replace(model.cards[0], verdict=verdict) for _ in shown.regions]
    return replace(shown, trust=TrustCards(tuple(cards), (), 1))


def test_an_artifact_is_marked_in_the_round_that_searched_for_it():
    assert marks(three_labels()) == [[], ["artifact: dog"], []]


def test_a_label_that_is_searched_for_twice_is_marked_twice():
    shown = labeled_run((0, [((0, 0.75),)]), (1, [()]), (1, [()]))
    assert marks(shown) == [[], ["artifact: dog"], ["artifact: dog"], []]


@pytest.mark.parametrize("shown", [only_cat(), labeled_run((0, [()])), run()], ids=["supported", "weak", "no check"])
def test_other_labels_are_not_marked(shown):
    assert not any(marks(shown))
    assert all(column.artifacts == () for column in make_columns(shown, None))


def test_a_region_names_what_it_shows_in_place_of_its_target():
    first, second, third, fourth = notes(three_labels())
    assert third.endswith(f" → {FOX}")
    assert all("→" not in note for note in (first, second, fourth))
    weak = notes(with_cards(three_labels(), Verdict.WEAK))
    assert weak[2].endswith(f" · weak → {FOX}")
    assert weak[3].endswith(" · weak")


@pytest.mark.parametrize("verdict", [None, *Verdict])
def test_notes_stay_within_their_column(verdict):
    """A long name in ordinary letters is cut, as all labels are by their characters, before the next column starts."""
    shown = three_labels()
    last = shown.rounds[1]
    long = replace(first_shown(last.regions[0]), name=LONG)
    target = replace(last.maps[0].target_score, name=LONG)
    regions = tuple(replace(region, target_score=target) for region in last.regions)
    last = replace(
        last,
        maps=(replace(last.maps[0], target_score=target),),
        regions=(replace(regions[0], shown=(long,)), *regions[1:]),
    )
    shown = replace(shown, rounds=(shown.rounds[0], last))
    figure = draw_run(shown if verdict is None else with_cards(shown, verdict))
    FigureCanvasAgg(figure).draw()
    found = [text for axes in figure.axes for text in axes.texts if "artifact: soft" in text.get_text()]
    found += [text for axes in figure.axes for text in axes.texts if "→ soft" in text.get_text()]
    assert len(found) == 2
    (left,) = {round(text.axes.get_window_extent().x0) for text in found}
    after = min(x for axes in figure.axes if (x := axes.get_window_extent().x0) > left + 1)
    assert max(text.get_window_extent().x1 for text in found) <= after
