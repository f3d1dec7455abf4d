"""Rows hold the numbers of the record, bit for bit."""

import json
import struct
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

import cubes
from batch_sets import RECIPE, content, finished, quick_plan, write_network, write_samples
from labeled_runs import three_labels
from tiny_runs import RECIPES, run
from unveil.attribution import SmoothGrad
from unveil.batch import open_archive
from unveil.batch.items import Item
from unveil.batch.parquet import make_table
from unveil.batch.places import place_bits
from unveil.batch.rows import MAX_ERROR_CHARS, failure_as_rows, run_as_rows
from unveil.images import Image
from unveil.masks import Mask
from unveil.predictions import Output
from unveil.recipes import LabelCheck, Recipe, TrustSettings
from unveil.rounds import find_regions
from unveil.store import save_run

ITEM = Item(7, "a/b.png", "/data/a/b.png", 3, 4, ("Edema",), "patient", None, None, "00000")


def bits(value):
    """A number as its bits, so that -0.0 isn't 0.0 and NaN is itself; others as they are."""
    return struct.pack("<d", value) if isinstance(value, float) else value


def through_parquet(rows):
    """The rows as they come back from their tables."""
    return {name: make_table(name, one).to_pylist() for name, one in rows.items()}


@pytest.fixture(scope="module")
def labeled(tmp_path_factory):
    """An archive with records, trust cards and a label check."""
    recipe = replace(
        RECIPE,
        attribution=SmoothGrad(samples=4),
        label_check=LabelCheck(),
        trust=TrustSettings(placements=20, adaptive=False),
    )
    model = write_network(folder := tmp_path_factory.mktemp("labeled"))
    plan = quick_plan(model, recipe, keep="records", shard_size=3)
    return finished(open_archive(folder / "out", plan, write_samples(folder / "data", 4)))


def test_table_and_record_agree_bit_by_bit(labeled):
    """The record is read as plain JSON: nothing that made the rows is used."""
    rows = content(labeled.folder)
    records = {int(path.parent.name): json.loads(path.read_text()) for path in labeled.folder.rglob("run.json")}
    assert sorted(records) == [0, 1, 2, 3]
    compared = 0
    for index, record in records.items():
        mine = [row for row in rows["regions"] if row["index"] == index]
        regions = [(one, region) for one in record["rounds"] for region in one["regions"]]
        assert len(mine) == len(regions)
        for number, (row, (round_, region)) in enumerate(zip(mine, regions, strict=True)):
            card = record["trust"]["cards"][number]
            for name in (
                "score_before",
                "score_after",
                "probability_before",
                "probability_after",
                "stability",
                "revealed",
                "rim_share",
                "box_gain",
                "area_mm2",
                "volume_mm3",
            ):
                assert bits(row[name]) == bits(region[name]), name
                compared += region[name] is not None
            for name in (
                "q_value",
                "necessity",
                "sufficiency",
                "fill_agreement",
                "boundary_share",
                "shapley_value",
                "verdict",
                "reason",
            ):
                assert bits(row[name]) == bits(card[name]), name
                compared += card[name] is not None
            assert bits(row["drop"]) == bits(region["score_before"] - region["score_after"])
            assert (row["runs"], [row["height"], row["width"]]) == (region["mask"]["runs"], region["mask"]["shape"])
            assert (row["round"], row["number"], row["target"]) == (
                round_["index"],
                number + 1,
                region["target"]["name"],
            )
            assert region["target"]["weights"] == [[row["target_index"], 1.0]]
        image = next(row for row in rows["images"] if row["index"] == index)
        assert image["sha256"] == record["source"]["sha256"]
        assert image["regions"] == len(regions)
        assert image["rounds"] == len(record["rounds"]) == sum(row["index"] == index for row in rows["rounds"])
    assert compared > 60


def test_probabilities_are_those_of_the_logits_in_the_record(labeled):
    rows = content(labeled.folder)
    for path in labeled.folder.rglob("arrays.safetensors"):
        arrays, index = load_file(path), int(path.parent.name)
        image = next(row for row in rows["images"] if row["index"] == index)
        first = 1 / (1 + np.exp(-arrays["first"]))
        assert image["probabilities"] == pytest.approx(first[image["predicted_index"]].tolist(), rel=1e-14)
        assert image["first_index"] == int(arrays["first"].argmax())
        for row in (one for one in rows["rounds"] if one["index"] == index):
            for name in ("before", "after"):
                logits = arrays[f"round/{row['round']}/{name}"]
                order = np.argsort(-logits, kind="stable")
                assert row[f"{name}_labels"] == [("red", "green", "blue")[place] for place in order]
                assert row[f"{name}_probabilities"] == pytest.approx(
                    (1 / (1 + np.exp(-logits[order]))).tolist(), rel=1e-14
                )


@pytest.mark.parametrize("output", list(Output))
@pytest.mark.parametrize("recipe", list(RECIPES))
def test_every_kind_of_run_becomes_rows(recipe, output):
    """Joint and separate tracks, margins, labels with quotes, no region at all, nothing predicted."""
    made = run(recipe, output)
    rows = through_parquet(run_as_rows(made, ITEM, 1, 0.5))
    (image,) = rows["images"]
    assert (image["status"], image["error"], image["attempts"], image["worker_seconds"]) == ("done", None, 1, 0.5)
    assert (image["true_labels"], image["group"], image["path"]) == (["Edema"], "patient", "/data/a/b.png")
    assert (image["height"], image["width"], image["depth"], image["channels"]) == (40, 50, None, 3)
    assert image["predicted_index"] == list(made.first.predicted())
    assert [row["track"] for row in rows["rounds"]] == [one.track for one in made.rounds]
    assert len(rows["regions"]) == len(made.regions) == image["regions"]
    empty = [(one.target, one.reason) for round_ in made.rounds for one in round_.maps if one.reason is not None]
    told = [pair for row in rows["rounds"] for pair in zip(row["empty_targets"], row["empty_reasons"], strict=True)]
    assert told == empty
    for row, region in zip(rows["regions"], made.regions, strict=True):
        mask = Mask((row["height"], row["width"]), tuple(row["runs"]))
        assert mask == region.mask
        assert row["places"] == place_bits(mask)
        inside = mask.to_array()
        ys, xs = np.nonzero(inside)
        if len(ys):
            box = (ys.min() / 40, xs.min() / 50, (ys.max() + 1) / 40, (xs.max() + 1) / 50)
            assert (row["y0"], row["x0"], row["y1"], row["x1"]) == box
        assert row["area_px"] == inside.sum()
        is_margin = recipe == "no noise, a margin"
        assert (row["target_index"] is None) == is_margin
        if not is_margin:
            assert row["appeared_later"] == (row["label_index"] not in image["predicted_index"])


def test_labels_are_rows_with_their_verdicts():
    rows = through_parquet(run_as_rows(three_labels(), ITEM, 1, 0.0))
    told = [
        (row["label"], row["class_index"], row["verdict"], row["regions"], row["appeared_later"])
        for row in rows["labels"]
    ]
    assert told == [
        ("cat", 0, "supported", [1, 2], False),
        ("dog", 1, "artifact", [3, 4], True),
        ("red [fox]", 2, "supported", [3], True),
    ]
    assert [row["gain"] for row in rows["labels"]] == [0.75, 0.02, 0.625]
    assert [row["label"] for row in rows["regions"]] == ["cat", "cat", "red [fox]", "dog"]
    assert [row["appeared_later"] for row in rows["regions"]] == [False, False, True, True]


def test_a_run_without_a_label_check_has_no_labels():
    rows = run_as_rows(run(), ITEM, 1, 0.0)
    assert rows["labels"] == []
    assert make_table("labels", rows["labels"]).num_rows == 0


def test_labels_that_repeat_are_told_apart_by_their_index():
    made = run("plain, separate tracks")
    twice = replace(made, classifier=replace(made.classifier, labels=("crane", "crane", "crane")))
    rows = run_as_rows(twice, ITEM, 1, 0.0)
    assert {row["target_index"] for row in rows["regions"]} == {
        region.target_score.class_index for region in made.regions
    }
    assert set(rows["images"][0]["predicted"]) == {"crane"}


def test_volumes_have_a_depth_and_no_places():
    made = find_regions(Image.from_array(cubes.volume(), axes="d h w"), cubes.classifier(), cubes.RECIPE)
    rows = through_parquet(run_as_rows(made, ITEM, 1, 0.0))
    image, region = rows["images"][0], rows["regions"][0]
    assert (image["depth"], image["height"], image["width"]) == (cubes.SIDE,) * 3
    assert Mask((cubes.SIDE,) * 3, tuple(region["runs"])) == made.regions[0].mask
    place = [number / cubes.SIDE for number in cubes.STRONG]
    assert [region["d0"], region["y0"], region["x0"]] == place
    assert [region["d1"], region["y1"], region["x1"]] == [(number + cubes.CUBE) / cubes.SIDE for number in cubes.STRONG]
    assert region["places"] is None


def test_a_failure_is_one_line_that_no_process_changes():
    text = "first\nsecond \x1b[2J <object at 0x7f00deadbeef>" + "x" * 5000
    rows = failure_as_rows(ITEM, "RuntimeError", text, 2, 0.0)
    (row,) = make_table("images", rows["images"]).to_pylist()
    assert row["error"].startswith("first second \\x1b[2J <object at 0x…>xxx")
    assert len(row["error"]) == MAX_ERROR_CHARS
    assert (row["status"], row["error_kind"], row["attempts"], row["predicted"]) == ("failed", "RuntimeError", 2, None)
    assert (rows["rounds"], rows["regions"], rows["labels"]) == ([], [], [])


def test_a_record_saved_beside_says_the_same_as_one_saved_alone(labeled, tmp_path):
    """The record in the shard is that of the run, and a run made again has its rows."""
    item = labeled.items[2]
    plan = labeled.plan
    made = find_regions(
        item.path, plan.load_classifier(), Recipe.from_dict(plan.recipe), seed=plan.seed, batch_size=plan.batch_size
    )
    again = save_run(made, tmp_path / "again")
    kept = labeled.folder / "shards" / "00000" / "records" / "000002"
    left, right = (json.loads((folder / "run.json").read_text()) for folder in (again, kept))
    for one in (left, right):
        one.pop("seconds")
        one["trust"].pop("passes")
    assert left == right
    expected = {name: [row for row in rows if row["index"] == 2] for name, rows in content(labeled.folder).items()}
    rows = through_parquet(run_as_rows(made, item, 1, 0.0))
    rows["images"][0].pop("worker_seconds")
    assert rows == expected
    assert pq.read_table(labeled.folder / "labels.parquet").num_rows > 0
    assert list((labeled.folder / "tmp").iterdir()) == []
