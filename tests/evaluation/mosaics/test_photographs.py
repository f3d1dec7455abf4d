"""Labeled folders: which photographs have a label of the network, and which half they are in."""

from pathlib import Path

import pytest
from colored_photographs import COLORS, write_photograph

from unveil.datasets import ImageFolder
from unveil.evaluation.mosaics.photographs import (
    MosaicError,
    Photograph,
    PhotographList,
    hash_photographs,
    list_photographs,
    open_label_table,
)

LABELS = tuple(COLORS)


def table(folder, text):
    """A folder with a table and three photographs."""
    for name in ("a", "b", "c"):
        write_photograph(folder / f"{name}.png", (1, 2, 3))
    (folder / "labels.csv").write_text(text)
    return folder


def opened(folder) -> PhotographList:
    """The photographs of a folder with a table."""
    dataset, indexed = open_label_table(folder)
    return list_photographs(dataset, LABELS, indexed=indexed)


def test_indices_are_indices_even_if_a_label_is_a_number(tmp_path):
    folder = table(tmp_path, "file,class_index,name\na.png,1,red\nb.png,0,red\nc.png,6,red\n")
    dataset, indexed = open_label_table(folder)
    assert indexed
    names = ("1", "0", "x", "x", "x", "x")
    listed = list_photographs(dataset, names, indexed=indexed)
    assert [(one.id, one.label, one.place) for one in listed.photographs] == [("a.png", 1, 0), ("b.png", 0, 1)]
    assert listed.left_out == {"unreadable": 0, "without one label of the network": 1}


@pytest.mark.parametrize("header", ["path,label", "image,labels", "file,name"])
def test_names_are_matched(tmp_path, header):
    listed = opened(table(tmp_path, f"{header}\na.png,Blue\nmissing.png,red\nc.png,red|blue\nb.png,mauve\n"))
    assert [(one.id, one.label) for one in listed.photographs] == [("a.png", LABELS.index("blue"))]
    assert listed.left_out == {"unreadable": 1, "without one label of the network": 2}


def test_halves_alternate_in_the_order_of_the_table(tmp_path):
    """A photograph that can't be used keeps its place, so that halves don't depend on the network."""
    for number, name in enumerate(("red", "none", "blue", "green", "cyan")):
        write_photograph(tmp_path / f"{number}{name}" / "x.png", (0, 0, 0))
    labels = tuple(path.name for path in sorted(tmp_path.iterdir()) if "none" not in path.name)
    listed = list_photographs(ImageFolder(tmp_path), labels)
    assert [one.place for one in listed.half("tuning").photographs] == [0, 2, 4]
    assert [one.place for one in listed.half("report").photographs] == [3]
    assert listed.half("all").photographs == listed.photographs
    with pytest.raises(MosaicError, match="a half among report, tuning, all; got 'best'"):
        listed.half("best")


def test_a_larger_limit_adds_photographs():
    known = tuple(Photograph(str(place), Path("nowhere.png"), 0, place) for place in range(30))
    listed = PhotographList(known, {})
    drawn = [listed.limited(count, 0).photographs for count in (5, 12)]
    assert [len(some) for some in drawn] == [5, 12]
    assert set(drawn[0]) < set(drawn[1])
    assert all(list(some) == sorted(some, key=lambda one: one.place) for some in drawn)
    assert listed.limited(5, 1).photographs != drawn[0]
    assert listed.limited(None, 0) == listed.limited(30, 0) == listed


def test_another_content_or_label_has_another_hash(tmp_path):
    def hashed(text: str, color: int) -> str:
        folder = table(tmp_path, text)
        write_photograph(folder / "b.png", (color, 0, 0))
        return hash_photographs(opened(folder).photographs)

    text = "file,class_index\na.png,1\nb.png,2\n"
    first = hashed(text, 7)
    assert first == hashed(text, 7)
    assert len({first, hashed(text, 8), hashed(text.replace("2", "3"), 7)}) == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("photo,label\na.png,red\n", "a column of paths (file, path, image)"),
        ("file,kind\na.png,red\n", "a column of labels (class_index, label, labels, name)"),
        ("", "with no header"),
        ("file,label\na.png,mauve\n", "a label of the network, such as red"),
    ],
)
def test_what_is_wrong_with_a_table(tmp_path, text, told):
    with pytest.raises(MosaicError) as error:
        opened(table(tmp_path, text))
    assert told in str(error.value)
    assert "\n" not in str(error.value)
