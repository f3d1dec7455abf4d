"""`unveil run`: records, JSON, exit codes, resuming, and every kind of bad input as one line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import INTERRUPTIBLE, Shell

import unveil
from unveil.errors import RecordError
from unveil.store import is_run


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def test_one_image_becomes_a_record_and_a_figure(shell: Shell):
    code, out, err = shell("run", shell.photograph("a dog.png"), *shell.common)
    assert (code, out) == (0, "")
    folder = shell.folder / "out" / "a_dog"
    assert sorted(path.name for path in folder.iterdir()) == [
        "arrays.safetensors",
        "figure.png",
        "preview.png",
        "run.json",
    ]
    run = unveil.load_run(folder)
    assert (len(run.rounds), run.recipe["name"], run.classifier.name) == (2, "quick", "small")
    assert run.classifier.labels[run.first.predicted()[0]] in err
    assert "drop" in err


def test_the_command_line_and_the_library_find_the_same(shell: Shell):
    path = shell.photograph("a.png", seed=5)
    shell("run", path, *shell.common, "--seed", 4, "--target", "Edema", "--batch-size", 3)
    run = unveil.load_run(shell.folder / "out" / "a")
    classifier = unveil.load_classifier(f"python/{shell.folder / 'net.py'}:make")
    again = unveil.find_regions(path, classifier, shell.folder / "quick.toml", target=unveil.Class("Edema"), seed=4)
    assert [region.mask for region in run.regions] == [region.mask for region in again.regions]
    assert run.recipe == again.recipe
    assert {region.target for region in run.regions} == {"Edema"}


def test_another_attribution_by_name(shell: Shell):
    path = shell.photograph("a.png")
    for number, (name, kind) in enumerate(
        (("captum/IntegratedGradients", "Captum"), ("guided-backprop", "GuidedBackprop"))
    ):
        assert shell("run", path, *shell.common[:-1], shell.folder / str(number), "--attribution", name)[0] == 0
        assert unveil.load_run(shell.folder / str(number) / "a").recipe["attribution"]["kind"] == kind
    code, _, err = shell("run", path, *shell.common, "--attribution", "lime")
    assert code == 2
    assert "an attribution Gradient," in err


def test_a_vision_transformer_of_timm(shell: Shell):
    """Its gradient by central differences in float64: the record's first map has the same brightest pixel."""
    path = shell.photograph("a.png")
    recipe = shell.folder / "plain.toml"
    recipe.write_text('[attribution]\nkind = "Gradient"\n[stop]\nkind = "MaxRounds"\nrounds = 2\n')
    words = ("--model", "timm/test_vit", "--weights", "none", "--out", shell.folder / "out", "--json")
    torch.manual_seed(0)
    code, out, _ = shell("run", path, *words, "--recipe", recipe, "--target", "top:1")
    assert code == 0
    run = unveil.load_run(json.loads(out)["runs"][0]["folder"])
    assert (run.classifier.name, len(run.rounds), bool(run.regions)) == ("timm/test_vit", 2, True)

    torch.manual_seed(0)
    classifier = unveil.load_classifier("timm/test_vit", "none", device="cpu")
    twin = classifier.copy_of_module().double()
    pixels = torch.as_tensor(classifier.prepare(unveil.read_image(path)).pixels).double()
    index = run.first.leading(1)[0]
    mean, deviation = (
        torch.tensor(getattr(classifier.preprocessing, name)).double()[:, None, None] for name in ("mean", "std")
    )
    saliency = run.rounds[0].maps[0].saliency.astype(np.float64)

    def slope(place: tuple[int, int]) -> float:
        steps = []
        for channel in range(3):
            moved = [pixels.clone(), pixels.clone()]
            moved[0][channel, place[0], place[1]] += 1e-4
            moved[1][channel, place[0], place[1]] -= 1e-4
            with torch.no_grad():
                high, low = twin((torch.stack(moved) - mean) / deviation)[:, index]
            steps.append(float(high - low) / 2e-4)
        return float(np.linalg.norm(steps))

    places = [(10, 20), (80, 80), (131, 60), np.unravel_index(saliency.argmax(), saliency.shape)]
    slopes = np.array([slope(place) for place in places])
    shown = np.array([saliency[place] for place in places])
    assert shown / shown.max() == pytest.approx(slopes / slopes.max(), rel=2e-2)

    code, _, err = shell("run", path, *words, "--recipe", "paper", "--overwrite")
    assert code == 1
    assert "got a model with 6 × GELU; use Gradient() for this model" in err


def test_json_is_all_of_standard_output(shell: Shell):
    paths = [shell.photograph("a.png"), shell.photograph("b.png", 1)]
    code, out, err = shell("run", *paths, *shell.common, "--json")
    found = json.loads(out)["runs"]
    assert code == 0
    assert [one["status"] for one in found] == ["done", "done"]
    for one, path in zip(found, paths, strict=True):
        run = unveil.load_run(one["folder"])
        assert one["image"] == str(path)
        assert one["stop"]["joint"] == {"kind": "max rounds", "text": "2 rounds done"}
        areas = [region["area_px"] for item in one["rounds"] for region in item["regions"]]
        assert areas == [region.area_px for region in run.regions]
        for item, done in zip(one["rounds"], run.rounds, strict=True):
            assert item["coverage"] == done.coverage
            (predicted,) = item["predicted_before"]
            assert predicted["probability"] == pytest.approx(done.before.probabilities.max())
            assert predicted["index"] == int(np.argmax(done.before.logits))
            assert predicted["label"] == run.classifier.labels[predicted["index"]]
    assert "a.png" in err


def test_one_bad_image_does_not_stop_the_others(shell: Shell):
    good, other = shell.photograph("good.png"), shell.photograph("other.png", 1)
    bad = shell.folder / "bad.png"
    bad.write_text("no image")
    code, out, err = shell("run", good, bad, other, *shell.common, "--json")
    assert code == 1
    assert [one["status"] for one in json.loads(out)["runs"]] == ["done", "failed", "done"]
    assert "a text file" in json.loads(out)["runs"][1]["error"]
    errors = [line for line in lines(err) if line.startswith("error")]
    assert len(errors) == 2
    assert "bad.png" in errors[0]
    assert errors[1] == "error 1 of 3 images failed; the other records are complete"
    assert sorted(path.name for path in (shell.folder / "out").iterdir()) == ["good", "other"]


def bad_png(name: str, content: bytes):
    def make(shell: Shell) -> tuple:
        (shell.folder / name).write_bytes(content)
        return (shell.folder / name, *shell.common)

    return make


def cut_off(shell: Shell) -> tuple:
    path = shell.photograph("cut.png")
    path.write_bytes(path.read_bytes()[:2000])
    return (path, *shell.common)


def with_words(*words: str):
    return lambda shell: (shell.photograph("a.png"), *shell.common, *words)


def unfitting(shell: Shell) -> tuple:
    import torch  # noqa: PLC0415

    torch.save({"conv.weight": torch.zeros(3)}, shell.folder / "w.pth")
    return (
        shell.photograph("a.png"),
        "-m",
        "planted/demo",
        "--weights",
        shell.folder / "w.pth",
        "-o",
        shell.folder / "out",
    )


def into_a_file(shell: Shell) -> tuple:
    (shell.folder / "out").write_text("a file")
    return (shell.photograph("a.png"), *shell.common)


def nan_model(shell: Shell) -> tuple:
    return shell.photograph("a.png"), "-m", f"python/{shell.folder / 'net.py'}:nan", "-o", shell.folder / "out"


BAD = {
    "zero bytes": (bad_png("a.png", b""), 1, r"empty \(0 bytes\); fetch the file again"),
    "a text": (bad_png("a.png", b"hello"), 1, "a text file; convert it to PNG"),
    "cut off": (cut_off, 1, "damaged or cut off"),
    "missing": (lambda shell: (shell.folder / "no.png", *shell.common), 2, "does not exist; check the path"),
    "a folder": (lambda shell: (shell.folder, *shell.common), 2, "an image file; got the folder"),
    "a target": (with_words("--target", "Edma"), 2, r"got 'Edma'; try 'Edema', or an index"),
    "a target's form": (with_words("--target", "top:x"), 2, r"predicted\[:P\]"),
    "a recipe": (with_words("--recipe", "papper"), 2, "got 'papper'"),
    "a model": (with_words("--model", "resnet50"), 2, "did you mean torchvision/resnet50"),
    "weights that don't fit": (
        unfitting,
        2,
        "weights for PlantedNet; got .*features.0.weight is missing; .* more; check the model's name",
    ),
    "missing weights": (with_words("--model", "planted/demo", "--weights", "w.pth"), 2, "which is not a file"),
    "a device": (
        with_words("--model", "planted/demo", "--device", "tpu"),
        2,
        "a device auto, cpu, cuda or mps; got tpu",
    ),
    "a precision": (with_words("--model", "planted/demo", "--precision", "fp8"), 2, "a precision auto, fp32 or bf16"),
    "a figure": (with_words("--figure", "gif"), 2, "gif"),
    "output": (into_a_file, 2, "expected a folder that the run can be written to"),
    "nan": (nan_model, 1, "finite logits"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_bad_input_is_one_line_and_nothing_is_written(shell: Shell, name):
    make, expected, told = BAD[name]
    words = make(shell)
    before = sorted(path for path in shell.folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    code, out, err = shell("run", *words)
    assert (code, out) == (expected, "")
    assert "Traceback" not in err
    errors = [line for line in lines(err) if line.startswith("error")]
    if name != "a figure":  # the parser's own message
        assert len(lines(err)) == len(errors) == 1, err
        assert err.count("\n") == 1, "no empty line"
        assert err.count(str(shell.folder / "a.png")) <= 1, "the image is named once"
    import re  # noqa: PLC0415

    assert re.search(told, err), err
    assert (
        sorted(path for path in shell.folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts) == before
    )


EARLY = {
    "out is a file": (("--out", "net.py"), (), "a file of this name"),
    "out is a link to nothing": (("--out", "dangling/runs"), (), "a link to nothing"),
    "a missing image": ((), ("no.png", "nor.png"), "no.png, which does not exist, and 1 more paths of 3"),
    "an image that is a link to nothing": ((), ("dangling",), "dangling, which is a link to nothing"),
    "a folder of images": ((), ("images",), "images; name the files in it"),
    "an output": (("--output", "softmx"), (), "an output softmax or sigmoid; got 'softmx'"),
    "a precision": (("--precision", "fp61"), (), "a precision auto, fp32 or bf16; got fp61"),
    "a device": (("--device", "cupa"), (), "a device auto, cpu, cuda or mps; got cupa"),
    "a target": (("--target", "top:x"), (), "got 'top:x'"),
    "a probability": (("--target", "predicted:2"), (), "a threshold above 0, and at most 1; got 2.0"),
    "an empty target": (("--target", ""), (), "got nothing; name a target"),
    "a negative seed": (("--seed", "-5"), (), "seed of at least 0; got -5"),
    "a large seed": (("--seed", str(10**23)), (), f"seed of at most {2**63 - 1}; got {10**23}"),
    "a second processor": (("--device", "cpu:7"), (), "a device of this machine, cpu; got cpu:7"),
    "a recipe": (("--recipe", "recomended"), (), "got 'recomended'; did you mean recommended?"),
    "a source": (("--model", "torchvison/resnet18"), (), "did you mean torchvision/resnet18?"),
    "a model without its source": (("--model", "resnet18"), (), "did you mean torchvision/resnet18?"),
    "a model of torchvision": (("--model", "torchvision/resnet81"), (), "did you mean torchvision/resnet18?"),
}


@pytest.mark.parametrize("name", list(EARLY))
def test_what_cannot_work_is_told_before_the_model_is_loaded(shell: Shell, name):
    words, images, told = EARLY[name]
    (shell.folder / "images").mkdir()
    (shell.folder / "dangling").symlink_to(shell.folder / "nowhere")
    (shell.folder / "net.py").write_text("raise SystemExit('the model is loaded')\n")
    folder = shell.folder
    given = [word if word.startswith("--") or words[0] != "--out" else folder / word for word in words]
    before = sorted(folder.rglob("*"))
    code, out, err = shell("run", shell.photograph("a.png"), *(folder / name for name in images), *shell.common, *given)
    assert (code, out) == (2, "")
    assert len(lines(err)) == 1, err
    assert told in err
    assert sorted(path for path in folder.rglob("*") if path.name != "a.png") == before


def test_a_place_that_is_taken_is_told_before_the_rounds(shell: Shell, monkeypatch):
    """One record's folder holds something else: that image fails at once, and the others are done."""
    import unveil.runs  # noqa: PLC0415

    found = []
    real = unveil.runs.find_regions
    monkeypatch.setattr(
        unveil.runs, "find_regions", lambda image, *a, **b: (found.append(image.source), real(image, *a, **b))[1]
    )
    (shell.folder / "out" / "a").mkdir(parents=True)
    (shell.folder / "out" / "a" / "mine.txt").write_text("mine")
    paths = shell.photograph("a.png"), shell.photograph("b.png", 1)
    code, _, err = shell("run", *paths, *shell.common)
    assert code == 1
    assert found == [str(paths[1])]
    assert "a folder that isn't empty" in err


@pytest.mark.parametrize("size", [(1, 1), (20000, 20000)])
def test_an_image_of_the_wrong_size(shell: Shell, size):
    import struct  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    path = shell.photograph("a.png")
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", *size)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    code, _, err = shell("run", path, *shell.common)
    assert code == 1
    assert ("at least 8x8" in err) if size == (1, 1) else ("at most 100 megapixels" in err)
    assert not (shell.folder / "out").exists() or not any((shell.folder / "out").iterdir())


def test_a_full_disk(shell: Shell, monkeypatch):
    """What was finished stays; what is half written goes."""
    import errno  # noqa: PLC0415

    paths = [shell.photograph(f"{number}.png", number) for number in range(3)]
    assert shell("run", paths[0], *shell.common)[0] == 0
    kept = {path: path.read_bytes() for path in (shell.folder / "out").rglob("*") if path.is_file()}
    real = Path.write_bytes

    def full(self, content):
        if self.name == "arrays.safetensors":
            real(self, content[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    code, _, err = shell("run", *paths, *shell.common)
    monkeypatch.undo()
    assert code == 1
    # No image is computed after the first failure.
    assert err.count("No space left on device") == 1
    assert "1 of 3 images failed, and 1 weren't started because the disk is full" in err
    assert err.count("free some space") == 1
    assert {path: path.read_bytes() for path in (shell.folder / "out").rglob("*") if path.is_file()} == kept


def test_a_second_call_keeps_what_is_finished(shell: Shell, monkeypatch):
    paths = [shell.photograph("a.png"), shell.photograph("b.png", 1)]
    shell("run", paths[0], *shell.common)
    stamp = (shell.folder / "out/a/run.json").stat().st_mtime_ns
    code, out, err = shell("run", *paths, *shell.common, "--json")
    assert code == 0
    assert [one["status"] for one in json.loads(out)["runs"]] == ["kept", "done"]
    assert (shell.folder / "out/a/run.json").stat().st_mtime_ns == stamp
    assert "(kept)" in err
    first, second = json.loads(out)["runs"]
    assert first["rounds"]
    assert second["rounds"]


def test_other_settings_are_refused_or_replace_the_record_when_told(shell: Shell):
    path = shell.photograph("a.png")
    shell("run", path, *shell.common)
    before = (shell.folder / "out/a/run.json").read_bytes()
    code, _, err = shell("run", path, *shell.common, "--seed", 1)
    assert (code, (shell.folder / "out/a/run.json").read_bytes()) == (1, before)
    assert "where these differ: seed 0 (now 1); use --overwrite to replace it, or another --out" in err
    code, _, _ = shell("run", path, *shell.common, "--seed", 1, "--overwrite")
    assert (code, unveil.load_run(shell.folder / "out/a").seed) == (0, 1)
    # Something that isn't a record is never replaced.
    (shell.folder / "out/b").mkdir()
    (shell.folder / "out/b/notes.txt").write_text("mine")
    code, _, err = shell("run", shell.photograph("b.png"), *shell.common, "--overwrite")
    assert code == 1
    assert [item.name for item in (shell.folder / "out/b").iterdir()] == ["notes.txt"]


def test_a_damaged_record_is_not_silently_replaced(shell: Shell):
    path = shell.photograph("a.png")
    shell("run", path, *shell.common)
    (shell.folder / "out/a/arrays.safetensors").write_bytes(b"")
    code, _, err = shell("run", path, *shell.common)
    assert code == 1
    assert "make the run again" in err
    assert shell("run", path, *shell.common, "--overwrite")[0] == 0
    assert unveil.load_run(shell.folder / "out/a")


@pytest.mark.parametrize("form", ["png", "svg", "pdf", "none"])
def test_figures_in_every_format_for_every_track(shell: Shell, form):
    (shell.folder / "quick.toml").write_text(
        "joint = false\n" + (shell.folder / "quick.toml").read_text() + '[target]\nkind = "Top"\ncount = 2\n'
    )
    assert shell("run", shell.photograph("a.png"), *shell.common, "--figure", form)[0] == 0
    names = sorted(path.name for path in (shell.folder / "out/a").iterdir())
    expected = [] if form == "none" else [f"figure-2.{form}", f"figure.{form}"]
    assert names == sorted(["arrays.safetensors", "preview.png", "run.json", *expected])


def test_names_that_differ_in_their_folder_or_case_only(shell: Shell):
    paths = [shell.photograph("one/a.png"), shell.photograph("two/a.png", 1), shell.photograph("three/A.png", 2)]
    assert shell("run", *paths, *shell.common)[0] == 0
    names = sorted(path.name for path in (shell.folder / "out").iterdir())
    assert [name[:2].lower() for name in names] == ["a-"] * 3
    # The order of the images doesn't matter: the same call in another order keeps all records.
    code, out, _ = shell("run", *reversed(paths), *shell.common, "--json")
    assert (code, {run["status"] for run in json.loads(out)["runs"]}) == (0, {"kept"})
    assert sorted(path.name for path in (shell.folder / "out").iterdir()) == names


def test_markup_in_names_is_text(shell: Shell):
    (shell.folder / "labels.txt").write_text("[red]cat[/red]\n[/]\nx\n")
    model = "-m", f"python/{shell.folder / 'plain.py'}:make", "--labels", shell.folder / "labels.txt"
    (shell.folder / "plain.py").write_text(
        "import torch\nfrom torch import nn\ndef make():\n    torch.manual_seed(0)\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 9, 4), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(16, 3))\n"
    )
    code, _, err = shell(
        "run",
        shell.photograph("[bold]x[red].png"),
        *model,
        "-r",
        shell.folder / "quick.toml",
        "-o",
        shell.folder / "out",
    )
    assert code == 0, err
    assert "[bold]x[red].png" in err


SLOW = """
import time, torch, unveil
from torch import nn

class Slow(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(16, 2))
    def forward(self, x):
        time.sleep(0.2)
        return self.body(x)

def make():
    torch.manual_seed(0)
    return unveil.TorchClassifier(Slow(), unveil.Preprocessing.square(32, (0.5,) * 3, (0.5,) * 3), ["a", "b"])
"""


def test_ctrl_c_keeps_what_was_finished_and_the_next_call_goes_on(shell: Shell):
    (shell.folder / "slow.py").write_text(SLOW)
    paths = [shell.photograph(f"{number}.png", number) for number in range(12)]
    out = shell.folder / "out"
    command = [sys.executable, "-c", INTERRUPTIBLE, "run", *map(str, paths)]
    command += [
        "-m",
        f"python/{shell.folder / 'slow.py'}:make",
        "-r",
        str(shell.folder / "quick.toml"),
        "-o",
        str(out),
        "--figure",
        "none",
        "--no-trust",
    ]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"})
    deadline = time.monotonic() + 120
    # A hidden folder that is being written may already be a whole record; it counts when it has its name.
    while not [*out.glob("[!.]*/run.json")] and started.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 130, err
    assert "stopped; what was finished is kept" in err
    assert "Traceback" not in err
    finished = [folder for folder in out.iterdir() if is_run(folder)]
    assert 1 <= len(finished) < 12
    assert sorted(out.iterdir()) == sorted(finished), "nothing half-written"
    for folder in finished:
        assert np.isfinite(unveil.load_run(folder).first.logits).all()


def test_a_record_that_is_no_run_raises_in_the_library(shell: Shell):
    with pytest.raises(RecordError):
        unveil.load_run(shell.folder)


def test_no_name_and_no_label_reaches_the_terminal_with_control_characters(shell: Shell):
    """Neither colors nor a cleared screen, nor a forged line, from a file's name or a label."""
    clear, forged = "\x1b[2J", "a\nerror forged"
    labels = shell.folder / "labels.json"
    labels.write_text(json.dumps([f"cat{clear}", f"dog{clear}\r", "x\x07"]))
    (shell.folder / "plain.py").write_text(
        "import torch\nfrom torch import nn\ndef make():\n    torch.manual_seed(0)\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 9, 4), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(16, 3))\n"
    )
    model = "--model", f"python/{shell.folder / 'plain.py'}:make", "--labels", str(labels)
    paths = [shell.photograph(f"{clear}b.png"), shell.photograph(f"{forged}.png", 1), shell.folder / f"{forged}{clear}"]
    for chosen in ([paths[0]], paths):
        _, out, err = shell(
            "run", *chosen, *model, "--recipe", str(shell.folder / "quick.toml"), "--out", shell.folder / "o"
        )
        assert out == ""
        assert not {character for character in err if not character.isprintable()} - {"\n"}, repr(err)
        assert "error forged" not in lines(err)
        assert "\\x1b[2J" in err


def test_the_cost_of_all_images_is_told_before_the_first(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    """A folder of 10,001 files, none of which is opened as an image: what is told doesn't need the network."""
    paths = [shell.folder / f"{number:05}.png" for number in range(10_001)]
    for path in paths:
        path.touch()
    started = []

    def nothing(images, *settings, **options):
        started.append(len(images))
        return iter(())

    monkeypatch.setattr(unveil.runs, "run_images", nothing)
    # One region in each of 2 rounds of 4 samples: the image and a blank, then samples, and 3 erasures.
    one = 2 + 2 * (4 + 1 + 2)
    words = (*shell.common, "--no-trust", "--target", "cat")
    _, _, err = shell("run", *paths, *words)
    assert started == [10_001]
    assert lines(err)[0].endswith(f"per image (8 gradients), and {one * 10_001:,} for all 10,001 images")
    assert lines(err)[0].startswith(f"up to {one} images through the network")
    # At the limit of 10,000 nothing is told, above it the total of both images, and the cost of one alone.
    for count, limit, told in (
        (625, one * 625, ""),
        (625, one * 625 - 1, "10,000 for all 625"),
        (1, one - 1, "per image"),
    ):
        monkeypatch.setattr(sys.modules["unveil.cli.run"], "LARGE_COST", limit)
        _, _, err = shell("run", *paths[:count], *words)
        assert ("through the network" in err) == bool(told)
        assert told in err
    assert " for all " not in err
