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

from drawn import all_texts, named, picture_rows, said
from tiny_runs import RECIPES, run
from unveil.errors import RecordError
from unveil.masks import Mask
from unveil.predictions import Output, Prediction
from unveil.render import draw_grid, draw_run, draw_sheet, write_figure
from unveil.render.marks import middle_pixel
from unveil.render.parts import APPEARED, COLORS, COLUMN_WIDTH, DISAPPEARED, shorter_titles
from unveil.render.pictures import TINT, VEIL


def pictures(figure: Figure) -> list[list[np.ndarray]]:
    """The arrays of all pictures, row by row, without opacity."""
    arrays = [[np.asarray(axes.images[0].get_array()) for axes in row] for row in picture_rows(figure)]
    return [[array[..., :3] if array.ndim == 3 else array for array in row] for row in arrays]


def test_one_column_a_round_and_one_for_what_is_left():
    shown = run()
    figure = draw_run(shown)
    titles = [text for text in said(figure) if text.startswith("round ") or text == "after"]
    assert titles == [*(f"round {one.index}" for one in shown.rounds), "after"]
    images, maps, regions = pictures(figure)
    assert len(images) == len(shown.rounds) + 1
    assert len(maps) == len(regions) == len(shown.rounds)
    for column, one in enumerate(shown.rounds):
        assert np.array_equal(images[column], one.image.transpose(1, 2, 0))
        np.testing.assert_allclose(maps[column], np.max([item.saliency for item in one.maps], 0))
    assert np.array_equal(images[-1], shown.final_images[None].transpose(1, 2, 0))


def test_regions_are_tinted_in_the_color_of_their_target_and_nothing_else_is():
    shown = run()
    picture = pictures(draw_run(shown))[2][0].astype(float) / 255
    first = shown.rounds[0]
    names = list(dict.fromkeys(item.target for one in shown.rounds for item in one.maps))
    empty = dataclasses.replace(shown, rounds=(dataclasses.replace(first, regions=()),), trust=None)
    bare = pictures(draw_run(empty))[2][0].astype(float) / 255
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
    np.testing.assert_allclose(picture[only], (1 - TINT) * bare[only] + TINT * color, atol=1.01 / 255)


def test_a_white_veil_lies_over_what_was_erased_before():
    shown = run()
    second = shown.rounds[1]
    erased = second.erased.to_array()
    assert erased.any()
    bare = dataclasses.replace(second, regions=())
    never = dataclasses.replace(bare, erased=Mask.empty(second.erased.shape))
    veiled, plain = (
        pictures(draw_run(dataclasses.replace(shown, rounds=(shown.rounds[0], one), trust=None)))[2][1].astype(float)
        for one in (bare, never)
    )
    assert np.array_equal(veiled[~erased], plain[~erased])
    np.testing.assert_allclose(veiled[erased], (1 - VEIL) * plain[erased] + VEIL * 255, atol=1.01)


def test_bars_are_as_long_as_the_probabilities():
    shown = run("guided, joint, top 2", Output.SIGMOID)
    figure = draw_run(shown)
    states = {f"round {one.index}": one.before for one in shown.rounds} | {"after": shown.rounds[-1].after}
    for title, prediction in states.items():
        bars = [named(figure, f"probability-{title}-{index}")[0] for index in range(3)]
        widths = [bar.get_width() / (COLUMN_WIDTH - 0.08) for bar in bars]
        np.testing.assert_allclose(widths, prediction.probabilities, atol=1e-9)
        assert len({bar.get_x() for bar in bars}) == 1


def test_what_appears_and_disappears_is_marked():
    shown = run("guided, joint, top 2", Output.SIGMOID)
    first, *rest = shown.rounds
    before = Prediction(np.array([3.0, -3.0, -1.0]), Output.SIGMOID)
    after = Prediction(np.array([-3.0, 3.0, -1.0]), Output.SIGMOID)
    turned = dataclasses.replace(first, before=before, after=after)
    changed = dataclasses.replace(
        shown, first=before, rounds=(turned, *(dataclasses.replace(one, before=after, after=after) for one in rest))
    )
    texts = all_texts(draw_run(changed))
    marked = {text.get_text()[:2]: text.get_color() for text in texts if text.get_text()[:2] in ("+ ", "− ")}
    assert marked == {"+ ": APPEARED, "− ": DISAPPEARED}
    names = [text.get_text() for text in texts]
    assert any(name.startswith("+ " + shown.classifier.labels[1][:20]) for name in names)
    assert any(name.startswith("− " + shown.classifier.labels[0][:20]) for name in names)


def test_head_and_foot_say_what_was_done():
    shown = run(spacing=True)
    texts = said(draw_run(shown))
    assert any("tiny" in text and "seed 7" in text for text in texts)
    assert any(text == f"ended: {shown.stop.text}" for text in texts)


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
                assert opened.width > 800
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
    assert any("<script>$x^2$" in text for text in said(draw_run(shown)))
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
    labels = [text.get_text() for text in all_texts(draw_run(run())) if text.get_rotation() == 90]
    assert labels == ["image", "saliency", "regions", "drop", "prediction"]


@pytest.mark.parametrize("name", list(RECIPES))
def test_regions_of_every_track_have_the_numbers_of_the_tables(name):
    shown = run(name)
    table = dict(enumerate(shown.regions, start=1))
    seen: set[int] = set()
    for track in shown.tracks:
        figure = draw_run(shown, track)
        own = [
            number
            for number, region in table.items()
            if any(region is one for round_ in shown.of_track(track) for one in round_.regions)
        ]
        for number in own:
            (drop,) = named(figure, f"drop-{number}")
            assert drop.get_text() == f"{table[number].drop:+z.2f}".replace("-", "−")
        assert not any(named(figure, f"drop-{number}") for number in table if number not in own)
        seen |= set(own)
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
