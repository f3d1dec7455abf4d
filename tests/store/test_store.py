"""Saving and loading runs: nothing is lost on the way, and a folder is complete or as it was before."""

import dataclasses
import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

import unveil
from tiny_runs import RECIPES, differences, run
from unveil import store
from unveil.errors import RecordError
from unveil.masks import Mask
from unveil.predictions import Output
from unveil.records import TargetMap, from_half, to_half
from unveil.store import FORMAT, VERSION, is_run, load_run, read_manifest, save_run
from unveil.targets import TargetScore

torch.set_num_threads(1)
A = TargetScore("a", ((0, 1.0),))
DOCS = Path(__file__).parents[2] / "docs/record-format.md"


def everything_below(folder: Path) -> dict[str, bytes | None]:
    """Every file with its bytes and every folder, so that nothing can change unseen."""
    paths = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in paths}


# ---- round trips


@pytest.mark.parametrize("output", list(Output))
@pytest.mark.parametrize("recipe", list(RECIPES))
@pytest.mark.parametrize("spacing", [False, True])
def test_a_loaded_run_is_the_saved_one_to_the_last_bit(tmp_path, recipe, output, spacing):
    saved = run(recipe, output, spacing=spacing)
    folder = save_run(saved, tmp_path / "a run")
    loaded = load_run(folder)
    assert folder == tmp_path / "a run"
    assert differences(saved, loaded) == []
    assert saved == loaded
    assert sorted(path.name for path in folder.iterdir()) == ["arrays.safetensors", "run.json"]


def test_the_runs_tried_here_have_every_kind_of_content():
    guided, separate, margin, blind, silent = (run(name, Output.SIGMOID, spacing=True) for name in RECIPES)
    assert guided.tracks == (None,)
    assert guided.rounds[0].rectifiers == 1
    assert len(guided.regions) > 2
    assert all(region.stability is not None and region.area_mm2 is not None for region in guided.regions)
    assert len(separate.tracks) == 3
    assert None not in separate.tracks
    assert {one.track for one in separate.rounds} == set(separate.tracks)
    assert margin.regions[0].probability_before is None
    assert margin.regions[0].stability is None
    assert margin.rounds[0].rectifiers is None
    assert not blind.regions
    assert blind.rounds[0].maps[0].reason
    assert not silent.rounds
    assert silent.stop.kind == "nothing predicted"
    assert guided.source.geometry.offset != (0.0, 0.0)


def test_saving_from_the_record_and_loading_from_the_front_door(tmp_path):
    run().save(tmp_path / "deep/er/run")
    assert unveil.load_run(str(tmp_path / "deep/er/run")) == run()


def test_a_difference_is_found():
    """The comparison that these tests rest on finds a changed pixel, as `==` does, and the seconds, which `==` ignores."""
    image = run().rounds[0].image.copy()
    image[0, 0, 0] ^= 1
    changed = dataclasses.replace(run().rounds[0], image=image)
    other = dataclasses.replace(run(), rounds=(changed, *run().rounds[1:]), seconds=run().seconds + 1e-9)
    assert other != run()
    assert differences(run(), other) == [
        "run.rounds[0].image: arrays",
        "run.seconds: " + f"{run().seconds!r} and {other.seconds!r}",
    ]


SALIENCY = st_numpy.arrays(np.float32, (3, 4), elements=st.floats(width=32))


@given(SALIENCY)
def test_a_map_is_rounded_once_and_then_kept(values):
    once = TargetMap(A, values).saliency
    assert once.dtype == np.float32
    half, scale = to_half(once)
    assert from_half(half, scale).tobytes() == once.tobytes()


@given(st_numpy.arrays(np.float32, (3, 4), elements=st.floats(2**-10, 1, width=32)), st.integers(-90, 90))
def test_a_map_keeps_eleven_significant_bits_whatever_its_scale(values, exponent):
    scaled = values.astype(np.float64) * 2.0**exponent
    error = np.abs(from_half(*to_half(scaled)) - scaled)
    assert (error <= np.maximum(scaled * 2.0**-11, scaled.max() * 2.0**-24)).all()


def test_gradients_far_below_a_half_float_are_kept(tmp_path):
    tiny = np.full((32, 32), 3e-20, np.float32)
    one = dataclasses.replace(run().rounds[0], maps=(TargetMap(A, tiny),))
    loaded = load_run(save_run(dataclasses.replace(run(), rounds=(one,), trust=None), tmp_path / "run"))
    assert loaded.rounds[0].maps[0].saliency == pytest.approx(tiny, rel=2**-11)


def test_a_map_that_is_not_finite_is_kept_as_it_is(tmp_path):
    odd = np.array([[np.nan, np.inf], [-np.inf, 0.3]], np.float32).repeat(16, 0).repeat(16, 1)
    one = dataclasses.replace(run().rounds[0], maps=(TargetMap(A, odd, "values that are NaN"),))
    saved = dataclasses.replace(run(), rounds=(one,), trust=None)
    assert differences(saved, load_run(save_run(saved, tmp_path / "run"))) == []


def test_numpy_settings_are_written_as_numbers(tmp_path):
    saved = dataclasses.replace(run(), seed=2**60, recipe={"name": "a", "size": np.int64(3), "x": np.float32(0.5)})
    loaded = load_run(save_run(saved, tmp_path / "run"))
    assert loaded.seed == 2**60
    assert loaded.recipe == {"name": "a", "size": 3, "x": 0.5}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_a_setting_that_json_lacks_is_refused_before_anything_is_written(tmp_path, value):
    with pytest.raises(RecordError, match="finite numbers"):
        save_run(dataclasses.replace(run(), recipe={"x": value}), tmp_path / "run")
    assert everything_below(tmp_path) == {}


def test_the_manifest_is_read_without_the_arrays(tmp_path):
    folder = save_run(run(), tmp_path / "run")
    (folder / "arrays.safetensors").unlink()
    manifest = read_manifest(folder)
    assert (manifest["format"], manifest["version"]) == (FORMAT, VERSION)
    assert manifest["source"]["sha256"] == run().source.sha256
    assert manifest["classifier"]["fingerprint"] == run().classifier.fingerprint
    assert manifest["recipe"] == run().recipe
    assert manifest["seed"] == 7
    assert is_run(folder)


def test_a_record_opens_without_torch(tmp_path):
    folder = save_run(run(), tmp_path / "run")
    code = (
        "import sys; sys.modules['torch'] = None; sys.path.insert(0, sys.argv[1])\n"
        "import unveil; run = unveil.load_run(sys.argv[2]); print(len(run.regions), run.union.area_px)"
    )
    house = str(Path(unveil.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code, house, str(folder)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [str(len(run().regions)), str(run().union.area_px)]


def test_a_number_list_stands_on_one_line_and_texts_are_left_alone(tmp_path):
    strange = dataclasses.replace(run(), recipe={"name": "[\n 1,\n 2\n]", "sizes": [3, 4.5], "empty": []})
    folder = save_run(strange, tmp_path / "run")
    assert '"sizes": [3, 4.5]' in (folder / "run.json").read_text("ascii")
    assert load_run(folder).recipe == strange.recipe


# ---- what the documentation says


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)


def test_the_documented_code_reads_a_record_without_unveil(tmp_path):
    folder = save_run(run(), tmp_path / "run")
    decoder, reader, _ = code_blocks("python")
    names: dict = {}
    exec(decoder, names)  # noqa: S102
    for mask in (region.mask for region in run().regions):
        values = {"shape": list(mask.shape), "runs": list(mask.runs)}
        assert np.array_equal(names["decode"](values), mask.to_array())
    for inside in (np.zeros((2, 3), bool), np.ones((2, 3), bool), np.eye(3, dtype=bool)):
        mask = Mask.from_array(inside)
        assert np.array_equal(names["decode"](dataclasses.asdict(mask)), inside)
    names["folder"] = folder
    exec(reader, names)  # noqa: S102
    assert np.array_equal(names["saliency"], run().rounds[0].maps[0].saliency)
    assert np.array_equal(names["inside"], run().regions[0].mask.to_array())
    assert names["logits"].tolist() == run().first.logits.tolist()


def test_every_key_of_a_record_is_documented(tmp_path):
    manifest = json.loads((save_run(run(spacing=True), tmp_path / "run") / "run.json").read_text())
    del manifest["recipe"], manifest["versions"]

    def keys(value) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {key for item in value.values() for key in keys(item)}
        return {key for item in value for key in keys(item)} if isinstance(value, list) else set()

    text = DOCS.read_text("utf-8")
    assert [key for key in sorted(keys(manifest) | {"recipe", "versions"}) if f"`{key}`" not in text] == []


def test_the_documented_example_is_a_real_manifest():
    (text,) = code_blocks("json")
    example = json.loads(text)
    assert (example["format"], example["version"]) == (FORMAT, VERSION)
    store.check_head(store.Table(example, ""))
    for one in example["rounds"]:
        for mask in (one["erased"], one["erased_after"], *(region["mask"] for region in one["regions"])):
            Mask(tuple(mask["shape"]), tuple(mask["runs"]))


# ---- folders: all or nothing


def test_an_empty_folder_is_used(tmp_path):
    (tmp_path / "run").mkdir()
    assert load_run(save_run(run(), tmp_path / "run")) == run()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_record_is_replaced_as_a_whole_when_asked_to(tmp_path):
    first, second = run(), run("no region")
    save_run(first, tmp_path / "run", extra=lambda folder: (folder / "figure.png").write_bytes(b"old"))
    before = everything_below(tmp_path)
    with pytest.raises(RecordError, match="isn't empty"):
        save_run(second, tmp_path / "run")
    assert everything_below(tmp_path) == before
    save_run(second, tmp_path / "run", overwrite=True)
    assert load_run(tmp_path / "run") == second
    assert sorted(everything_below(tmp_path)) == ["run", "run/arrays.safetensors", "run/run.json"]


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"format": "other"}', b'{"format": "unveil run", "ver'])
def test_a_folder_that_is_no_record_is_never_touched(tmp_path, content):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.tex").write_text("years of work")
    if content is not None:
        (folder / "run.json").write_bytes(content)
    before = everything_below(tmp_path)
    for overwrite in (False, True):
        with pytest.raises(RecordError, match=r"overwrite replaces run records and nothing else$"):
            save_run(run(), folder, overwrite=overwrite)
        assert everything_below(tmp_path) == before


def test_extra_files_appear_together_with_the_record(tmp_path):
    def extra(folder: Path) -> None:
        (folder / "masks").mkdir()
        (folder / "masks/1.png").write_bytes(b"png")
        (folder / "run.json").write_text("this name is taken")
        assert not (tmp_path / "run").exists()

    save_run(run(), tmp_path / "run", extra=extra)
    assert (tmp_path / "run/masks/1.png").read_bytes() == b"png"
    assert load_run(tmp_path / "run") == run()


def test_a_link_to_a_folder_is_followed_and_stays(tmp_path):
    (tmp_path / "disk").mkdir()
    save_run(run(), tmp_path / "disk/run")
    (tmp_path / "link").symlink_to(tmp_path / "disk/run")
    save_run(run("no region"), tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert load_run(tmp_path / "disk/run") == run("no region")


def test_a_long_name_is_written(tmp_path):
    assert load_run(save_run(run(), tmp_path / ("ö" * 127))) == run()


@pytest.mark.parametrize("name", ["file", "file/run", "file/deep/er/run", "n" * 300, "nul\0"])
def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path, name):
    (tmp_path / "file").write_text("not a folder")
    before = everything_below(tmp_path)
    with pytest.raises(
        RecordError, match="expected a folder that the run can be written to at .*; got .*; choose"
    ) as error:
        save_run(run(), tmp_path / name, overwrite=True)
    assert "\n" not in str(error.value)
    assert everything_below(tmp_path) == before


def failing(original: Callable, at: int, error: BaseException, *, after: bool) -> Callable:
    """The same function, with an error before or after its call number `at`."""
    calls = iter(range(1, 1000))

    def broken(*args, **kwargs):
        here = next(calls) == at
        if here and not after:
            raise error
        result = original(*args, **kwargs)
        if here:
            raise error
        return result

    return broken


def half_written(path: Path, content: bytes) -> int:
    with path.open("wb") as file:
        return file.write(content[: len(content) // 2])


FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = {
    "arrays half written": (Path, "write_bytes", half_written, 1),
    "manifest half written": (Path, "write_bytes", half_written, 2),
    "a file can't be synced": (os, "fsync", os.fsync, 1),
    "a folder can't be made": (Path, "mkdir", Path.mkdir, 2),
    "the first move": (os, "replace", os.replace, 1),
    "the second move": (os, "replace", os.replace, 2),
}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("error", [FULL, PermissionError(errno.EACCES, "Permission denied"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", list(BROKEN))
@pytest.mark.parametrize("exists", [False, True])
def test_whatever_breaks_there_is_the_old_record_or_the_new_one(tmp_path, monkeypatch, step, error, exists, after):
    old, new = run("no region"), run()
    if exists:
        save_run(old, tmp_path / "run")
    owner, name, original, at = BROKEN[step]
    monkeypatch.setattr(owner, name, failing(original, at, error, after=after))
    happened: BaseException | None = None
    try:
        save_run(new, tmp_path / "run", overwrite=True)
    except (RecordError, KeyboardInterrupt) as raised:
        happened = raised
    monkeypatch.undo()
    left = [path.name for path in tmp_path.iterdir()]
    moved = step == "the second move" or (step == "the first move" and not exists)
    if happened is None:
        # The step isn't reached: there is no second move where nothing was there before.
        assert step == "the second move"
        assert not exists
    elif isinstance(error, OSError):
        assert isinstance(happened, RecordError)
        assert error.strerror in str(happened)
        assert ("free some space" in str(happened)) == (error is FULL)
    else:
        assert isinstance(happened, KeyboardInterrupt)
    if happened is None or (moved and after):
        assert (left, load_run(tmp_path / "run")) == (["run"], new)
    elif exists:
        assert (left, load_run(tmp_path / "run")) == (["run"], old)
    else:
        assert left == []


def test_an_error_of_the_extra_files_comes_through_and_leaves_nothing(tmp_path):
    def extra(folder: Path) -> None:
        (folder / "figure.png").write_bytes(b"half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        save_run(run(), tmp_path / "run", extra=extra)
    assert everything_below(tmp_path) == {}


def test_a_folder_that_fills_up_meanwhile_is_left_alone(tmp_path):
    def extra(folder: Path) -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run/other.txt").write_text("someone was faster")

    with pytest.raises(RecordError, match="isn't empty"):
        save_run(run(), tmp_path / "run", extra=extra)
    assert everything_below(tmp_path) == {"run": None, "run/other.txt": b"someone was faster"}
