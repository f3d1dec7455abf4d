"""The list below a picture: each number with its own drop as text and as a bar, its verdict, and remarks."""

from dataclasses import replace

import pytest
from matplotlib.colors import to_hex

from drawn import columns_of, named, said, texts_in_column
from labeled_runs import FOX, three_labels
from marked_runs import A, Given, S, W, marked_run
from unveil.records import Run
from unveil.render import draw_run
from unveil.render.listing import MAX_LISTED, describe_region, format_drop
from unveil.render.marks import VERDICT_COLORS, mark_rounds
from unveil.render.parts import COLORS

DROPS = (2.0, -0.75, 8.5, 0.004)
SHOWN = marked_run(
    [
        [Given((5, 5, 20, 25), DROPS[0], S), Given((30, 8, 40, 30), DROPS[1], W)],
        [Given((45, 40, 60, 62), DROPS[2], A, label=1), Given((5, 40, 12, 60), DROPS[3], S, label=1)],
    ]
)


def heights(figure, number: int) -> set[float]:
    """Where the badge of a region stands in the lists, in inches from above."""
    return {float(disk.get_ydata()[0]) for disk in named(figure, f"badge-{number}") if disk.axes is None}


def test_a_number_its_drop_its_bar_and_its_verdict_stand_on_one_line():
    figure = draw_run(SHOWN)
    for number, (drop, verdict) in enumerate(zip(DROPS, SHOWN.verdicts, strict=True), start=1):
        # The key has a sample of a badge with the number 1, in the last column.
        left, right = columns_of(figure)[0 if number < 3 else 1]
        (y,) = {
            float(disk.get_ydata()[0])
            for disk in named(figure, f"badge-{number}")
            if disk.axes is None and left <= disk.get_xdata()[0] <= right
        }
        (text,), (bar,), (word,) = (named(figure, f"{kind}-{number}") for kind in ("drop", "bar", "verdict"))
        assert text.get_text() == {2.0: "+2.00", -0.75: "−0.75", 8.5: "+8.50", 0.004: "+0.00"}[drop]
        assert word.get_text() == str(verdict)
        assert to_hex(word.get_color()).upper() == VERDICT_COLORS[verdict]
        assert abs(bar.get_y() + bar.get_height() / 2 - y) < 0.01
        assert all(abs(one.get_position()[1] - y) < 0.04 for one in (text, word))
        assert left <= bar.get_x() <= bar.get_x() + bar.get_width() < word.get_position()[0] < right


def test_bars_are_as_long_as_drops_on_one_scale_and_those_below_0_go_to_the_left():
    figure = draw_run(SHOWN)
    bars = {drop: named(figure, f"bar-{number}")[0] for number, drop in enumerate(DROPS, start=1)}
    scale = bars[8.5].get_width() / 8.5
    columns = columns_of(figure)
    for drop, bar in bars.items():
        assert bar.get_width() == pytest.approx(abs(drop) * scale, abs=1e-9)
    lefts = {drop: bars[drop].get_x() - columns[0 if drop in DROPS[:2] else 1][0] for drop in DROPS}
    zero = lefts[2.0]
    assert lefts[8.5] == pytest.approx(zero)
    assert lefts[-0.75] + bars[-0.75].get_width() == pytest.approx(zero)
    assert bars[-0.75].get_hatch()
    assert not any(bars[drop].get_hatch() for drop in DROPS if drop > 0)
    assert [to_hex(bars[drop].get_facecolor()).upper() for drop in (2.0, 8.5)] == list(COLORS[:2])


def remarks(run: Run) -> list[str]:
    """What is remarked on each region of a run."""
    return [describe_region(one) for marked in mark_rounds(run, None) for one in marked]


def test_remarks_name_what_is_against_a_region():
    run = marked_run(
        [[Given((5, 5, 20, 25), -1.0, rim=0.7), Given((30, 8, 40, 30), 1.0, rim=0.51), Given((50, 8, 60, 30))]]
    )
    assert remarks(run) == ["speaks against its label · rim", "rim", ""]
    assert {"speaks against its label · rim", "rim"} <= set(said(draw_run(run)))
    assert remarks(three_labels()) == ["", "", f"shows {FOX}", ""]


def test_without_cards_the_stability_stands_where_the_verdict_would():
    run = replace(SHOWN, trust=None)
    figure = draw_run(run)
    assert not any(named(figure, f"verdict-{number}") for number in range(1, 5))
    stabilities = [text for text in said(figure) if text.startswith("stability ")]
    assert stabilities == [f"stability {region.stability:.2f}" for region in run.regions]


def test_regions_of_several_labels_stand_below_the_name_of_their_label():
    given = [Given((5, 5, 9, 9)), Given((15, 5, 19, 9), label=1), Given((25, 5, 29, 9)), Given((35, 5, 39, 9), label=2)]
    texts = [text.get_text() for text in texts_in_column(draw_run(marked_run([given])), 0)]
    below = texts[texts.index("1") - 1 :]
    order = [text for text in below if text in ("oak", "holly", "poppy", "1", "2", "3", "4")]
    # The bars of the prediction follow.
    assert order[:7] == ["oak", "1", "3", "holly", "2", "poppy", "4"]


def test_a_label_without_a_region_is_named():
    figure = draw_run(marked_run([[Given((5, 5, 9, 9))], []], targets=(0, 2)))
    assert said(figure).count("oak: no region") == 1
    assert said(figure).count("poppy: no region") == 2


@pytest.mark.parametrize("count", [1, MAX_LISTED, MAX_LISTED + 1, MAX_LISTED + 9])
def test_many_regions_are_listed_and_the_rest_is_counted(count):
    given = [
        Given((4 * (number // 8), 4 * (number % 8), 4 * (number // 8) + 3, 4 * (number % 8) + 3))
        for number in range(count)
    ]
    figure = draw_run(marked_run([given]))
    listed = [number for number in range(1, count + 1) if named(figure, f"drop-{number}")]
    if count <= MAX_LISTED:
        assert listed == list(range(1, count + 1))
        assert not any(text.startswith("and ") for text in said(figure))
    else:
        assert listed == list(range(1, MAX_LISTED))
        assert f"and {count - MAX_LISTED + 1} more" in said(figure)
    # All of them have their number on the picture.
    assert all(any(one.axes for one in named(figure, f"number-{number}")) for number in range(1, count + 1))


@pytest.mark.parametrize(("drop", "text"), [(0.0, "+0.00"), (-0.0049, "+0.00"), (-12.346, "−12.35"), (7, "+7.00")])
def test_drops_have_a_sign(drop, text):
    assert format_drop(drop) == text
