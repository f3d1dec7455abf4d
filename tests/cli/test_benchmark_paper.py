"""`unveil benchmark paper`: on every form of data set, counted again from its records; resuming, limits, bad input."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import INTERRUPTIBLE, Shell
from hypothesis import given
from hypothesis import strategies as st
from published import RADIOGRAPHS, chest, dogs, noise, voc

import unveil
from unveil.cli.datasets import choose, open_argument, record_names
from unveil.datasets import ImageFolder, StanfordDogs
from unveil.evaluation.paper.report import rounded
from unveil.store import is_run

MODELS = """
import torch, unveil
from torch import nn
from unveil.predictions import Output

class Slow(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body = body
    def forward(self, x):
        import time
        time.sleep(0.1)
        return self.body(x)

def body(channels, outputs, seed):
    torch.manual_seed(seed)
    last = nn.Linear(128, outputs)
    last.weight.data *= 3
    return nn.Sequential(nn.Conv2d(channels, 8, 5), nn.ReLU(), nn.AdaptiveMaxPool2d(4), nn.Flatten(), last)

def findings():
    labels = ["Effusion", "cardiomegaly", "Pleural Thickening", "Lung Opacity"]
    preprocessing = unveil.Preprocessing.square(32, (0.5,), (0.25,))
    return unveil.TorchClassifier(body(1, 4, 1), preprocessing, labels, output=Output.SIGMOID, name="chest")

def breeds():
    preprocessing = unveil.Preprocessing((32, 32), (0.5,) * 3, (0.25,) * 3, resize=36)
    return unveil.TorchClassifier(body(3, 4, 2), preprocessing, ["cardigan", "Chihuahua", "Cardigan", "pug"], name="dogs")

def slow():
    preprocessing = unveil.Preprocessing.square(32, (0.5,), (0.25,))
    return unveil.TorchClassifier(Slow(body(1, 3, 1)), preprocessing, ["Effusion", "Mass", "Edema"], output=Output.SIGMOID)
"""


class Bench:
    """A shell with models for chests and dogs; the three rounds of its recipe are quick."""

    def __init__(self, shell: Shell) -> None:
        self.shell, self.folder, self.out = shell, shell.folder, shell.folder / "paper"
        (self.folder / "models.py").write_text(MODELS)
        recipe = (self.folder / "quick.toml").read_text().replace("rounds = 2", "rounds = 3")
        (self.folder / "quick.toml").write_text(recipe)

    def words(self, dataset: object, model: str) -> list[object]:
        asked = ["--model", f"python/{self.folder / 'models.py'}:{model}", "--recipe", self.folder / "quick.toml"]
        return ["benchmark", "paper", dataset, *asked, "--out", self.out]

    def __call__(self, dataset: object, model: str, *more: object) -> tuple[int, str, str]:
        return self.shell(*self.words(dataset, model), *more)

    @property
    def results(self) -> dict:
        return json.loads((self.out / "results.json").read_text())

    def runs(self) -> dict[str, unveil.Run]:
        return {one["id"]: unveil.load_run(self.out / "runs" / one["folder"]) for one in self.results["runs"]}


@pytest.fixture
def bench(shell, monkeypatch) -> Bench:
    """Without pictures, which take longer than all else."""
    monkeypatch.setattr("unveil.evaluation.paper.report.draw_report", lambda *words: None)
    return Bench(shell)


@pytest.fixture
def drawing(shell) -> Bench:
    """With pictures."""
    return Bench(shell)


def test_chest_radiographs_as_published(drawing: Bench):
    """Six images, one of them broken: everything else is counted, the broken one is named, the exit code is 1."""
    code, out, err = drawing(chest(drawing.folder / "CXR8"), "findings", "--json", "--target", "predicted:0.4")
    assert code == 1
    assert sorted(path.name for path in drawing.out.iterdir()) == [
        "figure.png",
        "results.json",
        "rounds.png",
        "runs",
        "table.md",
    ]
    said = json.loads(out)
    assert said == drawing.results
    assert said["images"] == {"chosen": 6, "counted": 5, "failed": 1}
    (error,) = said["errors"]
    assert error["id"] == "00000005_000.png"
    assert "damaged or cut off" in error["error"]
    assert "00000005_000.png: expected" in err
    assert "error 1 of 6 images failed; they are listed in results.json" in err
    assert (said["groups"], said["drawn"]) == (4, "groups"), "five images of four patients"
    assert said["settings"]["predicted_from"] == 0.4
    matching = said["matching"]
    assert matching["matched"] == {
        "Cardiomegaly": ["cardiomegaly"],
        "Effusion": ["Effusion"],
        "Pleural_Thickening": ["Pleural Thickening"],
    }
    hernia = next(one for one in matching["unmatched"] if one["label"] == "Hernia")
    assert hernia == {"label": "Hernia", "why": "no label of the classifier has this name", "images": 0, "boxes": 0}
    assert (matching["classifier_labels"], matching["classifier_labels_matched"]) == (4, 3)


def test_the_tables_are_what_the_records_hold(bench: Bench):
    """Drops, label changes and boxes, counted again from the records on the disk."""
    bench(chest(bench.folder / "CXR8"), "findings")
    said, runs = bench.results, bench.runs()
    assert list(runs) == [name for name in RADIOGRAPHS if name != "00000005_000.png"]
    with (bench.folder / "CXR8/BBox_List_2017.csv").open() as file:
        boxes = [row for row in list(csv.reader(file))[1:] if row[0] in runs]
    names = {"Effusion": "Effusion", "Cardiomegaly": "cardiomegaly"}
    for index in range(3):
        drops, kept, covered = [], [], 0
        for run in runs.values():
            if index < len(run.rounds):
                one, top = run.rounds[index], int(np.argmax(run.first.logits))
                drops.append(one.before.logits[top] - one.after.logits[top])
                kept.append(int(np.argmax(one.after.logits)) == top)
        if drops:
            row = said["summary"]["rounds"][index]
            assert row["runs"] == len(drops)
            assert row["drop"] == pytest.approx(np.mean(drops), abs=1e-6)
            assert row["kept_first"] == pytest.approx(np.mean(kept), abs=1e-6)
            assert row["drop_95"][0] <= row["drop"] <= row["drop_95"][1]
        asked = 0
        for image, label, x, y, w, h in (row[:6] for row in boxes):
            run = runs[image]
            # 1024 px of the boxes are 64 of the files.
            box = np.zeros((64, 64), bool)
            box[int(y) // 16 : (int(y) + int(h)) // 16, int(x) // 16 : (int(x) + int(w)) // 16] = True
            asked += any(item.target == names[label] for one in run.rounds for item in one.maps)
            erased = np.zeros((64, 64), bool)
            for one in run.rounds[: index + 1]:
                for region in one.regions:
                    erased |= region.mask.to_array()
            covered += 4 * int((erased & box).sum()) >= int(box.sum())
        row = said["boxes"]["any"]["covered_25"][index]
        assert (row["round"], row["hit"], row["share"]) == (index + 1, covered, pytest.approx(covered / 3, abs=1e-6))
        assert said["boxes"]["own"]["boxes"] == asked
    predicted_first = [set(np.flatnonzero(run.first.logits >= 0)) for run in runs.values()]
    for row in said["changes"]["labels"]:
        index = next(iter(runs.values())).classifier.labels.index(row["label"])
        assert row["first"] == sum(index in found for found in predicted_first)
        appeared = [0, 0, 0]
        for run in runs.values():
            for one in run.rounds:
                appeared[one.index - 1] += row["label"] in run.appeared(one)
        assert row["appeared"] == appeared


def test_the_markdown_has_the_numbers_of_the_json(bench: Bench):
    bench(chest(bench.folder / "CXR8"), "findings")
    text, said = (bench.out / "table.md").read_text(), bench.results
    for row in said["summary"]["rounds"]:
        low, high = row["drop_95"]
        line = f"| {row['round']} | {row['runs']} | {row['drop']:.2f} [{low:.2f}, {high:.2f}] |".replace("-", "−")
        assert line in text
    for heading in ("## Rounds", "## Labels", "## All boxes, hit by", "## Boxes of labels", "## Images that failed"):
        assert heading in text
    assert "5 of 6 images counted (all images)" in text
    assert "00000005_000.png" in text
    peak = said["boxes"]["any"]["pointing"][-1]
    assert f"chance {100 * peak['chance']:.0f} %" in text


def test_a_second_call_keeps_the_records_and_says_the_same(bench: Bench):
    root = chest(bench.folder / "CXR8")
    bench(root, "findings")
    before, stamps = bench.results, {path: path.stat().st_mtime_ns for path in bench.out.rglob("run.json")}
    assert len(stamps) == 5
    code, _, _ = bench(root, "findings")
    assert code == 1
    assert bench.results == before
    assert {path: path.stat().st_mtime_ns for path in bench.out.rglob("run.json")} == stamps
    # A mended image is the only one that is run.
    noise(root / "images_002/images/00000005_000.png", 5)
    code, _, _ = bench(root, "findings")
    assert (code, bench.results["images"]["counted"], bench.results["errors"]) == (0, 6, [])
    now = {path: path.stat().st_mtime_ns for path in bench.out.rglob("run.json")}
    assert {path: now[path] for path in stamps} == stamps


def test_other_settings_stop_the_call_at_once(bench: Bench):
    root = dogs(bench.folder / "dogs")
    assert bench(root, "breeds", "--split", "all")[0] == 0
    before = bench.results
    code, out, err = bench(root, "breeds", "--split", "all", "--seed", 1)
    assert (code, out, bench.results) == (2, "", before)
    assert err.count("use --overwrite to replace it, or another --out") == 1
    code, _, _ = bench(root, "breeds", "--split", "all", "--seed", 1, "--overwrite")
    assert (code, {run.seed for run in bench.runs().values()}) == (0, {1})


def test_a_damaged_record_is_one_that_failed(bench: Bench):
    root = dogs(bench.folder / "dogs")
    bench(root, "breeds", "--split", "all")
    (bench.out / "runs/n02113186-Cardigan_n02113186_1/arrays.safetensors").write_bytes(b"")
    code, _, err = bench(root, "breeds", "--split", "all")
    assert (code, bench.results["images"]["counted"]) == (1, 3)
    assert "n02113186-Cardigan/n02113186_1.png: expected" in err


def test_stanford_dogs_as_published(bench: Bench):
    """The breeds of folders are matched with their case: the dog, not the garment; a sled has no match."""
    code, _, _ = bench(dogs(bench.folder / "dogs"), "breeds", "--split", "all")
    said = bench.results
    assert (code, said["dataset"]["name"], said["drawn"]) == (0, "Stanford Dogs", "images")
    assert said["matching"]["matched"] == {"Chihuahua": ["Chihuahua"], "Cardigan": ["Cardigan"]}
    (sled,) = said["matching"]["unmatched"]
    assert (sled["label"], sled["images"], sled["boxes"]) == ("sled", 1, 1)
    assert said["boxes"]["boxes"] == 4
    assert {one["folder"] for one in said["runs"]} == {
        "n02085620-Chihuahua_n02085620_7",
        "n02085620-Chihuahua_n02085620_10",
        "n02113186-Cardigan_n02113186_1",
        "n02000000-sled_n02000000_1",
    }
    assert [one["annotated"] for one in said["changes"]["labels"] if one["label"] == "Chihuahua"] == [2]
    # Lists that aren't there are asked for.
    code, _, err = bench(bench.folder / "dogs", "breeds")
    assert code == 2
    assert "test_list.mat" in err


def test_pascal_voc_with_a_list_of_matches(bench: Bench):
    (bench.folder / "match.json").write_text(json.dumps({"dog": ["Chihuahua", 3], "sofa": "Cardigan"}))
    code, _, _ = bench(voc(bench.folder / "VOCdevkit/VOC2012").parent, "breeds", "--match", bench.folder / "match.json")
    said = bench.results
    assert (code, said["dataset"]["name"]) == (0, "PASCAL VOC val")
    assert said["matching"]["matched"] == {"dog": ["Chihuahua", "pug"], "sofa": ["Cardigan"]}
    assert (said["boxes"]["boxes"], said["boxes"]["boxes_difficult"]) == (3, 1)
    person = next(one for one in said["matching"]["unmatched"] if one["label"] == "person")
    assert (person["images"], person["boxes"]) == (1, 1)


def test_folders_and_tables_have_no_boxes(bench: Bench):
    for label in ("Chihuahua", "pug"):
        noise(bench.folder / f"pets/{label}/1.png", 3, (40, 40), "RGB")
    code, _, _ = bench(f"folder/{bench.folder / 'pets'}", "breeds")
    said = bench.results
    assert (code, said["boxes"], len(said["matching"]["matched"])) == (0, None, 2)
    folders = [one["folder"] for one in said["runs"]]
    assert folders == ["Chihuahua_1", "pug_1"]
    (bench.folder / "pets.csv").write_text("path,labels\npets/pug/1.png,pug\n")
    assert bench(bench.folder / "pets.csv", "breeds", "--overwrite")[0] == 0
    assert [one["folder"] for one in bench.results["runs"]] == ["pets_pug_1"]
    assert "boxes" not in (bench.out / "table.md").read_text()


def test_no_label_in_common_is_said(bench: Bench):
    noise(bench.folder / "pets/cat/1.png", 3, (40, 40), "RGB")
    code, _, err = bench(bench.folder / "pets", "breeds")
    assert code == 0
    assert "no label of pets is one of the classifier's; see --match" in err
    assert bench.results["matching"]["unmatched"][0]["images"] == 1


def test_a_limit_draws_and_a_larger_one_adds(bench: Bench):
    root = chest(bench.folder / "CXR8")
    noise(root / "images_002/images/00000005_000.png", 5)
    bench(root, "findings", "--limit", 2, "--seed", 7)
    two = {one["id"] for one in bench.results["runs"]}
    bench(root, "findings", "--limit", 4, "--seed", 7)
    four = [one["id"] for one in bench.results["runs"]]
    assert len(two) == 2
    assert two < set(four)
    assert four == sorted(four), "in the data set's order"
    assert bench.results["dataset"]["chosen_by"] == "4 images at random, seed 7"
    assert len(list((bench.out / "runs").iterdir())) == 4
    assert bench(root, "findings", "--with-boxes", "--seed", 7)[0] == 0
    assert [one["id"] for one in bench.results["runs"]] == ["00000001_000.png", "00000003_000.png", "00000005_000.png"]


def test_every_image_is_as_likely_as_any_other(tmp_path):
    for number in range(6):
        noise(tmp_path / f"x/{number}.png", number, (9, 9))
    dataset = ImageFolder(tmp_path)
    times = np.zeros(6)
    for seed in range(300):
        for sample in choose(dataset, 2, seed, with_boxes=False).samples:
            times[int(sample.path.stem)] += 1
    assert times.sum() == 600
    assert (abs(times - 100) < 40).all(), times


def test_the_rows_of_the_figure(drawing: Bench):
    root = dogs(drawing.folder / "dogs")
    drawing(root, "breeds", "--split", "all")
    said, runs = drawing.results, drawing.runs()
    changes = {
        name: sum(len(set(one.before.predicted()) ^ set(one.after.predicted())) for one in run.rounds)
        for name, run in runs.items()
    }
    shown = [changes[name] for name in said["figure"]["of"]]
    assert shown == sorted(changes.values(), reverse=True)
    assert "most labels" in said["figure"]["rule"]
    asked = "n02000000-sled/n02000000_1.png,n02113186-Cardigan_n02113186_1"
    drawing(root, "breeds", "--split", "all", "--figure-of", asked)
    assert drawing.results["figure"] == {
        "rule": "asked for",
        "of": ["n02000000-sled/n02000000_1.png", "n02113186-Cardigan/n02113186_1.png"],
    }


BAD = {
    "no such place": (lambda b: ("nowhere",), "the folder or table of a data set, or FORM/PATH .* got nowhere, which"),
    "two years": (
        lambda b: (voc(b.folder / "v/VOC2007").parent, voc(b.folder / "v/VOC2012"))[:1],
        "one year of PASCAL",
    ),
    "a split of a folder": (lambda b: (dogs(b.folder / "d") / "Images", "--split", "test"), "leave --split out"),
    "a split that isn't": (lambda b: (dogs(b.folder / "d"), "--split", "tests"), "a split train or test"),
    "no boxes": (lambda b: (dogs(b.folder / "d") / "Images", "--with-boxes"), "at least one image; got none"),
    "a row": (
        lambda b: (dogs(b.folder / "d"), "--split", "all", "--figure-of", "x.png"),
        "got x.png; such as n02000000",
    ),
    "a match": (
        lambda b: (dogs(b.folder / "d"), "--split", "all", "--match", b.shell.folder / "net.py"),
        'a JSON table such as {"sofa"',
    ),
    "a recipe": (lambda b: (dogs(b.folder / "d"), "--recipe", "papper"), "got 'papper'"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_bad_input_is_one_line_and_nothing_is_written(bench: Bench, name):
    make, told = BAD[name]
    dataset, *more = make(bench)
    code, out, err = bench(dataset, "breeds", *more)
    assert (code, out) == (2, "")
    (line,) = [line for line in err.splitlines() if line.strip()]
    import re  # noqa: PLC0415

    assert re.search(told, line), line
    assert not bench.out.exists()


def test_all_broken_is_told_and_still_listed(bench: Bench):
    root = dogs(bench.folder / "dogs")
    for path in root.rglob("*.png"):
        path.write_bytes(b"")
    code, _, err = bench(root, "breeds", "--split", "all")
    assert code == 1
    assert bench.results["images"] == {"chosen": 4, "counted": 0, "failed": 4}
    assert bench.results["summary"]["rounds"] == []
    assert sorted(path.name for path in bench.out.iterdir()) == ["results.json", "table.md"]
    assert "4 of 4 images failed" in err


def test_many_errors_are_cut_on_the_screen_and_not_in_the_file(bench: Bench):
    for number in range(14):
        path = noise(bench.folder / f"pets/pug/{number}.png", 3, (40, 40), "RGB")
        path.write_bytes(b"")
    code, _, err = bench(bench.folder / "pets", "breeds")
    assert (code, len(bench.results["errors"])) == (1, 14)
    errors = [line for line in err.splitlines() if line.startswith("error")]
    assert len(errors) == 12
    assert errors[10] == "error more than 10 images failed; the others will be listed in results.json"


def test_an_existing_path_is_looked_at_and_a_form_is_believed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dogs(tmp_path / "voc")
    dogs(tmp_path / "folder/photos")
    assert open_argument("voc", "all").name == "Stanford Dogs"
    assert open_argument("folder/photos", "all").name == "Stanford Dogs", (
        "./folder/photos, because ./photos isn't there"
    )
    noise(tmp_path / "photos/cat/1.png", 1)
    assert isinstance(open_argument("folder/photos"), ImageFolder)
    assert isinstance(open_argument(f"stanford-dogs/{tmp_path / 'voc'}", "all"), StanfordDogs)


PART = st.text(min_size=1, max_size=12).filter(lambda part: "/" not in part)


@given(st.lists(st.lists(PART, min_size=1, max_size=3).map("/".join), min_size=1, max_size=6, unique=True))
def test_folders_of_records_are_safe_different_and_don_t_depend_on_the_others(ids):
    names = record_names(ids)
    assert len({name.lower() for name in names}) == len(ids)
    for one, name in zip(ids, names, strict=True):
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
        assert name
        assert not name.startswith(".")
        assert len(name) <= 110
        alone = record_names([one])[0]
        assert name == alone or name.startswith(f"{alone}-")


def test_names_of_records_by_hand():
    assert record_names(["n1-cat/a.jpg", "b.png", "/data/c.png"]) == ["n1-cat_a", "b", "c"]
    one, other = record_names(["a/1.png", "a_1.png"])
    assert (one[:4], other[:4]) == ("a_1-", "a_1-")
    assert one != other


def test_numbers_are_cut_and_nothing_else():
    assert rounded({"a": [1.23456789, (2, None)], "b": "1.23456789", "c": True}) == {
        "a": [1.234568, [2, None]],
        "b": "1.23456789",
        "c": True,
    }


def test_ctrl_c_says_how_to_go_on_and_the_next_call_does(bench: Bench):
    root = chest(bench.folder / "CXR8")
    command = [sys.executable, "-c", INTERRUPTIBLE, *map(str, bench.words(root, "slow"))]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"})
    runs = bench.out / "runs"
    deadline = time.monotonic() + 120
    # A hidden folder that is being written may already be a whole record; it counts when it has its name.
    while not [*runs.glob("[!.]*/run.json")] and started.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 130, err
    assert "stopped; what was finished is kept, and the same call continues from there" in err
    assert "Traceback" not in err
    kept = {path.name: (path / "run.json").stat().st_mtime_ns for path in Path(runs).iterdir()}
    assert all(is_run(runs / name) for name in kept), "nothing is half written"
    assert not (bench.out / "results.json").exists()
    code, _, _ = bench(root, "slow")
    assert (code, bench.results["images"]["counted"]) == (1, 5)
    assert {name: (runs / name / "run.json").stat().st_mtime_ns for name in kept} == kept


def test_a_target_that_the_model_lacks_is_told_once_and_before_any_image(shell, monkeypatch):
    import unveil.runs  # noqa: PLC0415

    monkeypatch.setattr(unveil.runs, "find_regions", lambda *given, **settings: pytest.fail("an image was run"))
    for number in range(2):
        shell.photograph(f"data/poppy/{number}.png", number)
    words = "--model", "planted/demo", "--target", "popy", "--out", shell.folder / "out"
    code, out, err = shell("benchmark", "paper", shell.folder / "data", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "got 'popy'; try 'poppy', or an index" in err


@pytest.mark.parametrize("channels", [2, 4, 13])
def test_images_with_the_channels_of_the_network(bench: Bench, channels):
    """Four channels aren't RGBA, and two aren't an image whose axes can't be told: a record holds what the image has."""
    source = bench.folder / "models.py"
    source.write_text(
        MODELS
        + f"""
def many():
    preprocessing = unveil.Preprocessing.square(32, (0.5,) * {channels}, (0.25,) * {channels})
    return unveil.TorchClassifier(body({channels}, 2, 1), preprocessing, ["field", "lake"], name="many")
"""
    )
    data = bench.folder / "data"
    values = np.random.default_rng(channels).integers(0, 256, (40, 30, channels), dtype=np.uint8)
    for label in ("field", "lake"):
        (data / label).mkdir(parents=True)
        np.save(data / label / "a.npy", values)
    code, _, err = bench(data, "many")
    assert code == 0, err
    assert [run.source.channels for run in bench.runs().values()] == [channels] * 2
    expected = unveil.find_regions(values, unveil.load_classifier(f"python/{source}:many"), bench.folder / "quick.toml")
    assert expected.source.sha256 in {run.source.sha256 for run in bench.runs().values()}
    assert {tuple(region.mask.to_array().sum(0)) for region in expected.regions} == {
        tuple(region.mask.to_array().sum(0)) for run in bench.runs().values() for region in run.regions
    }
    out = bench.folder / "p.safetensors"
    name = f"python/{source}:many"
    assert bench.shell("patterns", data / "field" / "a.npy", "--model", name, "--out", out)[0] == 0
