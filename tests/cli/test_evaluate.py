"""`unveil evaluate`: counted again from the records and the published boxes."""

import csv
import json

import pytest
from published import chest
from test_benchmark_paper import Bench


@pytest.fixture
def bench(shell, monkeypatch) -> Bench:
    monkeypatch.setattr("unveil.evaluation.paper.report.draw_report", lambda *words: None)
    made = Bench(shell)
    made(chest(made.folder / "CXR8"), "findings", "--target", "top:4")
    return made


def share(detected, box):
    """|D ∩ B| / |D| over whole pixels; boxes are published on 1024 x 1024, images here are 64 x 64."""
    x, y, w, h = (int(float(value)) // 16 for value in box)
    pixels = {(a, b) for a in range(y, y + h) for b in range(x, x + w)}
    mine = {
        (a, b) for a in range(detected.start[0], detected.stop[0]) for b in range(detected.start[1], detected.stop[1])
    }
    return len(mine & pixels) / len(mine)


def test_the_table_is_what_the_records_hold(bench):
    code, out, err = bench.shell("evaluate", bench.out, "--json")
    assert code == 0, err
    said = json.loads(out)
    assert (said["evaluation"], said["counted"]) == ("chestxray8", "images with a box of the label")
    with (bench.folder / "CXR8/BBox_List_2017.csv").open() as file:
        boxes = [row for row in list(csv.reader(file))[1:] if row[1] == "Cardiomegaly"]
    runs, found, false = bench.runs(), 0, 0
    for image, _, *box in boxes:
        regions = [one for one in runs[image].regions if one.target == "cardiomegaly"]
        right = [share(region.box, box[:4]) > 0.25 for region in regions]
        found += any(right)
        false += right.count(False)
    last = list(said["tables"])[-1]
    assert last == f"round {max(one.index for run in runs.values() for one in run.rounds)}"
    (row,) = [one for one in said["tables"][last]["labels"] if one["label"] == "Cardiomegaly"]
    assert (row["images"], row["boxes"]) == (2, 2)
    cell = next(one for one in row["iobb"] if one["threshold"] == 0.25)
    assert cell["accuracy"] == pytest.approx(found / 2, abs=1e-6)
    assert cell["afp"] == pytest.approx(false / 2, abs=1e-6)
    assert row["detected"] > 0
    assert f"{last}, T(iobb)" in err
    assert "Cardiomegaly" in err


def test_all_images_add_false_boxes_and_no_accuracy(bench):
    some = json.loads(bench.shell("evaluate", bench.out, "--json")[1])
    every = json.loads(bench.shell("evaluate", bench.out, "--json", "--all-images")[1])
    assert every["counted"] == "all images"
    for state, table in every["tables"].items():
        for row in table["labels"]:
            assert row["images"] == 5
            (before,) = [one for one in some["tables"][state]["labels"] if one["label"] == row["label"]]
            assert [one["accuracy"] for one in row["iou"]] == [one["accuracy"] for one in before["iou"]]
            assert row["detected"] >= before["detected"]


def test_what_is_no_folder_of_results_is_refused(bench):
    code, _, err = bench.shell("evaluate", bench.folder)
    assert code == 2
    assert "results.json of unveil benchmark paper" in err
    (bench.out / "results.json").write_text("{")
    assert bench.shell("evaluate", bench.out)[0] == 2
    assert bench.shell("evaluate", bench.out, "--criterion", "dice")[0] == 2
