"""Figures: what stands where, in which color; written whole or not at all."""

import dataclasses
import errno
import itertools
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image as Pillow

from tiny_runs import RECIPES, run
from unveil.errors import RecordError
from unveil.predictions import Output, Prediction
from unveil.render import draw_grid, draw_run, draw_sheet, write_figure
from unveil.render.parts import APPEARED, COLORS, DISAPPEARED, middle_pixel, shorter_titles


def texts(figure: Figure) -> list[str]:
    """Every text of a figure."""
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [text.get_text() for text in axes.texts]
        found += [axes.get_title(loc="left"), axes.get_title(loc="right")]
    return [text for text in found if text]


def pictures(figure: Figure) -> list[np.ndarray]:
    """The arrays of all pictures, in the order of rows and columns."""
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]


def test_one_column_a_round_and_one_for_what_is_left():
    shown = run()
    figure = draw_run(shown)
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
    assert titles == [*(f"round {one.index}" for one in shown.rounds), "after"]
    count = len(shown.rounds)
    arrays = pictures(figure)
    assert len(arrays) == (count + 1) + count + count
    for column, one in enumerate(shown.rounds):
        assert np.array_equal(arrays[column], one.image.transpose(1, 2, 0))
        np.testing.assert_allclose(arrays[count + 1 + column], np.max([item.saliency for item in one.maps], 0))
    assert np.array_equal(arrays[count], shown.final_images[None].transpose(1, 2, 0))


def test_regions_are_tinted_in_the_color_of_their_target_and_nothing_else_is():
    shown = run()
    figure = draw_run(shown)
    count = len(shown.rounds)
    picture = pictures(figure)[2 * count + 1]
    first = shown.rounds[0]
    names = list(dict.fromkeys(item.target for one in shown.rounds for item in one.maps))
    bare = pictures(draw_run(dataclasses.replace(shown, rounds=(dataclasses.replace(first, regions=()),))))[3]
    covered = np.zeros(picture.shape[:2], bool)
    for region in first.regions:
        covered |= region.model_mask.to_array()
    assert covered.any()
    assert np.array_equal(picture[~covered], bare[~covered])
    region = first.regions[0]
    others = np.logical_or.reduce(
        [other.model_mask.to_array() for other in first.regions[1:]] or [np.zeros_like(covered)]
    )
    only = region.model_mask.to_array() & ~others
    color = np.array(to_rgb(COLORS[names.index(region.target)]))
    np.testing.assert_allclose(picture[only], 0.55 * bare[only] + 0.45 * color, atol=1e-6)


def test_bars_are_as_long_as_the_probabilities():
    shown = run("guided, joint, top 2", Output.SIGMOID)
    figure = draw_run(shown)
    bars = [axes for axes in figure.axes if axes.patches]
    assert len(bars) == len(shown.rounds) + 1
    for axes, prediction in zip(bars, [*(one.before for one in shown.rounds), shown.rounds[-1].after], strict=True):
        widths = sorted(patch.get_width() for patch in axes.patches[1::2])
        np.testing.assert_allclose(widths, sorted(prediction.probabilities), atol=1e-9)


def test_what_appears_and_disappears_is_marked():
    shown = run("guided, joint, top 2", Output.SIGMOID)
    first, *rest = shown.rounds
    before = Prediction(np.array([3.0, -3.0, -1.0]), Output.SIGMOID)
    after = Prediction(np.array([-3.0, 3.0, -1.0]), Output.SIGMOID)
    turned = dataclasses.replace(first, before=before, after=after)
    changed = dataclasses.replace(
        shown, first=before, rounds=(turned, *(dataclasses.replace(one, before=after, after=after) for one in rest))
    )
    marked = {
        text.get_text()[:2]: text.get_color()
        for axes in draw_run(changed).axes
        for text in axes.texts
        if text.get_text()[:2] in ("+ ", "− ")
    }
    assert marked == {"+ ": APPEARED, "− ": DISAPPEARED}
    names = [text.get_text() for axes in draw_run(changed).axes for text in axes.texts]
    assert any(name.startswith("+ " + shown.classifier.labels[1][:20]) for name in names)
    assert any(name.startswith("− " + shown.classifier.labels[0][:20]) for name in names)


def test_head_foot_and_notes_say_what_was_done():
    shown = run(spacing=True)
    said = texts(draw_run(shown))
    assert any("tiny" in text and "seed 7" in text for text in said)
    assert any(text == f"ended: {shown.stop.text}" for text in said)
    for region in shown.rounds[0].regions[:2]:
        assert any(f"drop {region.drop:+.2f}" in text for text in said)


@pytest.mark.parametrize("name", list(RECIPES))
@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_every_run_is_drawn_and_every_format_written(tmp_path, name, suffix):
    shown = run(name, spacing=True)
    for number, track in enumerate(shown.tracks):
        path = tmp_path / f"{number}{suffix}"
        shown.figure(path, track)
        content = path.read_bytes()
        if suffix == ".png":
            with Pillow.open(path) as opened:
                assert opened.width > 900
                assert np.ptp(np.asarray(opened.convert("L"))) > 100
        elif suffix == ".svg":
            assert ET.fromstring(content).tag.endswith("svg")  # noqa: S314 (our own file)
        else:
            assert content.startswith(b"%PDF")
            assert content.rstrip().endswith(b"%%EOF")
    assert len(list(tmp_path.iterdir())) == len(shown.tracks)


def test_the_same_run_gives_the_same_bytes(tmp_path):
    one, other = (run().figure(tmp_path / name) and (tmp_path / name).read_bytes() for name in ("a.svg", "b.svg"))
    assert one == other


def test_labels_are_text_and_no_markup(tmp_path):
    """A dollar sign starts no formula, an angle bracket no element."""
    labels = ("<script>$x^2$</script>", "a_b$", "&amp;")
    shown = dataclasses.replace(run(), classifier=dataclasses.replace(run().classifier, labels=labels))
    assert any("<script>$x^2$" in text for text in texts(draw_run(shown)))
    write_figure(draw_run(shown), tmp_path / "a.svg")
    ET.fromstring((tmp_path / "a.svg").read_bytes())  # noqa: S314
    assert b"<script" not in (tmp_path / "a.svg").read_bytes()


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    figure = draw_run(run())

    def full(self, path, **kwargs):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(RecordError, match="No space left on device; check the folder and the free space"):
        write_figure(figure, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_drawn_or_written(tmp_path):
    with pytest.raises(RecordError, match=r"a figure file .png, .svg, .pdf; got a.jpg"):
        run().figure(tmp_path / "a.jpg")
    with pytest.raises(RecordError, match="a place to write a figure to"):
        run().figure(tmp_path / "missing" / "a.png")
    geometry = dataclasses.replace(
        run().source.geometry, source_shape=(9,) * 4, model_shape=(9,) * 4, scale=(1.0,) * 4, offset=(0.0,) * 4
    )
    series = dataclasses.replace(run(), source=dataclasses.replace(run().source, geometry=geometry))
    with pytest.raises(RecordError, match=r"a run of an image or a volume; got one on a grid \(9, 9, 9, 9\)"):
        draw_run(series)


def test_a_sheet_has_a_row_a_run_and_a_column_a_round(tmp_path):
    runs = [run(), run("no noise, a margin"), run("nothing predicted")]
    figure = draw_sheet(runs, ["one", "two", "three"])
    columns = 2 + max(len(one.rounds) for one in runs)
    assert len(figure.axes) == 3 * columns
    for row, one in enumerate(runs):
        mine = figure.axes[row * columns : (row + 1) * columns]
        shown = [np.asarray(axes.images[0].get_array()) for axes in mine if axes.images]
        assert len(shown) == len(one.rounds) + 2
        assert np.array_equal(shown[-1], one.final_images[None].transpose(1, 2, 0))
        for axes, prediction in zip(mine, [one.first, *(item.before for item in one.rounds)], strict=False):
            top = int(np.argmax(prediction.logits))
            assert axes.texts[1].get_text().startswith(" ".join(one.classifier.labels[top].split())[:8])
    write_figure(figure, tmp_path / "sheet.png")
    assert [text.get_text() for text in figure.texts] == ["one", "two", "three"]
    with pytest.raises(RecordError, match="runs of two-dimensional images; got 0 runs"):
        draw_sheet([])


def test_a_grid_shows_every_map_in_its_own_scale(tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        (name, rng.integers(0, 256, (3, 8, 9), dtype=np.uint8), [rng.random((8, 9)), 1e-6 * rng.random((8, 9))])
        for name in ("one", "two")
    ]
    figure = draw_grid(rows, ["image", "a", "b"])
    assert len(figure.axes) == 6
    for row, (_, image, maps) in enumerate(rows):
        shown = figure.axes[3 * row : 3 * row + 3]
        assert np.array_equal(np.asarray(shown[0].images[0].get_array()), image.transpose(1, 2, 0))
        for axes, values in zip(shown[1:], maps, strict=True):
            assert np.array_equal(np.asarray(axes.images[0].get_array()), values)
            assert axes.images[0].get_clim() == (0, pytest.approx(np.quantile(values, 0.995)))
    assert [axes.get_title(loc="left") for axes in figure.axes[:3]] == ["image", "a", "b"]
    write_figure(figure, tmp_path / "grid.png")


def test_row_labels_say_what_the_rows_are():
    labels = [text.get_text() for axes in draw_run(run()).axes for text in axes.texts if text.get_rotation() == 90]
    assert labels == ["image", "saliency", "regions", "prediction"]


@pytest.mark.parametrize("with_cards", [True, False])
@pytest.mark.parametrize("name", list(RECIPES))
def test_regions_have_the_numbers_of_the_tables_and_their_verdicts(name, with_cards):
    shown = run(name)
    trust = shown.trust if with_cards else None
    shown = dataclasses.replace(shown, trust=trust)
    table = dict(enumerate(shown.regions, start=1))
    seen: set[int] = set()
    for track in shown.tracks:
        columns = [round_ for round_ in shown.rounds if round_.track == track]
        figure = draw_run(shown, track)
        # Pictures of regions: the third row.
        places = [axes for axes in figure.axes if axes.images][2 * len(columns) + 1 :]
        for axes, round_ in zip(places, columns, strict=True):
            for text, region in zip(
                axes.texts[-len(round_.regions) :] if round_.regions else [], round_.regions, strict=True
            ):
                number = int(text.get_text())
                assert table[number] is region
                x, y = map(int, text.get_position())
                assert region.model_mask.to_array()[y, x], "the number stands on its region"
                seen.add(number)
        notes = "\n".join(texts(figure)).splitlines()
        for round_ in columns:
            for region in round_.regions[:2]:
                number = next(key for key, value in table.items() if value is region)
                (note,) = [line for line in notes if line.startswith(f"{number}  drop {region.drop:+z.2f}")]
                if trust:
                    assert note.split(" · ")[1] == str(trust.cards[number - 1].verdict)
                elif region.stability is not None:
                    assert note.split(" · ")[1] == f"stability {region.stability:.2f}"
                assert note.endswith("rim") == region.is_rim
    assert seen == set(table)


@pytest.mark.parametrize("seed", range(5))
def test_the_middle_pixel_of_a_set_lies_in_it_and_is_the_nearest_to_its_center(seed):
    inside = np.random.default_rng(seed).random((7, 9)) < 0.3
    y, x = middle_pixel(inside)
    assert inside[y, x]
    ys, xs = np.nonzero(inside)
    distances = (ys - ys.mean()) ** 2 + (xs - xs.mean()) ** 2
    assert (y - ys.mean()) ** 2 + (x - xs.mean()) ** 2 == pytest.approx(distances.min())


def test_the_middle_of_a_ring_lies_on_the_ring():
    inside = np.zeros((11, 11), bool)
    inside[2:9, 2:9] = True
    inside[4:7, 4:7] = False
    y, x = middle_pixel(inside)
    assert inside[y, x]
    assert max(abs(y - 5), abs(x - 5)) == 2


def test_a_long_title_loses_its_suffix_first_and_never_ends_in_a_part_of_it():
    name = "n02085936_Maltese_dog.JPEG"
    titles = list(shorter_titles(name))
    assert titles[:2] == [name, "n02085936_Maltese_dog"]
    assert all(len(later) <= len(earlier) for earlier, later in itertools.pairwise(titles))
    for title in titles[2:]:
        start, end = title.split("…")
        assert name.startswith(start)
        assert "n02085936_Maltese_dog".endswith(end)
        assert not start.endswith(("_", " "))
    assert titles[-1] == "…"
    assert next(iter(shorter_titles(".hidden", " · cat"))) == ".hidden · cat"
