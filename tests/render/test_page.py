"""The page of a figure: bands, titles with their labels, the key, the table of labels; everything in its place."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from drawn import all_texts, columns_of, named, picture_rows, said, texts_in_column
from labeled_runs import labeled_run, only_cat, three_labels
from marked_runs import A, Given, S, W, marked_run
from unveil.records import Run
from unveil.render import draw_run
from unveil.render.marks import DASHES, VERDICT_COLORS
from unveil.render.page import MAX_COLUMNS
from unveil.render.parts import COLORS

HOSTILE = (
    "Edema $x^2$ \\frac{1}{2} of the $\\alpha$",
    "soft-coated wheaten terrier, a breed of dogs from Ireland\n\x1b[31m",
    "<script>alert(1)</script> " + "W" * 300,
)
BOX = Given((5, 5, 20, 25), 1.5, W)


def one_region(rounds: int, shape: tuple[int, int] = (64, 64), **settings) -> Run:
    """A region per round, beside the others."""
    tall, wide = shape
    made = [
        Given(
            (0, wide * number // rounds, max(1, tall // 3), wide * number // rounds + max(1, wide // rounds - 1)),
            1.5,
            W,
        )
        for number in range(rounds)
    ]
    return marked_run([[one] for one in made], shape, **settings)


def overflowing(run: Run) -> list[str]:
    """Texts that aren't wholly on the page."""
    figure = draw_run(run)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    page = figure.bbox.padded(1)
    boxes = [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in all_texts(figure)]
    return [
        text
        for text, box in boxes
        if not (page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1)
    ]


@pytest.mark.parametrize("rounds", [1, 2, 6, 7, 8, 12, 14])
def test_many_rounds_go_on_in_another_band(rounds):
    figure = draw_run(one_region(rounds))
    rows = picture_rows(figure)
    images = rows[::3]
    assert sum(len(row) for row in images) == rounds + 1
    assert max(len(row) for row in images) <= MAX_COLUMNS
    assert len(images) == -(-(rounds + 1) // MAX_COLUMNS)
    titles = [text for text in said(figure) if text.startswith("round ") or text == "after"]
    assert titles == [*(f"round {number}" for number in range(1, rounds + 1)), "after"]
    assert figure.get_figwidth() < 13
    for number in range(1, rounds + 1):
        (line,) = named(figure, f"contour-{number}")
        length = max(len(row) for row in images)
        assert line.axes is rows[3 * ((number - 1) // length) + 2][(number - 1) % length]


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("names", [("oak", "holly", "poppy"), HOSTILE], ids=["plain", "hostile"])
@pytest.mark.parametrize("shape", [(64, 64), (32, 32), (200, 60), (40, 200), (6, 200), (200, 6), (700, 900)])
def test_everything_is_on_the_page(shape, names):
    assert overflowing(one_region(3, shape, names=names)) == []


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("shown", [three_labels(), only_cat()], ids=["three", "one"])
def test_texts_of_different_columns_are_apart(shown):
    labels = tuple(f"{name}, {'w' * 200}" for name in shown.classifier.labels)
    targets = {
        one.target_score: replace(one.target_score, name=labels[one.target_score.class_index])
        for round_ in shown.rounds
        for one in round_.maps
    }
    rounds = tuple(
        replace(
            round_,
            maps=tuple(replace(one, target_score=targets[one.target_score]) for one in round_.maps),
            regions=tuple(replace(one, target_score=targets[one.target_score]) for one in round_.regions),
        )
        for round_ in shown.rounds
    )
    shown = replace(shown, rounds=rounds, classifier=replace(shown.classifier, labels=labels))
    figure = draw_run(shown)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for number, (left, right) in enumerate(columns_of(figure)):
        for text in texts_in_column(figure, number):
            box = text.get_window_extent(canvas.get_renderer())
            if text.get_position()[1] < named(figure, "row-prediction")[0].get_position()[1] + 0.4:
                assert left - 0.03 <= box.x0 / figure.dpi
                assert box.x1 / figure.dpi <= right + 0.05, text.get_text()


@pytest.mark.parametrize("shape", [(200, 60), (40, 200), (64, 64), (3, 100)])
def test_pictures_keep_their_shape(shape):
    figure = draw_run(one_region(2, shape))
    figure.draw_without_rendering()
    for row in picture_rows(figure):
        for axes in row:
            corner, end = axes.transData.transform([(-0.5, -0.5), (shape[1] - 0.5, shape[0] - 0.5)])
            assert abs((end - corner)[0]) / abs((end - corner)[1]) == pytest.approx(shape[1] / shape[0], rel=1e-6)


def test_large_pictures_are_drawn_from_smaller_ones():
    given = Given((300, 600, 900, 1200), 1.0, S)
    figure = draw_run(marked_run([[given]], (1200, 1800)))
    axes = picture_rows(figure)[2][0]
    height, width = np.asarray(axes.images[0].get_array()).shape[:2]
    assert max(height, width) <= 512
    (line,) = named(figure, "contour-1")
    ends = line.get_path().vertices
    assert ends.min(0) + 0.5 == pytest.approx([600 * width / 1800, 300 * height / 1200], abs=1)
    assert ends.max(0) + 0.5 == pytest.approx([1200 * width / 1800, 900 * height / 1200], abs=1)


def heads(run: Run, number: int) -> list[str]:
    """The texts above a column's pictures: its title, its labels and their verdicts."""
    figure = draw_run(run)
    height = figure.get_figheight()
    top = height - picture_rows(figure)[0][0].get_position(original=True).y1 * height
    return [text.get_text() for text in texts_in_column(figure, number) if text.get_position()[1] < top]


def test_each_round_names_its_label_and_the_verdict_of_a_label_in_doubt():
    run = three_labels()
    assert [text for text in heads(run, 0) if "erased" not in text] == ["round 1", "cat"]
    assert [text for text in heads(run, 1) if "erased" not in text] == ["round 2", "dog", "artifact"]
    assert heads(run, 2) == ["after"]
    assert heads(labeled_run((0, [()])), 0)[-2:] == ["cat", "weak"]
    assert "weak" not in heads(only_cat(), 0)
    figure = draw_run(run)
    colors = [to_hex(named(figure, f"target-round {index}-0")[0].get_facecolor()).upper() for index in (1, 2)]
    assert colors == list(COLORS[:2])


def test_more_labels_than_there_is_room_for_are_counted():
    names = tuple(f"label {number}" for number in range(6))
    given = [Given((8 * number, 5, 8 * number + 5, 25), label=number) for number in range(6)]
    shown = heads(marked_run([given], names=names), 0)
    assert shown == ["round 1", "label 0", "label 1", "label 2", "and 3 more labels"]


def test_labels_in_doubt_have_their_verdict_beside_their_probability_and_its_line_around_their_bar():
    run = three_labels()
    figure = draw_run(run)
    doubtful = run.classifier.labels.index("dog")
    for title in ("round 1", "round 2", "after"):
        (bar,) = named(figure, f"probability-{title}-{doubtful}")
        assert bar.get_linestyle() == DASHES[A]
        assert not bar.get_fill()
    sure = run.classifier.labels.index("cat")
    assert named(figure, f"probability-round 1-{sure}")[0].get_fill()
    words = [text for text in all_texts(figure) if text.get_text() == "artifact"]
    # Above its round, beside each bar, in the table of labels.
    assert len(words) == 1 + 3 + 1
    assert {to_hex(text.get_color()).upper() for text in words} == {VERDICT_COLORS[A]}


def test_the_table_of_labels_says_what_the_record_says():
    run = three_labels()
    texts = said(draw_run(run))
    table = texts[texts.index("labels") + 1 :]
    for card in run.labels:
        assert table.index(card.name) < table.index(card.reason)
    rows = {card.name: table[table.index(card.name) :][:4] for card in run.labels}
    assert rows["cat"][:3] == ["cat", "supported", "round 1, regions 1, 2"]
    assert rows["dog"][:3] == ["dog", "artifact", "round 2, regions 3, 4"]
    assert "labels" not in said(draw_run(marked_run([[BOX]])))


def test_a_long_table_of_labels_says_how_many_there_are():
    run = three_labels()
    cards = tuple(replace(run.labels[0], name=f"label {number}", class_index=number) for number in range(12))
    run.__dict__["labels"] = cards
    texts = said(draw_run(run))
    assert "labels, the first 8 of 12" in texts
    assert "label 7" in texts
    assert "label 8" not in texts


KEY = {
    "supported: passes the tests": lambda given: True,
    "weak: too little evidence": lambda given: True,
    "artifact: made by erasing": lambda given: True,
    "region, numbered as in tables": lambda given: True,
    "speaks against its label: erasing": lambda given: given.drop < 0,
    "rim": lambda given: given.rim > 0.5,
    "erased in earlier rounds": lambda given: False,
}


@pytest.mark.parametrize(
    "given", [BOX, replace(BOX, drop=-1.0), replace(BOX, rim=0.9)], ids=["plain", "against", "rim"]
)
def test_the_key_explains_what_is_there_and_nothing_else(given):
    texts = [text.get_text() for text in texts_in_column(draw_run(marked_run([[given]])), 1)]
    assert {text: text in texts for text in KEY} == {text: there(given) for text, there in KEY.items()}


def test_the_key_without_cards_has_no_verdicts_and_with_two_rounds_explains_the_veil():
    run = replace(one_region(2), trust=None)
    texts = [text.get_text() for text in texts_in_column(draw_run(run), 2)]
    assert not any(text.startswith(("supported", "weak", "artifact")) for text in texts)
    assert "erased in earlier rounds" in texts


def test_the_answer_stands_in_the_head():
    run = marked_run([[BOX, Given((30, 8, 40, 30), 1.0, S)], [Given((45, 40, 60, 62), 0.5, W)]])
    assert f"predicted: oak {run.first.probabilities[0]:.0%} · 3 regions in 2 rounds: 1 supported, 2 weak" in said(
        draw_run(run)
    )
    bare = replace(marked_run([[BOX]]), trust=None)
    assert any(text.endswith(" · 1 region in 1 round") for text in said(draw_run(bare)))
