"""Many images: names of folders, kept records and why others aren't kept, failures that end one image only."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch import nn

import unveil.render
from tiny_runs import RECIPES, classifier
from unveil import __version__, find_regions, load_run, run_images
from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.classifiers.preprocessing import Interpolation
from unveil.errors import DiskFullError, ImageError, RecipeError
from unveil.fills import Constant
from unveil.images import read_image
from unveil.predictions import ProbeOutput
from unveil.runs import OtherRecordError, RunJob, RunStatus, load_matching
from unveil.runs.folders import hashed_name
from unveil.store import save_run
from unveil.targets import Class

RECIPE = replace(RECIPES["no noise, a margin"], trust=None)


@pytest.fixture
def paths(tmp_path) -> list[Path]:
    rng = np.random.default_rng(1)
    paths = [tmp_path / f"{name}.png" for name in ("one", "two", "three")]
    for path in paths:
        Pillow.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(path)
    return paths


def job(**settings) -> RunJob:
    return RunJob(**{"classifier": classifier(), "recipe": RECIPE, **settings})


class Negated(nn.Sequential):
    """The same weights by the same names, and another output."""

    def forward(self, input):
        return -super().forward(input)


def prepared_with(**settings) -> TorchClassifier:
    base = classifier()
    return TorchClassifier(base.copy_of_module(), replace(base.preprocessing, **settings), base.labels)


def with_forward(kind: type[nn.Sequential]) -> TorchClassifier:
    base = classifier()
    module = kind(*base.copy_of_module().children())
    changed = TorchClassifier(module, base.preprocessing, base.labels)
    assert changed.fingerprint == base.fingerprint
    return changed


def test_one_record_per_image_equal_to_a_single_run(paths, tmp_path):
    results = list(run_images(paths, classifier(), RECIPE, out=tmp_path / "out", figure="none"))
    assert [result.status for result in results] == [RunStatus.DONE] * 3
    for path, result in zip(paths, results, strict=True):
        assert result.folder == tmp_path / "out" / path.stem
        assert load_run(result.folder) == result.run == find_regions(path, classifier(), RECIPE)


def test_work_is_done_as_results_are_consumed_and_goes_on_in_the_next_call(paths, tmp_path):
    begun = []

    def on_image(name):
        begun.append(name)
        return lambda progress: None

    settings = {"out": tmp_path / "out", "figure": "none", "on_image": on_image}
    results = run_images(paths, classifier(), RECIPE, **settings)
    assert begun == []
    first = next(results)
    assert begun == ["one.png"]
    again = list(run_images(paths, classifier(), RECIPE, **settings))
    assert [result.status for result in again] == [RunStatus.KEPT, RunStatus.DONE, RunStatus.DONE]
    assert begun == ["one.png", "two.png", "three.png"]
    assert again[0].run == first.run


class Raises(nn.Module):
    """Raises for images whose first pixel is bright, as a stranger's network may."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        if float(x.detach()[0, 0, 16, 16]) > 1.0:
            raise KeyError("a bug of theirs\nwith two lines")
        return self.inner(x)


def test_an_image_that_fails_for_any_reason_does_not_stop_the_others(paths, tmp_path):
    base = classifier()
    broken = TorchClassifier(Raises(base.copy_of_module()), base.preprocessing, base.labels)
    for path, gray in zip(paths, (10, 250, 20), strict=True):
        Pillow.new("RGB", (50, 40), (gray,) * 3).save(path)
    (tmp_path / "text.png").write_text("no image")
    given_paths = [paths[0], tmp_path / "text.png", paths[1], tmp_path / "missing.png", paths[2]]
    results = list(run_images(given_paths, broken, RECIPE, out=tmp_path / "out", figure="none"))
    assert [result.status for result in results] == ["done", "failed", "failed", "failed", "done"]
    for result in results:
        assert (result.run is None) == (result.error is not None) == (not result.folder.exists())
        assert "\n" not in (result.error or "")
    assert "KeyError" in results[2].error


def test_a_figure_that_cannot_be_drawn_loses_no_record_and_is_drawn_by_the_next_call(paths, tmp_path, monkeypatch):
    def fail(figure, path):
        raise RuntimeError("Failed to process string with tex\nbecause latex could not be found")

    with monkeypatch.context() as broken:
        broken.setattr("unveil.render.write_figure", fail)
        results = list(run_images(paths, classifier(), RECIPE, out=tmp_path / "out"))
    assert [result.status for result in results] == [RunStatus.DONE] * 3
    for result in results:
        assert "got RuntimeError: Failed to process string with tex; the record is complete" in result.warning
        assert load_run(result.folder) == result.run
        assert not (result.folder / "figure.png").exists()
    again = list(run_images(paths, classifier(), RECIPE, out=tmp_path / "out", figure="svg"))
    assert [(result.status, result.warning) for result in again] == [(RunStatus.KEPT, None)] * 3
    drawn = [(result.folder / "figure.svg").read_bytes() for result in again]
    assert all(b"</svg>" in figure for figure in drawn)
    # A figure that is there isn't drawn again.
    (again[0].folder / "figure.svg").write_bytes(b"mine")
    list(run_images(paths, classifier(), RECIPE, out=tmp_path / "out", figure="svg"))
    assert [(result.folder / "figure.svg").read_bytes() for result in again] == [b"mine", *drawn[1:]]


def test_a_failure_in_the_figure_of_one_image_is_not_one_of_the_next(paths, tmp_path, monkeypatch):
    write = unveil.render.write_figure
    calls = []

    def fail_first(figure, path):
        calls.append(path)
        if len(calls) == 1:
            raise MemoryError
        return write(figure, path)

    monkeypatch.setattr("unveil.render.write_figure", fail_first)
    results = list(run_images(paths, classifier(), RECIPE, out=tmp_path / "out"))
    assert [result.warning is None for result in results] == [False, True, True]
    assert [(result.folder / "figure.png").exists() for result in results] == [False, True, True]


def test_settings_that_no_image_can_use_raise_at_once(paths, tmp_path):
    with pytest.raises(RecipeError):
        run_images(paths, classifier(), "papper", out=tmp_path)
    with pytest.raises(ValueError, match="gif"):
        run_images(paths, classifier(), RECIPE, out=tmp_path, figure="gif")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"seed": 1}, "seed 0 (now 1)"),
        ({"recipe": replace(RECIPE, fill=Constant(0.25))}, "recipe.fill Mean (now Constant)"),
        ({"recipe": replace(RECIPE, target=Class(2))}, "recipe.target Margin (now Class)"),
        ({"recipe": replace(RECIPE, joint=False)}, "recipe.joint True (now False)"),
        ({"classifier": classifier(blind=True)}, "weights "),
        (
            {"classifier": prepared_with(mean=(0.5, 0.4, 0.25))},
            "preprocessing.mean [0.5, 0.4, 0.3] (now [0.5, 0.4, 0.25])",
        ),
        ({"classifier": prepared_with(interpolation=Interpolation.BICUBIC)}, "interpolation bilinear (now bicubic)"),
        ({"classifier": with_forward(Negated)}, "output of the network for a test image: "),
    ],
)
def test_a_record_with_other_settings_is_not_kept_and_the_difference_is_named(paths, tmp_path, changed, told):
    (result,) = run_images(paths[:1], classifier(), RECIPE, out=tmp_path / "out", figure="none")
    image = read_image(paths[0])
    assert load_matching(job(), image, result.folder) == result.run
    with pytest.raises(OtherRecordError) as error:
        load_matching(job(**changed), image, result.folder)
    assert told in error.value.got
    assert error.value.got.count("(now") == 1
    assert load_matching(job(**changed, overwrite=True), image, result.folder) is None


def test_a_probe_that_differs_by_rounding_is_the_same_and_one_without_a_probe_is_not(paths, tmp_path):
    (result,) = run_images(paths[:1], classifier(), RECIPE, out=tmp_path / "out", figure="none")
    image, info = read_image(paths[0]), result.run.classifier

    def keep(probe) -> None:
        changed = replace(result.run, classifier=replace(info, probe=probe))
        changed.save(result.folder, overwrite=True)
        assert load_matching(job(), image, result.folder) == changed

    keep(ProbeOutput(tuple(value * (1 + 1e-5) for value in info.probe.logits), info.probe.norm))
    for other in (None, ProbeOutput(tuple(value * 1.01 for value in info.probe.logits), info.probe.norm)):
        with pytest.raises(OtherRecordError, match="output of the network for a test image"):
            keep(other)


def test_a_record_with_another_spacing_or_device_is_not_kept(paths, tmp_path):
    (result,) = run_images(paths[:1], classifier(), RECIPE, out=tmp_path / "out", figure="none")
    image, run = read_image(paths[0]), result.run
    for changed, told in (
        (replace(run, source=replace(run.source, spacing_mm=(1.0, 2.0))), "spacing in mm (1.0, 2.0) (now None)"),
        (replace(run, source=replace(run.source, value_range=(0.0, 9.0))), "value range (0.0, 9.0) (now (0.0, 255.0))"),
        (replace(run, classifier=replace(run.classifier, device="cuda:1")), "device cuda (now cpu)"),
    ):
        changed.save(result.folder, overwrite=True)
        with pytest.raises(OtherRecordError) as error:
            load_matching(job(), image, result.folder)
        assert f"where these differ: {told}" in error.value.got


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_record_that_another_process_finished_first_is_kept(paths, tmp_path, overwrite):
    """It appears while this process is computing the same image: before it writes, or while it does."""
    settings = {"out": tmp_path / "out", "figure": "none", "overwrite": overwrite}
    others = iter(paths)

    def on_image(name):
        list(run_images([next(others)], classifier(), RECIPE, **settings))
        return lambda progress: None

    results = list(run_images(paths, classifier(), RECIPE, on_image=on_image, **settings))
    assert [result.status for result in results] == [RunStatus.KEPT] * 3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one", "three", "two"]


def test_a_record_that_appears_while_this_one_is_written_is_kept(paths, tmp_path, monkeypatch):
    settings = {"out": tmp_path / "out", "figure": "none"}
    save = save_run

    def save_late(run, folder, *, overwrite):
        save(run, folder)
        return save(run, folder, overwrite=overwrite)

    monkeypatch.setattr("unveil.runs.save_run", save_late)
    (result,) = run_images(paths[:1], classifier(), RECIPE, **settings)
    assert (result.status, load_run(result.folder)) == (RunStatus.KEPT, result.run)


@pytest.mark.parametrize("figure", ["none", "png"])
def test_a_full_disk_ends_the_call_before_the_remaining_images(paths, tmp_path, monkeypatch, figure):
    begun, results = [], []

    def write_bytes(path, content):
        if "two" in str(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with path.open("wb") as file:
            return file.write(content)

    def on_image(name):
        begun.append(name)
        return lambda progress: None

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(DiskFullError, match="space for the record at .*No space left on device; free some space"):
        results.extend(
            result
            for result in run_images(
                paths, classifier(), RECIPE, out=tmp_path / "out", figure=figure, on_image=on_image
            )
        )
    assert begun == ["one.png", "two.png"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["one"]


def test_a_full_disk_is_noticed_by_the_figure_too(paths, tmp_path, monkeypatch):
    def fail(figure, path):
        raise DiskFullError("space", "none", "free some")

    monkeypatch.setattr("unveil.render.write_figure", fail)
    iterator = run_images(paths, classifier(), RECIPE, out=tmp_path / "out")
    result = next(iterator)
    assert (result.status, load_run(result.folder)) == (RunStatus.DONE, result.run)
    assert "a figure beside the record; got none" in result.warning
    with pytest.raises(DiskFullError):
        next(iterator)


def test_leftovers_of_killed_calls_are_removed_by_the_next_one(paths, tmp_path):
    hidden = tmp_path / "out" / ".two.part-0123abcd"
    hidden.mkdir(parents=True)
    (hidden / "arrays.safetensors").write_bytes(b"half")
    (result,) = run_images(paths[:1], classifier(), RECIPE, out=tmp_path / "out")
    (result.folder / ".figure.part-0123abcd.png").write_bytes(b"half")
    list(run_images(paths[:1], classifier(), RECIPE, out=tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["one"]
    assert sorted(path.name for path in result.folder.iterdir()) == [
        "arrays.safetensors",
        "figure.png",
        "preview.png",
        "run.json",
    ]


def test_a_preview_of_the_image_is_kept_unless_it_is_not_wanted(paths, tmp_path):
    kept, without = (
        next(run_images(paths[:1], classifier(), RECIPE, out=tmp_path / str(preview), preview=preview, figure="none"))
        for preview in (True, False)
    )
    assert kept.run == without.run
    assert load_run(without.folder).preview is None
    preview = load_run(kept.folder).preview
    pixels = read_image(paths[0]).pixels.transpose(1, 2, 0)
    assert np.array_equal(preview.to_array(), np.rint(pixels * 255))


def test_a_record_of_another_version_is_not_kept(paths, tmp_path):
    (result,) = run_images(paths[:1], classifier(), RECIPE, out=tmp_path / "out", figure="none")
    older = replace(result.run, versions={**result.run.versions, "unveil": "0.0.9"})
    older.save(result.folder, overwrite=True)
    with pytest.raises(OtherRecordError, match=f"version of unveil 0.0.9 .now {__version__}"):
        load_matching(job(), read_image(paths[0]), result.folder)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_record_of_another_image_is_never_replaced(paths, tmp_path, overwrite):
    """Neither by an image of the same name in another folder, nor after the image's file was changed."""
    settings = {"out": tmp_path / "out", "figure": "none", "overwrite": overwrite}
    (first,) = run_images(paths[:1], classifier(), RECIPE, **settings)
    other = tmp_path / "elsewhere" / "one.png"
    other.parent.mkdir()
    for number, status in ((1, "done"), (1, "kept"), (2, "failed")):
        other.write_bytes(paths[number].read_bytes())
        (result,) = run_images([other], classifier(), RECIPE, **settings)
        assert result.status == status
        assert result.folder.name == hashed_name(other)
    assert "--overwrite" not in result.error
    assert "choose another --out, or move that folder away" in result.error
    assert load_run(first.folder) == first.run
    # Also where the arrays are damaged, and overwriting would replace the record of the same image.
    (result.folder / "arrays.safetensors").write_bytes(b"")
    (result,) = run_images([other], classifier(), RECIPE, **settings)
    assert "with a record of another image" in result.error


def test_whatever_the_order_and_the_subset_of_later_calls_all_records_are_kept(tmp_path):
    rng = np.random.default_rng(2)
    paths = [tmp_path / name for name in ("d1/scan.png", "d2/scan.png", "d2/SCAN.png", "犬.png", "猫.png", "a b.png")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        Pillow.fromarray(rng.integers(0, 256, (36, 36, 3), dtype=np.uint8)).save(path)
    settings = {"out": tmp_path / "out", "figure": "none"}
    folders = {}
    for call in (paths[1:2], paths[:4], [paths[0]], paths[::-1], paths[1:3], [paths[3], paths[3]]):
        for path, result in zip(call, run_images(call, classifier(), RECIPE, **settings), strict=True):
            assert result.status == ("kept" if path in folders else "done")
            assert folders.setdefault(path, result.folder) == result.folder
            assert result.run == find_regions(path, classifier(), RECIPE)
    assert len(set(folders.values())) == len(paths) == len(list((tmp_path / "out").iterdir()))
    assert [folders[path].name for path in paths[3:]] == ["犬", "猫", "a_b"]


def test_a_value_range_is_applied_to_each_image_and_belongs_to_its_record(tmp_path):
    values = (np.random.default_rng(2).random((40, 50)) * 4096).astype(np.uint16)
    path, out = tmp_path / "scan.png", tmp_path / "out"
    Pillow.fromarray(values).save(path)
    settings = {"figure": "none"}
    (plain,) = run_images([path], classifier(), RECIPE, out=out, **settings)
    assert plain.warning is not None
    assert "give value_range=(0, 4095)" in plain.warning
    (refused,) = run_images([path], classifier(), RECIPE, out=out, value_range=(0, 4095), **settings)
    assert "these differ: value range (0.0, 65535.0) (now (0.0, 4095.0))" in str(refused.error)
    (scaled,) = run_images([path], classifier(), RECIPE, out=out, value_range=(0, 4095), overwrite=True, **settings)
    assert scaled.warning is None
    assert scaled.run == find_regions(read_image(path, value_range=(0, 4095)), classifier(), RECIPE)
    with pytest.raises(ImageError, match="a value range"):
        run_images([path], classifier(), RECIPE, out=out, value_range=(5, 5))


@pytest.mark.parametrize("count", [2, 4, 13])
def test_images_with_the_channels_of_their_network(tmp_path, count):
    """From .npy files to records, for a network that reads the last channel alone: the region is its bright square."""
    network = nn.Sequential(
        nn.Conv2d(count, 2, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network[0].weight[0, -1] = 1.0
        network[4].weight[0, 0] = 100.0
    preprocessing = Preprocessing.square(64, (0.0,) * count, (1.0,) * count)
    box = TorchClassifier(network, preprocessing, ["bright", "other"])
    values = np.random.default_rng(0).random((count, 64, 64)) * 0.1
    values[-1] = 0
    values[-1, 20:30, 40:50] = 1
    np.save(tmp_path / "scene.npy", values)
    (result,) = run_images([tmp_path / "scene.npy"], box, replace(RECIPE, target=Class("bright")), out=tmp_path / "out")
    assert result.error is None
    assert result.warning is None
    assert result.run is not None
    assert result.run.source.channels == count
    assert load_run(result.folder) == result.run
    assert result.run.rounds == find_regions(values, box, replace(RECIPE, target=Class("bright"))).rounds
    rows, columns = np.nonzero(result.run.regions[0].mask.to_array())
    assert rows.min() >= 20 - 12
    assert rows.max() < 30 + 12
    assert columns.min() >= 40 - 12
    assert columns.max() < 50 + 12
