"""Datasets in exactly the form they are published in, and everything that can be wrong with one."""

import csv
import pickle
import struct
import subprocess
import sys
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from scipy.io import loadmat, savemat

from unveil.datasets import (
    ChestXray14,
    CsvDataset,
    Dataset,
    DatasetError,
    ImageFolder,
    LabeledBox,
    PascalVoc,
    Sample,
    StanfordDogs,
    open_dataset,
)
from unveil.datasets.listed import natural_key
from unveil.datasets.matlab import read_cell_strings
from unveil.errors import ImageError, UnveilError
from unveil.images import read_image

BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>
<annotation><object><name>&lol2;</name></object></annotation>"""
ENTRY_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],\n"
)
ENTRY_END = "057Y,M,PA,2682,2749,0.143,0.143,\n"
BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
CHEXNET = [
    *("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax"),
    *("Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia"),
]


def draw(path: Path, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> Path:
    """A small image (width, height); its gray value depends on its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    value = sum(path.name.encode()) % 200
    Pillow.new(mode, size, value if mode == "L" else (value, 0, 255)).save(path)
    return path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def errors(dataset: Dataset) -> dict[str, str]:
    """The one-line error of every broken sample."""
    result = {sample.id: str(sample.error) for sample in dataset if sample.error}
    assert all("\n" not in text and text.startswith("expected ") for text in result.values())
    return result


# Boxes and samples


def test_a_box_covers_the_pixels_whose_centers_it_contains():
    expected = np.zeros((5, 6), bool)
    expected[1:3, 2:5] = True
    assert (LabeledBox("a", 1, 2, 2, 3).inside((5, 6)) == expected).all()
    assert (LabeledBox("a", 0.5, 1.5, 2, 3).inside((5, 6)) == np.roll(expected, (-1, -1), (0, 1))).all(), "half open"
    assert LabeledBox("a", -9, -9, 99, 99).inside((5, 6)).all()
    assert not LabeledBox("a", 1.6, 1.6, 0.5, 0.5).inside((5, 6)).any()


COORDINATE = st.floats(-20, 40, allow_nan=False)
SIDE = st.floats(0.01, 50)
SHAPE = st.tuples(st.integers(1, 25), st.integers(1, 25))


@given(COORDINATE, COORDINATE, SIDE, SIDE, SHAPE)
def test_a_box_by_its_definition_pixel_by_pixel(y, x, height, width, shape):
    inside = LabeledBox("a", y, x, height, width).inside(shape)
    assert inside.shape == shape
    for i in range(shape[0]):
        for j in range(shape[1]):
            assert inside[i, j] == (y <= i + 0.5 < y + height and x <= j + 0.5 < x + width)


@given(st.lists(COORDINATE, min_size=2, max_size=6, unique=True), COORDINATE, SIDE, SHAPE)
def test_adjacent_boxes_partition_the_plane(cuts, x, width, shape):
    cuts = sorted(round(cut * 8) / 8 for cut in cuts)  # exact in floats, so that sums are too
    boxes = [LabeledBox("a", a, x, b - a, width) for a, b in pairwise(cuts) if b > a]
    if boxes:
        total = sum(box.inside(shape).astype(int) for box in boxes)
        whole = LabeledBox("a", cuts[0], x, cuts[-1] - cuts[0], width).inside(shape)
        assert (total == whole.astype(int)).all()


@given(SHAPE, st.integers(0, 20), st.integers(0, 20), st.integers(1, 20), st.integers(1, 20), st.integers(1, 4))
def test_scaling_a_box_is_repeating_its_pixels(shape, y, x, height, width, factor):
    box = LabeledBox("a", y, x, height, width, difficult=True)
    sample = Sample("id", Path("none.png"), boxes=(box,), box_shape=shape)
    larger = (shape[0] * factor, shape[1] * factor)
    (scaled,) = sample.boxes_on(larger)
    repeated = np.kron(box.inside(shape), np.ones((factor, factor), bool))
    assert (scaled.inside(larger) == repeated).all()
    assert (scaled.label, scaled.difficult) == ("a", True)
    assert sample.boxes_on(shape) == (box,)


def test_boxes_are_scaled_along_each_axis_and_unchanged_without_a_grid():
    box = LabeledBox("a", 10, 20, 30, 40)
    assert Sample("id", Path("x"), boxes=(box,), box_shape=(100, 200)).boxes_on((50, 400)) == (
        LabeledBox("a", 5, 40, 15, 80),
    )
    assert Sample("id", Path("x"), boxes=(box,)).boxes_on((50, 400)) == (box,)


@pytest.mark.parametrize(
    "numbers", [(0, 0, 0, 1), (0, 0, 1, -1), (float("nan"), 0, 1, 1), (0, float("inf"), 1, 1), (0, 0, float("inf"), 1)]
)
def test_a_box_without_extent_is_refused(numbers):
    with pytest.raises(DatasetError, match="finite numbers and sides above 0"):
        LabeledBox("a", *numbers)


@pytest.mark.parametrize("shape", [(5,), (1, 5, 5), (0, 5)])
def test_a_shape_has_two_axes(shape):
    with pytest.raises(DatasetError, match=r"shape \(height, width\)"):
        LabeledBox("a", 0, 0, 1, 1).inside(shape)
    with pytest.raises(DatasetError, match=r"shape \(height, width\)"):
        Sample("id", Path("x")).boxes_on(shape)


def test_a_sample_reads_its_image_or_raises_its_error(tmp_path):
    path = draw(tmp_path / "a.png")
    assert (Sample("a", path).read().pixels == read_image(path).pixels).all()
    error = DatasetError("this", "that", "fix it")
    broken = Sample("a", path, error=error)
    depths = []
    for _ in range(3):
        with pytest.raises(DatasetError) as raised:
            broken.read()
        assert raised.value is error
        depths.append(len(raised.traceback))
    assert len(set(depths)) == 1, "frames don't pile up"


# Folders


@pytest.fixture
def pets(tmp_path):
    for name in ("dog/2.png", "dog/10.PNG", "dog/more/1.jpg", "cat/1.png", "breed 10/a.png", "breed 9/b.png"):
        draw(tmp_path / "pets" / name)
    write(tmp_path / "pets/dog/notes.txt", "no image")
    write(tmp_path / "pets/dog/.hidden.png", "")
    draw(tmp_path / "pets/.cache/a.png")
    (tmp_path / "pets/empty").mkdir()
    return tmp_path / "pets"


def test_a_folder_has_one_subfolder_per_label_in_natural_order(pets):
    dataset = ImageFolder(pets)
    assert dataset.labels == ("breed 9", "breed 10", "cat", "dog", "empty")
    assert [sample.id for sample in dataset] == [
        "breed 9/b.png",
        "breed 10/a.png",
        "cat/1.png",
        "dog/2.png",
        "dog/10.PNG",
        "dog/more/1.jpg",
    ]
    assert [sample.labels for sample in dataset][3:] == [("dog",)] * 3
    assert dataset.name == "pets"
    assert errors(dataset) == {}
    assert all(sample.read().shape == (10, 12) for sample in dataset)
    assert dataset[0].boxes == ()
    assert dataset[0].group is None


def test_a_dataset_is_a_sequence(pets):
    dataset = ImageFolder(pets)
    assert len(dataset) == 6
    assert dataset[-1] == list(dataset)[5] == dataset[np.int64(5)]
    assert dataset[1:3] == list(dataset)[1:3]
    assert dataset[0] in dataset
    assert "6 samples, 5 labels" in repr(dataset)
    with pytest.raises(IndexError):
        dataset[6]


def test_broken_images_are_samples_with_an_error(pets):
    write(pets / "dog/2.png", "")
    write(pets / "cat/1.png", "<html>not found</html>")
    (pets / "cat/2.png").symlink_to(pets / "nowhere.png")
    (pets / "cat/3.png").symlink_to(pets / "cat/3.png")
    draw(pets / "stray.png")
    dataset = ImageFolder(pets)
    result = errors(dataset)
    assert set(result) == {"dog/2.png", "cat/2.png", "cat/3.png", "stray.png"}
    assert "empty (0 bytes)" in result["dog/2.png"]
    assert "does not exist" in result["cat/2.png"]
    assert "beside the subfolders" in result["stray.png"]
    for sample in dataset:
        if sample.error or sample.id == "cat/1.png":
            with pytest.raises(UnveilError):
                sample.read()
        else:
            sample.read()
    (text_file,) = [sample for sample in dataset if sample.id == "cat/1.png"]
    assert text_file.error is None, "its content is looked at when it is read"
    with pytest.raises(ImageError, match="a text file"):
        text_file.read()


def test_a_file_that_is_deleted_later_is_noticed(pets):
    dataset = ImageFolder(pets)
    (pets / "cat/1.png").unlink()
    assert len(dataset) == 6
    assert "does not exist" in errors(dataset)["cat/1.png"]


def test_links_to_folders_are_followed_once(pets):
    (pets / "dog/round").symlink_to(pets / "dog", target_is_directory=True)
    (pets / "wolf").symlink_to(pets / "dog", target_is_directory=True)
    dataset = ImageFolder(pets)
    assert sum(sample.labels == ("dog",) for sample in dataset) == 3
    assert sum(sample.labels == ("wolf",) for sample in dataset) == 3


@pytest.mark.parametrize("what", ["missing", "file", "flat", "empty"])
def test_folders_that_are_no_dataset_are_refused(tmp_path, what):
    draw(tmp_path / "flat/a.png")
    write(tmp_path / "file", "x")
    write(tmp_path / "empty/label/a.dcm", "x")
    said = {"missing": "does not exist", "file": "is a file", "flat": "without subfolders", "empty": "none in"}[what]
    with pytest.raises(DatasetError, match=said):
        ImageFolder(tmp_path / what)


@given(st.lists(st.text("aB01289-.", max_size=6), max_size=8))
def test_natural_order_agrees_with_numbers(names):
    ordered = sorted(names, key=natural_key)
    assert sorted(ordered) == sorted(names)
    for a, b in pairwise(ordered):
        if a.isdecimal() and b.isdecimal():
            assert int(a) <= int(b)
    backwards = names[::-1]
    assert ordered == sorted(backwards, key=natural_key), "the order is total"


def test_numbers_of_any_length_have_an_order():
    assert sorted(["9" * 9000, "1" + "0" * 9000, "x"], key=natural_key) == ["9" * 9000, "1" + "0" * 9000, "x"]


# Tables


@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "BOM"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_a_table_names_images_labels_and_groups(tmp_path, start, end):
    for name in ("a.png", "sub/b, c.png", "ä.png"):
        draw(tmp_path / name)
    lines = ["path,labels,who", "a.png,dog | cat||dog,7", '"sub/b, c.png",,8', "", "ä.png,10|9,7"]
    write(tmp_path / "pets.csv", start + end.join(lines) + end)
    dataset = CsvDataset(tmp_path / "pets.csv", group="who")
    assert [sample.id for sample in dataset] == ["a.png", "sub/b, c.png", "ä.png"]
    assert [sample.labels for sample in dataset] == [("dog", "cat"), (), ("10", "9")]
    assert [sample.group for sample in dataset] == ["7", "8", "7"]
    assert dataset.labels == ("9", "10", "cat", "dog")
    assert dataset.name == "pets"
    assert errors(dataset) == {}
    assert dataset[1].read().shape == (10, 12)


def test_a_table_with_other_column_names(tmp_path):
    draw(tmp_path / "photos/a.png")
    table = write(tmp_path / "t.csv", f"k,file,kinds\n0,a.png,x;y\n1,{tmp_path / 'photos/a.png'},z\n")
    dataset = CsvDataset(table, image="file", labels="kinds", separator=";", root=tmp_path / "photos")
    assert [sample.labels for sample in dataset] == [("x", "y"), ("z",)]
    assert errors(dataset) == {}, "absolute paths are the user's own"
    assert CsvDataset(table, "file", "kinds", None, root=tmp_path / "photos")[0].labels == ("x;y",)
    assert CsvDataset(table, "file", None, root=tmp_path / "photos").labels == ()


BOXED = "path,label,x,y,width,height\n"


def test_boxes_in_a_table_beside_the_first(tmp_path):
    for name in ("a.png", "b.png"):
        draw(tmp_path / name)
    table = write(tmp_path / "pets.csv", "path,labels\na.png,dog\nb.png,\n")
    assert all(sample.boxes == () for sample in CsvDataset(table))
    rows = "a.png,dog,1,2,3.5,4\na.png,tail,5,6,1,1\n"
    beside = write(tmp_path / "pets.boxes.csv", BOXED + rows)
    dataset = open_dataset(f"csv/{table}")
    assert dataset[0].boxes == (LabeledBox("dog", 2, 1, 4, 3.5), LabeledBox("tail", 6, 5, 1, 1))
    assert dataset[1].boxes == () and errors(dataset) == {}
    assert dataset.labels == ("dog", "tail"), "what only a box names is a label too"
    beside.rename(tmp_path / "other.csv")
    assert CsvDataset(table, boxes=tmp_path / "other.csv")[0].boxes == dataset[0].boxes
    with pytest.raises(DatasetError, match=r"gone\.csv"):
        CsvDataset(table, boxes=tmp_path / "gone.csv")


def test_an_invalid_box_affects_its_image_only(tmp_path):
    for name in ("a.png", "b.png", "c.png", "d.png"):
        draw(tmp_path / name)
    table = write(tmp_path / "t.csv", "path,labels\na.png,dog\nb.png,dog\nc.png,dog\nd.png,dog\n")
    rows = "a.png,dog,1,2,x,4\nb.png,dog,1,2,-3,4\nz.png,dog,1,2,3,4\nc.png,,1,2,3,4\nd.png,dog,1,2,3,4\n"
    write(tmp_path / "t.boxes.csv", BOXED + rows)
    dataset = CsvDataset(table)
    result = errors(dataset)
    for name, said in {
        "a.png": "four numbers x, y, width, height; got 1, 2, x, 4 in",
        "b.png": "sides above 0",
        "c.png": "a label; got an empty cell 'label'",
        "t.boxes.csv:4": "an image of the table; got z.png",
    }.items():
        assert said in result.pop(name), name
    assert result == {} and len(dataset) == 5
    assert dataset[3].boxes == (LabeledBox("dog", 2, 1, 4, 3),)


def test_errors_of_rows_name_file_and_row(tmp_path):
    draw(tmp_path / "a.png")
    rows = [
        "path,labels,who,",
        "a.png,dog,1",
        "a.png,dog",
        "a.png,dog,1,2,3",
        ",dog,1",
        "a.png,cat,2",
        "b.png,cat,",
        '"a"b.png,dog,1',
        ",,,",
        "gone.png,cat,3,",
        "x\0y.png,cat,3",
        '"line\nbreak.png",cat,3',
        '"never ends,dog,1',
    ]
    table = write(tmp_path / "t.csv", "\n".join(rows) + "\n")
    dataset = CsvDataset(table, group="who")
    result = errors(dataset)
    assert list(result) == [
        "t.csv:3",
        "t.csv:4",
        "t.csv:5",
        "t.csv:6",
        "b.png",
        "t.csv:8",
        "gone.png",
        "x\0y.png",
        "line\nbreak.png",
        "t.csv:13",
    ]
    assert len(dataset) == len(rows) - 2, "all but the header and the empty row"
    for number, said in ((3, "got 2"), (4, "got 5"), (5, "an empty cell 'path'"), (6, "row 2 names too")):
        text = result[f"t.csv:{number}"]
        assert said in text
        assert f"{table}, row {number};" in text
    assert "an empty cell 'who'" in result["b.png"]
    assert "can't be read" in result["t.csv:8"]
    assert "gone.png, which does not exist" in result["gone.png"]
    assert "can't be read" in result["t.csv:13"]
    assert next(iter(dataset)).error is None
    for sample in dataset:
        if sample.error is not None:
            assert sample.error.__traceback__ is sample.error.__cause__ is sample.error.__context__ is None
    assert [sample.path for sample in dataset if sample.id == "t.csv:3"] == [table]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"", "without any row"),
        (b"\n\n", "without any row"),
        (b"path,labels\n", "header only"),
        (b"path;labels\na.png;dog\n", "the columns path;labels"),
        (b"file,labels\na.png,dog\n", "one column path"),
        (b"path,labels,path\na.png,dog,b.png\n", "one column path"),
        (b'"path,labels\na.png,dog\n', "can't be read"),
        ("path,labels\nä.png,dog\n".encode("latin-1"), r"byte 12"),
        ("path,labels\na.png,dog\n".encode("utf-16"), "UTF-8"),
    ],
)
def test_tables_that_cannot_be_parsed_are_refused(tmp_path, content, said):
    if content is not None:
        (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=said) as raised:
        CsvDataset(tmp_path / "t.csv")
    assert str(tmp_path / "t.csv") in str(raised.value)


def test_wrong_settings_of_a_table_are_refused(tmp_path):
    table = write(tmp_path / "t.csv", "path,labels\na.png,dog\n")
    with pytest.raises(DatasetError, match="separator"):
        CsvDataset(table, separator="")
    with pytest.raises(DatasetError, match="the folder of the images"):
        CsvDataset(table, root=tmp_path / "gone")
    with pytest.raises(DatasetError, match="can be read"):
        CsvDataset(tmp_path)


# ChestX-ray14


@pytest.fixture
def nih(tmp_path):
    """The published form, with six radiographs."""
    root = tmp_path / "CXR8"
    draw(root / "images_001/images/00000001_000.png", (1024, 1024), "L")
    draw(root / "images_001/images/00000001_001.png", (64, 64), "L")
    draw(root / "images_002/images/00000002_000.png", (64, 64), "L")
    draw(root / "images_012/images/00030805_000.png", (64, 64), "L")
    draw(root / "images_012/images/00000003_000.png", (64, 64), "L")
    rows = [
        f"00000001_000.png,Cardiomegaly,0,1,{ENTRY_END}",
        f"00000001_001.png,Hernia|Emphysema|Cardiomegaly,1,1,{ENTRY_END}",
        f"00000002_000.png,No Finding,0,2,{ENTRY_END}",
        f"00000003_000.png,Infiltration,0,3,{ENTRY_END}",
        f"00030805_000.png,Pleural_Thickening,0,30805,{ENTRY_END}",
        f"00030806_000.png,Mass,0,30806,{ENTRY_END}",
    ]
    write(root / "Data_Entry_2017.csv", ENTRY_HEADER + "".join(rows))
    boxes = [
        "00000001_000.png,Cardiomegaly,256.5,512.25,128,64,,,\n",
        "00000003_000.png,Infiltrate,0,0,512,1024,,,\n",
        "00000001_000.png,Mass,1,2,3,4,,,\n",
    ]
    write(root / "BBox_List_2017.csv", BOX_HEADER + "".join(boxes))
    write(root / "train_val_list.txt", "00000002_000.png\n00000001_000.png\n00000001_001.png")
    write(root / "test_list.txt", "00000003_000.png\r\n00030805_000.png\r\n00030806_000.png\r\n")
    return root


def test_chestxray14_as_published(nih):
    dataset = ChestXray14(nih)
    assert list(dataset.labels) == CHEXNET
    assert [sample.labels for sample in dataset] == [
        ("Cardiomegaly",),
        ("Cardiomegaly", "Emphysema", "Hernia"),
        (),
        ("Infiltration",),
        ("Pleural_Thickening",),
        ("Mass",),
    ]
    assert [sample.group for sample in dataset] == ["1", "1", "2", "3", "30805", "30806"]
    assert dataset[0].boxes == (
        LabeledBox("Cardiomegaly", y=512.25, x=256.5, height=64, width=128),
        LabeledBox("Mass", 2, 1, 4, 3),
    )
    assert dataset[3].boxes == (LabeledBox("Infiltration", 0, 0, 1024, 512),)
    assert dataset[3].boxes_on(dataset[3].read().shape) == (LabeledBox("Infiltration", 0, 0, 64, 32),)
    assert dataset[0].boxes_on(dataset[0].read().shape) == dataset[0].boxes
    assert dataset[4].path == nih / "images_012/images/00030805_000.png"
    assert list(errors(dataset)) == ["00030806_000.png"], "published, but not on this disk"
    assert "does not exist" in errors(dataset)["00030806_000.png"]


def test_chestxray14_splits(nih):
    train, test = ChestXray14(nih, "train_val"), ChestXray14(nih, "test")
    assert [sample.id for sample in train] == ["00000002_000.png", "00000001_000.png", "00000001_001.png"]
    assert [sample.id for sample in test] == ["00000003_000.png", "00030805_000.png", "00030806_000.png"]
    assert test[0] == ChestXray14(nih)[3]
    assert train.name == "ChestX-ray14 train_val"
    with pytest.raises(DatasetError, match="train_val or test"):
        ChestXray14(nih, "val")


def test_chestxray14_flat_and_corrected(nih, tmp_path):
    draw(nih / "images/00030806_000.png", mode="L")
    (nih / "BBox_List_2017.csv").unlink()
    write(
        nih / "Data_Entry_2017_v2020.csv", ENTRY_HEADER.replace(",\n", "\n") + f"00030806_000.png,Edema,0,5,{ENTRY_END}"
    )
    dataset = ChestXray14(nih)
    assert [(sample.labels, sample.boxes, sample.error) for sample in dataset] == [(("Edema",), (), None)]
    with pytest.raises(DatasetError, match="No such file"):
        (nih / "test_list.txt").unlink()
        ChestXray14(nih, "test")


def test_chestxray14_with_bad_rows(nih):
    with (nih / "Data_Entry_2017.csv").open("a") as file:
        file.write(f"00000004_000.png,Flu,0,4,{ENTRY_END}")  # row 8
        file.write(f"00000004_001.png,No Finding|Mass,0,4,{ENTRY_END}")
        file.write(f"00000004_002.png,Mass,0,,{ENTRY_END}")
        file.write(f"00000001_000.png,Mass,0,4,{ENTRY_END}")
        file.write(f"../../etc/passwd,Mass,0,4,{ENTRY_END}")
        file.write(f"/etc/passwd,Mass,0,4,{ENTRY_END}")
        file.write(f"sub/00000001_000.png,Mass,0,4,{ENTRY_END}")
        file.write("00000005_000.png,Mas")
    with (nih / "BBox_List_2017.csv").open("a") as file:
        file.write("00000001_001.png,Mass,1,2,three,4,,,\n")  # row 5
        file.write("00000002_000.png,Mass,1,2,0,4,,,\n")
        file.write("00030805_000.png,Flu,1,2,3,4,,,\n")
        file.write("00099999_000.png,Mass,1,2,3,4,,,\n")
        file.write("..\\x.png,Mass,1,2,3,4,,,\n")
        file.write("00000003_000.png,Mass,1,2\n")
    write(nih / "test_list.txt", "00000001_000.png\n../x.png\n00000009_000.png\n00000001_000.png\n")
    dataset = ChestXray14(nih)
    result = errors(dataset)
    for name, said in {
        "00000004_000.png": "got Flu in",
        "00000004_001.png": "'No Finding' alone",
        "00000004_002.png": "a patient",
        "Data_Entry_2017.csv:11": "row 2 names too",
        "Data_Entry_2017.csv:12": "relative path",
        "Data_Entry_2017.csv:13": "relative path",
        "Data_Entry_2017.csv:14": "bare name",
        "Data_Entry_2017.csv:15": "11 cells, as the header has; got 2",
        "00000001_001.png": "four numbers x, y, width, height; got 1, 2, three, 4",
        "00000002_000.png": "sides above 0",
        "00030805_000.png": "a finding of the 14; got Flu",
        "BBox_List_2017.csv:8": "an image of Data_Entry_2017; got 00099999_000.png",
        "BBox_List_2017.csv:9": "relative path",
        "BBox_List_2017.csv:10": "6 cells",
        "00030806_000.png": "does not exist",
    }.items():
        assert said in result.pop(name), name
    assert result == {}
    assert dataset[0].error is None
    inside = nih.resolve()
    assert all(inside in sample.path.resolve().parents for sample in dataset), "no path leads out, broken or not"
    listed = errors(ChestXray14(nih, "test"))
    assert "relative path" in listed["test_list.txt:2"]
    assert "an image of Data_Entry_2017" in listed["test_list.txt:3"]
    assert f"row 1 names too, in {nih / 'test_list.txt'}, row 4;" in listed["test_list.txt:4"]


def test_chestxray14_with_parts_missing(nih, tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        ChestXray14(tmp_path / "gone")
    draw(tmp_path / "other/images/a.png")
    with pytest.raises(DatasetError, match="Data_Entry_2017"):
        ChestXray14(tmp_path / "other")
    write(tmp_path / "none/Data_Entry_2017.csv", ENTRY_HEADER)
    with pytest.raises(DatasetError, match="images_001/images"):
        ChestXray14(tmp_path / "none")
    write(nih / "BBox_List_2017.csv", "Image Index,Finding Label,x\n")
    with pytest.raises(DatasetError, match=r"one column Bbox \[x"):
        ChestXray14(nih)
    write(nih / "test_list.txt", "\n\n")
    write(nih / "BBox_List_2017.csv", BOX_HEADER + "00000001_000.png,Mass,1,2,3,4,,,\n")
    with pytest.raises(DatasetError, match="at least one line"):
        ChestXray14(nih, "test")


# Stanford Dogs and PASCAL VOC


def annotation(name: str, box: tuple, size: tuple | None = (500, 333), extra: str = "") -> str:
    """As published: `box` is xmin, ymin, xmax, ymax; `size` is height, width."""
    sides = "".join(
        f"<{side}>{value}</{side}>" for side, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    shape = f"<size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>" if size else ""
    return (
        f"<annotation>\n\t<folder>02085620</folder>\n\t<filename>%s</filename>{shape}<segment>0</segment>"
        f"<object><name>{name}</name><pose>Unspecified</pose><difficult>0</difficult>"
        f"<bndbox>{sides}</bndbox></object>{extra}</annotation>\n"
    )


def write_list(path: Path, names: list) -> None:
    cells = np.empty((len(names), 1), object)
    cells[:, 0] = names
    savemat(path, {"file_list": cells, "labels": np.ones((len(names), 1))})


@pytest.fixture
def dogs(tmp_path):
    root = tmp_path / "dogs"
    for name, breed in {
        "n02085620-Chihuahua/n02085620_10074": "Chihuahua",
        "n02085620-Chihuahua/n02085620_7": "Chihuahua",
        "n02086240-Shih-Tzu/n02086240_1": "Shih-Tzu",
    }.items():
        draw(root / "Images" / f"{name}.jpg", (33, 50))
        write(root / "Annotation" / name, annotation(breed, (25, 10, 276, 498)))
    write_list(root / "train_list.mat", ["n02085620-Chihuahua/n02085620_7.jpg"])
    write_list(
        root / "test_list.mat", ["n02086240-Shih-Tzu/n02086240_1.jpg", "n02085620-Chihuahua/n02085620_10074.jpg"]
    )
    return root


def test_stanford_dogs_as_published(dogs):
    dataset = StanfordDogs(dogs)
    assert dataset.labels == ("Chihuahua", "Shih-Tzu")
    assert [sample.labels for sample in dataset] == [("Shih-Tzu",), ("Chihuahua",)]
    assert dataset[1].boxes == (LabeledBox("Chihuahua", y=10, x=25, height=488, width=251),)
    assert dataset[1].box_shape == (500, 333)
    (box,) = dataset[1].boxes_on(dataset[1].read().shape)
    assert (box.y, box.height) == pytest.approx((1.0, 48.8))
    assert box.x == pytest.approx(25 * 33 / 333)
    assert errors(dataset) == {}
    assert [sample.id for sample in StanfordDogs(dogs, "train")] == ["n02085620-Chihuahua/n02085620_7.jpg"]
    assert [sample.id.split("_")[1] for sample in StanfordDogs(dogs, None)] == ["7.jpg", "10074.jpg", "1.jpg"]
    assert errors(StanfordDogs(dogs, None)) == {}


def test_stanford_dogs_with_bad_entries(dogs):
    good = "n02085620-Chihuahua/n02085620_7.jpg"
    names = [good, "../../x.jpg", "/etc/x.jpg", "C:\\x\\y.jpg", "x.jpg", "n0-Cat/1.jpg", good, 5.0]
    write_list(dogs / "test_list.mat", [*names, "n02085620-Chihuahua/gone.jpg", "n02085620-Chihuahua/new.jpg"])
    draw(dogs / "Images/n02085620-Chihuahua/new.jpg")
    dataset = StanfordDogs(dogs)
    result = errors(dataset)
    for row in (2, 3, 4):
        assert (
            f"relative path of a file below the dataset's folder; got {names[row - 1]}"
            in result[f"test_list.mat:{row}"]
        )
    assert "BREED/FILE.jpg" in result["test_list.mat:5"]
    assert "a folder in Images" in result["test_list.mat:6"]
    assert "row 1 names too" in result["test_list.mat:7"]
    assert "the path of an image; got something else" in result["test_list.mat:8"]
    assert "gone.jpg, which does not exist" in result["n02085620-Chihuahua/gone.jpg"]
    assert "Annotation/n02085620-Chihuahua/new, which does not exist" in result["n02085620-Chihuahua/new.jpg"]
    assert dataset[0].error is None


def test_stanford_dogs_with_parts_missing(dogs, tmp_path):
    with pytest.raises(DatasetError, match="train or test"):
        StanfordDogs(dogs, "val")
    savemat(dogs / "test_list.mat", {"other": np.ones(3)})
    with pytest.raises(DatasetError, match="file_list"):
        StanfordDogs(dogs)
    write_list(dogs / "test_list.mat", [])
    with pytest.raises(DatasetError, match="without any"):
        StanfordDogs(dogs)
    (dogs / "test_list.mat").unlink()
    with pytest.raises(DatasetError, match="No such file"):
        StanfordDogs(dogs)
    for folder in ("Images", "Annotation"):
        (tmp_path / "half" / folder).mkdir(parents=True)
        with pytest.raises(DatasetError, match=r"a folder Annotation|none in"):
            StanfordDogs(tmp_path / "half", None) if folder == "Annotation" else StanfordDogs(tmp_path / "half")


def element(kind: int, body: bytes, order: str) -> bytes:
    """As Matlab writes it: up to four bytes in the small form."""
    if 0 < len(body) <= 4:
        return struct.pack(f"{order}I", len(body) << 16 | kind) + body.ljust(4, b"\0")
    return struct.pack(f"{order}II", kind, len(body)) + body + b"\0" * (-len(body) % 8)


def matlab(kind: int, sizes: tuple, name: str, rest: bytes, order: str) -> bytes:
    flags = element(6, struct.pack(f"{order}II", kind, 0), order)
    shape = element(5, struct.pack(f"{order}{len(sizes)}i", *sizes), order)
    return element(14, flags + shape + element(1, name.encode(), order) + rest, order)


def matlab_list(texts: list[str], order: str, *, packed: bool) -> bytes:
    """A file with a number and `file_list`, its texts in 16 bits a letter."""
    encoding = "utf-16-le" if order == "<" else "utf-16-be"
    cells = b"".join(matlab(4, (1, len(text)), "", element(4, text.encode(encoding), order), order) for text in texts)
    number = matlab(6, (1, 1), "n", element(9, struct.pack(f"{order}d", 5.0), order), order)
    parts = [number, matlab(1, (len(texts), 1), "file_list", cells, order)]
    if packed:
        parts = [struct.pack(f"{order}II", 15, len(body)) + body for body in map(zlib.compress, parts)]
    version = struct.pack(f"{order}H", 0x0100) + (b"IM" if order == "<" else b"MI")
    return b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(124, b" ") + version + b"".join(parts)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_lists_are_read_as_scipy_reads_them(tmp_path, order, packed):
    texts = ["n02085620-Chihuahua/n02085620_5927.jpg", "a", "ab", "abc", "n-b/2.jpg"]
    (tmp_path / "a.mat").write_bytes(matlab_list(texts, order, packed=packed))
    cells = np.empty((5, 1), object)
    cells[:, 0] = texts
    savemat(tmp_path / "b.mat", {"before": np.eye(3), "file_list": cells, "after": "text"}, do_compression=packed)
    for name in ("a.mat", "b.mat"):
        theirs = [cell.item() for cell in loadmat(tmp_path / name)["file_list"].ravel()]
        assert read_cell_strings(tmp_path / name, "file_list") == theirs == texts
    # Scipy takes 16-bit letters beyond ASCII for something else.
    (tmp_path / "c.mat").write_bytes(matlab_list(["ä/犬.jpg"], order, packed=packed))
    assert read_cell_strings(tmp_path / "c.mat", "file_list") == ["ä/犬.jpg"]


def test_cells_that_are_no_text_are_errors(tmp_path):
    cells = np.empty((4, 1), object)
    cells[:, 0] = ["a", 5.0, np.array(["two", "row"]), np.zeros((0, 0))]
    savemat(tmp_path / "a.mat", {"file_list": cells})
    assert read_cell_strings(tmp_path / "a.mat", "file_list") == ["a", None, None, None]


@pytest.mark.parametrize("packed", [False, True])
def test_damaged_lists_raise_and_nothing_else(tmp_path, packed):
    """Scipy's reader ends the process on some of these."""
    whole = matlab_list(["n0-a/1.jpg", "n0-b/22.jpg"], "<", packed=packed)
    generator = np.random.default_rng(0)
    refused = 0
    path = tmp_path / "a.mat"
    for number in range(400):
        content = bytearray(whole)
        for place in generator.integers(120, len(whole), 3):
            content[place] = generator.integers(256)
        path.write_bytes(content[: generator.integers(len(whole))] if number % 5 == 0 else content)
        try:
            read_cell_strings(path, "file_list")
        except DatasetError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 200


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no header"),
        (b"text", "no header"),
        (b"MATLAB 7.3 MAT-file".ljust(512), "version 7.3"),
        (matlab_list(["a"], "<", packed=False)[:-4], "cut off"),
        (matlab_list([], "<", packed=True), "without any"),
        (matlab_list(["a"], "<", packed=True).replace(b"x\x9c", b"x\x9d"), "can't be read"),
        (matlab_list(["a"], "<", packed=False)[:128], "a variable file_list"),
        (
            matlab_list([], "<", packed=True)[:128] + matlab(6, (1, 1), "file_list", element(9, b"8bytes..", "<"), "<"),
            "isn't a cell array",
        ),
        (matlab_list([], "<", packed=True)[:128] + matlab(1, (2, 1), "file_list", b"", "<"), "0 cells instead of 2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_lists_that_cannot_be_parsed_are_refused(dogs, content, said):
    (dogs / "test_list.mat").write_bytes(content)
    with pytest.raises(DatasetError, match=said) as raised:
        StanfordDogs(dogs)
    assert "test_list.mat" in str(raised.value)


@pytest.fixture
def voc(tmp_path):
    root = tmp_path / "VOCdevkit/VOC2012"
    draw(root / "JPEGImages/2007_000027.jpg", (20, 16))
    draw(root / "JPEGImages/2007_000032.jpg", (20, 16))
    part = "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>"
    hard = (
        f"<object><name>dog</name><difficult>1</difficult><bndbox><xmax>20</xmax><xmin>1</xmin>"
        f"<ymin>1</ymin><ymax>16</ymax></bndbox>{part}</object>"
    )
    cat = "<object><name>cat</name><bndbox><xmin>2.5</xmin><ymin>1</ymin><xmax>4</xmax><ymax>1</ymax></bndbox></object>"
    write(root / "Annotations/2007_000027.xml", annotation("person", (3, 5, 7, 6), (16, 20), hard + cat))
    write(root / "Annotations/2007_000032.xml", "<annotation><!-- nothing --></annotation>")
    write(root / "ImageSets/Main/val.txt", "2007_000027\n2007_000032\n")
    write(root / "ImageSets/Segmentation/train.txt", "2007_000032\n")
    return root


def test_pascal_voc_as_published(voc):
    dataset = PascalVoc(voc)
    assert len(dataset.labels) == 20
    sample = dataset[0]
    assert sample.labels == ("cat", "person"), "a dog that is too difficult to count is no label"
    assert sample.boxes == (
        LabeledBox("person", y=4, x=2, height=2, width=5),
        LabeledBox("dog", 0, 0, 16, 20, difficult=True),
        LabeledBox("cat", 0, 1.5, 1, 2.5),
    )
    one_based = np.zeros((17, 21), bool)
    one_based[5 : 6 + 1, 3 : 7 + 1] = True
    assert (sample.boxes[0].inside(sample.read().shape) == one_based[1:, 1:]).all()
    assert sample.boxes[1].inside((16, 20)).all()
    assert sample.box_shape == (16, 20)
    assert (dataset[1].labels, dataset[1].boxes, dataset[1].box_shape) == ((), (), None)
    assert errors(dataset) == {}
    assert [sample.id for sample in PascalVoc(voc, "train", "Segmentation")] == ["2007_000032"]
    assert "one of the 2 labels; got person" in errors(PascalVoc(voc, labels=("cat", "dog")))["2007_000027"]


def test_pascal_voc_with_bad_lines(voc):
    write(
        voc / "ImageSets/Main/val.txt",
        "2007_000027\n\n../../../x\n/etc/passwd\n2007_000032 -1\n2007_000027\na/b\n..\n2007_1\n",
    )
    dataset = PascalVoc(voc)
    result = errors(dataset)
    assert len(dataset) == 8
    assert list(result) == [*(f"val.txt:{row}" for row in (3, 4, 5, 6, 7, 8)), "2007_1"]
    assert all("relative path" in result[f"val.txt:{row}"] for row in (3, 4, 8))
    assert "one name per line" in result["val.txt:5"]
    assert "bare name" in result["val.txt:7"]


def test_pascal_voc_with_parts_missing(voc):
    for split, task in (("gone", "Main"), ("val", "Gone")):
        with pytest.raises(DatasetError, match="No such file"):
            PascalVoc(voc, split, task)
    for split in ("../Main/val", "..", "", "/val", "."):
        with pytest.raises(DatasetError, match="bare names"):
            PascalVoc(voc, split)
    (voc / "Annotations").rename(voc / "PlacementTest")
    with pytest.raises(DatasetError, match="a folder Annotations"):
        PascalVoc(voc)


BOX = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox>"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        (b"", "got nothing"),
        (BOMB.encode(), "declares a document type"),
        (BOMB.encode("utf-16"), "UTF-8"),
        (BOMB.replace('"1.0"', '"1.0" encoding="UTF-16LE"').encode("utf-16-le"), "a whole annotation"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>', "declares"),
        # In this code page "{" and "}" are other characters, so a search of the bytes finds nothing.
        (b'<?xml version="1.0" encoding="cp037"?>' + BOMB[22:].encode("cp037"), "UTF-8"),
        (b"<annotation><object>", "no element found"),
        (b"<html/>", "the element html"),
        (b"<annotation><object>" + BOX.encode() + b"</object></annotation>", "without a name"),
        (b"<annotation><object><name>dog</name></object></annotation>", "'' for bndbox/xmin"),
        (annotation("dog", (1, 2, "three", 4)).encode(), "three for bndbox/xmax"),
        (annotation("dog", (5, 2, 3, 4)).encode(), "sides above 0"),
        (annotation("dog", ("nan", 2, 3, 4)).encode(), "finite"),
        (annotation("unicorn", (1, 2, 3, 4)).encode(), "unicorn"),
        (annotation("dog", (1, 2, 3, 4), (0, 5)).encode(), "the size 0 x 5"),
        (annotation("dog", (1, 2, 3, 4), ("nan", 5)).encode(), "the size nan x 5"),
        (b"<annotation>" + b" " * 1_000_001 + b"</annotation>", "more than 1000000 bytes"),
        (b"<a>" * 300_000, "no element found|parse|more than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_annotations_that_cannot_be_read(voc, content, said):
    path = voc / "Annotations/2007_000027.xml"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    dataset = PascalVoc(voc)
    with pytest.raises(DatasetError, match=said):
        dataset[0].read()
    assert "2007_000027.xml" in errors(dataset)["2007_000027"]
    assert dataset[1].error is None


def test_an_unknown_size_is_none(voc):
    write(voc / "Annotations/2007_000032.xml", annotation("dog", (1, 1, 2, 2), (0, 0)))
    assert PascalVoc(voc)[1].box_shape is None
    write(voc / "Annotations/2007_000032.xml", annotation("<![CDATA[dog]]>", (1, 1, 2, 2), None))
    assert PascalVoc(voc)[1].labels == ("dog",)


# Opening by text


def test_datasets_are_opened_by_text(pets, nih, dogs, voc, tmp_path):
    table = write(tmp_path / "t.csv", "path,labels\na.png,dog\n")
    for text, kind in (
        (f"folder/{pets}", ImageFolder),
        (f"csv/{table}", CsvDataset),
        (f"chestxray14/{nih}", ChestXray14),
        (f"stanford-dogs/{dogs}", StanfordDogs),
        (f"voc/{voc}", PascalVoc),
    ):
        assert type(open_dataset(text)) is kind


def test_a_relative_path_is_relative(pets, monkeypatch):
    monkeypatch.chdir(pets.parent)
    assert len(open_dataset("folder/pets")) == 6
    monkeypatch.chdir(pets)
    assert open_dataset("folder/.").name == "pets"


@pytest.mark.parametrize("text", ["", "folder", "folder/", "imagenet/x", "/data/x", "Folder/x", "a\nb/c"])
def test_an_unknown_form_is_refused(text):
    with pytest.raises(DatasetError, match="folder, images, csv, chestxray14, stanford-dogs, voc") as raised:
        open_dataset(text)
    assert "\n" not in str(raised.value)


def test_samples_can_be_pickled(pets):
    sample = ImageFolder(pets)[0]
    assert pickle.loads(pickle.dumps(sample)) == sample  # noqa: S301


def test_datasets_do_not_wait_for_torch():
    code = "import sys, unveil.datasets; print('torch' in sys.modules, 'matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


# Real data


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.assets
def test_the_table_of_photographs(assets):
    dataset = CsvDataset(assets / "imagenet/labels.csv", image="file", labels="class_index", group="wnid")
    rows = read_csv(assets / "imagenet/labels.csv")
    assert [sample.labels for sample in dataset] == [(row["class_index"],) for row in rows]
    assert dataset.labels == tuple(map(str, sorted({int(row["class_index"]) for row in rows})))
    assert errors(dataset) == {}
    for sample in dataset[::30]:
        with Pillow.open(sample.path) as opened:
            assert sample.read().shape == opened.size[::-1]


@pytest.mark.assets
def test_the_table_of_radiographs_with_few_images(assets):
    folder = assets / "chestxray14"
    dataset = CsvDataset(folder / "labels.csv", "image", "findings", group="patient_id", root=folder / "images_1024")
    rows = read_csv(folder / "labels.csv")
    assert len(dataset) == len(rows)
    assert [sample.group for sample in dataset] == [row["patient_id"] for row in rows]
    assert set(dataset.labels) <= set(CHEXNET)
    there = {path.name for path in (folder / "images_1024").iterdir()}
    good = [sample for sample in dataset if sample.error is None]
    assert {sample.id for sample in good} == there & {row["image"] for row in rows}
    assert len(good) > 20
    assert all(sample.read().shape == (1024, 1024) for sample in good[:3])


@pytest.mark.assets
def test_real_radiographs_in_the_official_form(assets, tmp_path):
    source = assets / "chestxray14"
    there = sorted((source / "images_1024").iterdir())
    for number, path in enumerate(there):
        folder = tmp_path / f"images_{number % 3 + 1:03d}/images"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).symlink_to(path)
    names = {path.name for path in there}
    rows = [row for row in read_csv(source / "labels.csv") if row["image"] in names]
    text = ENTRY_HEADER
    for row in rows:
        text += f"{row['image']},{row['findings']},{row['follow_up']},{row['patient_id']},{row['age']},{row['sex']},"
        text += f"{row['view']},2500,2048,0.168,0.168,\r\n"
    write(tmp_path / "Data_Entry_2017.csv", text)
    boxes = [row for row in read_csv(source / "boxes.csv") if row["image"] in {row["image"] for row in rows}]
    lines = [
        ",".join(
            [row["image"], row["label"].replace("Infiltration", "Infiltrate"), row["x"], row["y"], row["w"], row["h"]]
        )
        for row in boxes
    ]
    write(tmp_path / "BBox_List_2017.csv", BOX_HEADER + "".join(f"{line},,,\n" for line in lines))
    write(tmp_path / "test_list.txt", "\n".join(row["image"] for row in rows if row["official_split"] == "test"))
    dataset = open_dataset(f"chestxray14/{tmp_path}")
    assert len(dataset) == len(rows) > 20
    assert errors(dataset) == {}
    assert sum(len(sample.boxes) for sample in dataset) == len(boxes) > 20
    for sample, row in zip(dataset, rows, strict=True):
        assert set(sample.labels) == set(row["findings"].split("|"))
        assert {box.label for box in sample.boxes} <= set(sample.labels)
        for box in sample.boxes:
            inside = box.inside((1024, 1024))
            assert inside.sum() == pytest.approx(box.height * box.width, rel=0.05)
            (ys, xs) = np.nonzero(inside)
            assert ys.mean() + 0.5 == pytest.approx(box.y + box.height / 2, abs=1)
            assert xs.mean() + 0.5 == pytest.approx(box.x + box.width / 2, abs=1)
    assert dataset[0].read().shape == dataset[0].box_shape
    half = dataset[0].boxes_on((512, 512))
    assert [box.width for box in half] == [box.width / 2 for box in dataset[0].boxes]
    assert len(ChestXray14(tmp_path, "test")) == sum(row["official_split"] == "test" for row in rows)


def test_a_folder_of_images_without_labels(tmp_path):
    for name in ("b/10.png", "b/9.png", "a.jpg", ".hidden.png", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".txt":
            path.write_text("none")
        else:
            Pillow.new("L", (9, 8), 7).save(path, "PNG")
    images = open_dataset(f"images/{tmp_path}")
    assert [sample.id for sample in images] == ["a.jpg", "b/9.png", "b/10.png"]
    assert all(sample.labels == () and sample.error is None for sample in images)
    assert images[0].read().shape == (8, 9)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="images .*none in"):
        open_dataset(f"images/{tmp_path / 'empty'}")
