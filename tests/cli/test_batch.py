"""`unveil batch`: a folder to tables; stopped and continued; every wrong input is one clear error."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from commands import INTERRUPTIBLE, Shell
from PIL import Image as Pillow

import unveil
from unveil.batch import read_plan
from unveil.cli.batch_progress import format_duration, format_rate
from unveil.planted import draw_scene

parquet = pytest.importorskip("pyarrow.parquet")
SEEDS = range(200_000, 200_005)
MODEL = ("--model", "planted/demo", "--recipe", "demo")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Five scenes as PNG files, and a file that is none."""
    folder = tmp_path_factory.mktemp("archive") / "scenes"
    folder.mkdir()
    for seed in SEEDS:
        pixels = np.round(draw_scene(seed).pixels.transpose(1, 2, 0) * 255).astype(np.uint8)
        Pillow.fromarray(pixels).save(folder / f"{seed}.png")
    (folder / "damaged.png").write_bytes(b"nothing")
    return folder


def test_tables_hold_the_runs_of_all_images(shell: Shell, scenes):
    out = shell.folder / "archive"
    code, printed, err = shell("batch", scenes, *MODEL, "--no-trust", "--out", out, "-j", 1, "--json")
    assert code == 1, err
    said = json.loads(printed)
    assert said["complete"]
    assert said["images"] == len(SEEDS) + 1
    assert [failure["sample"] for failure in said["failures"]] == ["damaged.png"]
    assert "damaged.png" in err
    images = {row["sample"]: row for row in parquet.read_table(out / "images.parquet").to_pylist()}
    regions = parquet.read_table(out / "regions.parquet").to_pylist()
    recipe, classifier = unveil.recipes.demo(), unveil.load_classifier("planted/demo")
    for seed in SEEDS:
        run = unveil.find_regions(
            scenes / f"{seed}.png", classifier, recipe, trust=False, batch_size=read_plan(out).batch_size
        )
        row = images[f"{seed}.png"]
        assert (row["status"], row["rounds"], row["regions"]) == ("done", len(run.rounds), len(run.regions))
        drops = [one["drop"] for one in regions if one["index"] == row["index"]]
        # Tests may compute with other numbers of threads than the worker: the last bits differ, and with them pixels.
        np.testing.assert_allclose(drops, [region.drop for region in run.regions], rtol=0.1)
    assert images["damaged.png"]["status"] == "failed"
    before = (out / "regions.parquet").stat().st_mtime_ns
    code, printed, err = shell("batch", scenes, *MODEL, "--no-trust", "--out", out, "-j", 1, "--json")
    assert code == 1
    assert json.loads(printed)["images_done_now"] == 0
    assert "nothing was left to do" in " ".join(err.split())
    assert (out / "regions.parquet").stat().st_mtime_ns == before
    code, _, err = shell("batch", scenes, *MODEL, "--out", out, "-j", 1)
    assert code == 2
    assert "where these differ: recipe.trust" in " ".join(err.split())


def test_failed_images_are_tried_again_on_request(shell: Shell, scenes):
    out, folder = shell.folder / "archive", shell.folder / "images"
    folder.mkdir()
    (folder / "a.png").write_bytes((scenes / f"{SEEDS[0]}.png").read_bytes())
    (folder / "b.png").write_bytes(b"nothing")
    words = ("batch", folder, *MODEL, "--no-trust", "--out", out, "-j", 1)
    assert shell(*words)[0] == 1
    (folder / "b.png").write_bytes((scenes / f"{SEEDS[1]}.png").read_bytes())
    assert shell(*words)[0] == 1, "not tried again without being asked"
    code, _, err = shell(*words, "--retry-failed")
    assert code == 0, err
    assert "1 images are tried again" in err
    rows = parquet.read_table(out / "images.parquet").to_pylist()
    assert [(row["sample"], row["status"]) for row in rows] == [("a.png", "done"), ("b.png", "done")]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_signal_stops_it_and_the_same_call_goes_on(shell: Shell, scenes):
    out = shell.folder / "archive"
    words = ["batch", scenes, *MODEL, "--no-trust", "--out", out, "-j", "1", "--shard-size", "1"]
    command = [sys.executable, "-c", INTERRUPTIBLE, *map(str, words)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list(out.glob("shards/0*")):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, err
    assert "the same call goes on from there" in " ".join(err.split())
    assert "Traceback" not in err
    done = {path.name: path.stat().st_mtime_ns for path in out.glob("shards/*")}
    assert done
    assert not (out / "images.parquet").exists()
    assert shell(*words)[0] == 1
    assert {name: (out / "shards" / name).stat().st_mtime_ns for name in done} == done
    assert parquet.read_table(out / "images.parquet").num_rows == len(SEEDS) + 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--engine", "cloud"), "--engine local or ray"),
        (("--address", "auto"), "got --address alone"),
        (("--gpus-per-worker", 0.5), "got --gpus-per-worker alone"),
        (("--keep", "all"), "keep as tables or records"),
        (("--seed", -1), "seed"),
        (("--split", "train"), "a data set that has splits"),
        (("--target", "class:"), "class:"),
        (("--labels", "absent.txt"), "absent.txt"),
        (("--size", "big"), "--size"),
    ],
)
def test_wrong_input_is_one_error_and_nothing_is_made(shell: Shell, scenes, words, told):
    out = shell.folder / "archive"
    code, _, err = shell("batch", scenes, *MODEL, *words, "--out", out)
    assert code == 2
    assert told in " ".join(err.split())
    assert "Traceback" not in err
    assert not out.exists()


def test_rates_and_durations_are_easy_to_read():
    assert [format_rate(value) for value in (12.3456, 1, 0.05)] == [
        "12.3 images per second",
        "1 images per second",
        "3.0 images per minute",
    ]
    assert [format_duration(value) for value in (42, 119, 120, 5400, 200_000)] == [
        "42 s",
        "119 s",
        "2 min",
        "1 h 30 min",
        "2 d 7 h",
    ]
