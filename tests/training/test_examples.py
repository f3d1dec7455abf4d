"""Examples are the prepared images as bytes; splits keep groups together; unusable images are left out, said why."""

import csv

import numpy as np
import pytest
from PIL import Image as Pillow

from training_sets import SIDE, square_network, squares
from unveil.datasets import CsvDataset
from unveil.errors import UnveilError
from unveil.training import TrainingError, read_examples, split_rows
from unveil.training.examples import check_classes


@pytest.fixture
def table(tmp_path):
    """A table of four images, one of which is damaged, and one without a label of the network."""
    rng = np.random.default_rng(0)
    rows = [["path", "labels", "patient"]]
    for number, label in enumerate(("red", "green", "blue", "purple")):
        Pillow.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
        rows.append([f"{number}.png", label, f"p{number // 2}"])
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:60])
    with (tmp_path / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return CsvDataset(tmp_path / "table.csv", group="patient")


def test_pixels_are_those_of_the_files(table, tmp_path):
    failed = []
    columns = {"red": 0, "green": 1, "blue": 2}
    examples = read_examples(
        table[:], square_network(), columns, tmp_path / "images.bin", on_error=lambda one, error: failed.append(one.id)
    )
    assert len(examples) == 3
    assert len(failed) == 1
    for row, number in enumerate((0, 1)):
        expected = np.asarray(Pillow.open(tmp_path / f"{number}.png").convert("RGB")).transpose(2, 0, 1)
        assert (examples.pixels[row] == expected).all()
        np.testing.assert_allclose(examples.batch([row])[0].numpy(), expected / 255, atol=1e-7)
    assert examples.targets.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert examples.groups[0] == examples.groups[1] != examples.groups[2]


def test_a_softmax_needs_exactly_one_label(table, tmp_path):
    columns = {"red": 0, "green": 1, "blue": 2}
    examples = read_examples(table[:], square_network(output="softmax"), columns, tmp_path / "images.bin")
    assert examples.targets.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_nothing_to_read_is_an_error_and_leaves_no_file(table, tmp_path):
    with pytest.raises(TrainingError, match="images with labels of the classifier"):
        read_examples(table[2:3], square_network(), {"blue": 2}, tmp_path / "images.bin")
    assert not list(tmp_path.glob("images*"))


def test_a_split_keeps_groups_together_and_does_not_depend_on_others():
    groups = [f"g{number % 50}" for number in range(500)]
    training, kept = split_rows(groups, 0.3)
    sides = [{groups[row] for row in rows} for rows in (training, kept)]
    assert not sides[0] & sides[1]
    assert sorted([*training, *kept]) == list(range(500))
    few = [f"g{number}" for number in range(10)]
    assert {few[row] for row in split_rows(few, 0.3)[1]} == sides[1] & set(few)


def test_a_class_without_images_is_named():
    with pytest.raises(UnveilError, match="images of blue; got none"):
        check_classes(squares(2), ("red", "green", "blue"), [0, 1, 2])
