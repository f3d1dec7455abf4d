"""Records that are unfinished, damaged, from the future or hostile: one clear line, never another exception."""

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tiny_runs import manifest_of, run
from unveil.errors import RecordError
from unveil.records import Run
from unveil.store import is_run, load_run, read_manifest
from unveil.store.arrays import pack, unpack
from unveil.store.manifest import to_bytes
from unveil.store.tables import Table

torch.set_num_threads(1)
FREE = {"recipe", "versions", "preprocessing"}  # tables whose keys are not the record's own


def write(folder: Path, manifest: Any) -> None:
    (folder / "run.json").write_text(json.dumps(manifest))


def reseal(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Other arrays, with a manifest that vouches for them."""
    content, seal = pack(arrays)
    (folder / "arrays.safetensors").write_bytes(content)
    write(folder, {**manifest_of(folder), "arrays": seal})


def arrays_of(folder: Path) -> dict[str, np.ndarray]:
    seal = Table(manifest_of(folder)["arrays"], "arrays")
    return dict(unpack((folder / "arrays.safetensors").read_bytes(), seal).values)


def refusal(folder: Path) -> str:
    """The one line with which a record is refused."""
    with pytest.raises(RecordError) as error:
        load_run(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def keys_of(value: Any, place: str = "") -> Iterator[tuple[str, dict, str]]:
    """Every key of the record's own: its full name, the table it is in, and the key. Of lists, the first item."""
    for key, item in value.items():
        name = f"{place}.{key}" if place else key
        yield name, value, key
        if key not in FREE:
            first = item[0] if isinstance(item, list) and item else item
            if isinstance(first, dict):
                yield from keys_of(first, f"{name}[0]" if isinstance(item, list) else name)


def test_every_missing_key_is_named(folder):
    whole = manifest_of(folder)
    names = [name for name, _, _ in keys_of(whole)]
    assert len(names) > 50
    for index, name in enumerate(names):
        if (
            name.endswith(("value_range", "placement", "volume_mm3", "preprocessing", "probe", "shown", "box_gain"))
            or name == "trust"
        ):
            continue  # earlier records don't have them
        manifest = copy.deepcopy(whole)
        _, table, key = list(keys_of(manifest))[index]
        del table[key]
        write(folder, manifest)
        assert f"the key '{name}' in run.json; got no such key" in refusal(folder)


def test_every_value_of_another_type_is_named(folder):
    whole = manifest_of(folder)
    for index, (name, _, _) in enumerate(list(keys_of(whole))):
        manifest = copy.deepcopy(whole)
        _, table, key = list(keys_of(manifest))[index]
        table[key] = True  # in Python 1 == True, in a record it isn't
        write(folder, manifest)
        assert f"'{name}' in run.json to be a" in refusal(folder)


def test_reading_the_manifest_names_missing_keys_of_the_head(folder):
    whole = manifest_of(folder)
    for key in whole.keys() - {"trust"}:  # records of version 0.1.0 don't have it
        write(folder, {other: value for other, value in whole.items() if other != key})
        with pytest.raises(RecordError, match=f"the key '{key}' in run.json"):
            read_manifest(folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_value_anywhere_is_read_or_refused(pristine, tmp_path_factory, data):
    manifest = manifest_of(pristine)
    spots = [(table, key) for _, table, key in keys_of(manifest)]
    table, key = data.draw(st.sampled_from(spots))
    items = table[key]
    if isinstance(items, list) and items and data.draw(st.booleans()):
        items[data.draw(st.integers(0, len(items) - 1))] = data.draw(JSON | st.integers(-3, 2**70))
    else:
        table[key] = data.draw(JSON)
    folder = tmp_path_factory.mktemp("record")
    shutil.copy(pristine / "arrays.safetensors", folder)
    write(folder, manifest)
    try:
        assert isinstance(load_run(folder), Run)
    except RecordError as error:
        assert "\n" not in str(error)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_changed_byte_of_the_arrays_is_seen(pristine, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("record")
    shutil.copy(pristine / "run.json", folder)
    content = bytearray((pristine / "arrays.safetensors").read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    (folder / "arrays.safetensors").write_bytes(content)
    assert "SHA-256" in refusal(folder)


def test_every_cut_of_the_manifest_is_refused(folder):
    content = (folder / "run.json").read_bytes()
    for length in range(0, len(content) - 2, 97):
        (folder / "run.json").write_bytes(content[:length])
        assert "run.json to be valid JSON" in refusal(folder)
        assert not is_run(folder)


def test_cut_or_missing_arrays(folder):
    path = folder / "arrays.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert f"to have {len(content)} bytes; got {len(content) - 1};" in refusal(folder)
    path.unlink()
    assert "with arrays.safetensors" in refusal(folder)
    path.mkdir()
    assert "with arrays.safetensors" in refusal(folder)


def test_an_unfinished_folder_and_no_folder(folder, tmp_path):
    (folder / "run.json").unlink()
    assert "with run.json" in refusal(folder)
    assert "unfinished or not a record" in refusal(folder)
    assert not is_run(folder)
    assert "no folder" in refusal(tmp_path / "nothing")
    assert "got" in refusal(tmp_path / "nul\0")
    assert not is_run(tmp_path / "nothing")


def test_a_newer_version_says_update(folder):
    write(folder, {"format": "unveil run", "version": 4, "everything": "else is new"})
    assert refusal(folder) == "expected a record of version 3 at most; got version 4; update unveil to read it"
    assert is_run(folder)


@pytest.mark.parametrize("text", ["[]", "3", '"unveil run"', "null", "", "\xff", "{}}", "[" * 100_000])
def test_a_manifest_that_is_no_table(folder, text):
    (folder / "run.json").write_bytes(text.encode("latin-1"))
    assert "run.json to" in refusal(folder)


def test_another_format(folder):
    write(folder, {**manifest_of(folder), "format": "COCO"})
    assert refusal(folder) == "expected the format 'unveil run'; got 'COCO'; this is no run record: check the path"
    assert not is_run(folder)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" * 5000])
def test_numbers_that_are_none(folder, number):
    text = (folder / "run.json").read_text()
    seconds = json.dumps(manifest_of(folder)["seconds"])
    (folder / "run.json").write_text(text.replace(f'"seconds": {seconds}', f'"seconds": {number}'))
    assert "valid JSON" in refusal(folder)


def test_a_number_too_large_for_a_float(folder):
    write(folder, {**manifest_of(folder), "seconds": 10**400})
    assert "'seconds' in run.json to be a number" in refusal(folder)


OUTLINES = {
    "runs that don't add up": {"shape": [32, 32], "runs": [1000]},
    "runs that are negative": {"shape": [32, 32], "runs": [1025, -1]},
    "runs of nothing": {"shape": [32, 32], "runs": [1000, 0, 24]},
    "a huge run": {"shape": [32, 32], "runs": [2**53]},
    "another grid": {"shape": [16, 64], "runs": [1024]},
    "a huge grid": {"shape": [2**40, 2**40], "runs": [2**52]},
    "a negative grid": {"shape": [-32, -32], "runs": [1024]},
}


@pytest.mark.parametrize("name", list(OUTLINES))
@pytest.mark.parametrize("key", ["erased", "erased_after"])
def test_outlines_that_are_none(folder, name, key):
    manifest = manifest_of(folder)
    manifest["rounds"][1][key] = OUTLINES[name]
    write(folder, manifest)
    assert f"'rounds[1].{key}." in refusal(folder)


@pytest.mark.parametrize(
    ("table", "key", "value", "says"),
    [
        ("geometry", "scale", [], "'source.geometry.scale'"),
        ("geometry", "scale", [1.0], "'source.geometry' in run.json to be a geometry"),
        ("geometry", "scale", [1.0, -1.0], "'source.geometry' in run.json to be a geometry"),
        ("geometry", "source_shape", [0, 5], "'source.geometry.source_shape[0]'"),
        ("geometry", "model_shape", [32, 33], "'track/1/final'"),
        ("source", "spacing_mm", [1.0], "'source.spacing_mm'"),
        ("classifier", "labels", [], "'classifier.labels'"),
        ("classifier", "labels", ["one", "too few"], "'classifier.probe.logits'"),
        ("classifier", "output", "linear", "'classifier.output'"),
        ("stop", "kind", "bored", "'stops[0].kind'"),
        ("stop", "track", "Nobody", "'rounds[0].track'"),
        ("map", "scale", 0.3, "'rounds[0].maps[0].scale'"),
        ("map", "scale", 2.0**200, "'rounds[0].maps[0].scale'"),
    ],
)
def test_values_that_do_not_fit_together(folder, table, key, value, says):
    manifest = manifest_of(folder)
    tables = {
        "source": manifest["source"],
        "geometry": manifest["source"]["geometry"],
        "classifier": manifest["classifier"],
        "stop": manifest["stops"][0],
        "map": manifest["rounds"][0]["maps"][0],
    }
    tables[table][key] = value
    write(folder, manifest)
    assert says in refusal(folder)


def test_stops_are_one_a_track(folder):
    manifest = manifest_of(folder)
    for stops in ([], [manifest["stops"][0]] * 2):
        write(folder, {**manifest, "stops": stops})
        assert "'stops' in run.json to have one entry per track" in refusal(folder)


def test_every_missing_array_is_named(folder):
    whole = arrays_of(folder)
    assert len(whole) == 1 + 4 * 6 + 3
    for name in whole:
        reseal(folder, {other: array for other, array in whole.items() if other != name})
        assert f"the array '{name}' in arrays.safetensors" in refusal(folder)


def test_every_array_of_another_kind_or_shape_is_named(folder):
    whole = arrays_of(folder)
    for name, array in whole.items():
        for other in (array.astype(np.int64), array[..., :-1], array[None]):
            reseal(folder, {**whole, name: other})
            assert f"the array '{name}' in arrays.safetensors" in refusal(folder)


def test_logits_that_are_not_finite(folder):
    whole = arrays_of(folder)
    reseal(folder, {**whole, "first": np.full_like(whole["first"], np.nan)})
    assert "finite logits in the array 'first'" in refusal(folder)


def test_arrays_that_are_no_safetensors_file(folder):
    for content in (b"", b"\xff" * 8, b"\x80\x04pickle", b"\xff\xff\xff\xff\xff\xff\xff\x7f{}"):
        _, seal = pack({})
        manifest = manifest_of(folder)
        digest = __import__("hashlib").sha256(content).hexdigest()
        write(folder, {**manifest, "arrays": {**seal, "sha256": digest, "bytes": len(content)}})
        (folder / "arrays.safetensors").write_bytes(content)
        assert "to be a safetensors file" in refusal(folder)


def test_names_in_a_record_are_never_paths(folder, tmp_path):
    """File names are fixed: whatever a hostile manifest says, only two files are read and none is written."""
    outside = tmp_path / "secret.safetensors"
    outside.write_bytes(pack({"first": np.zeros(3)})[0])
    manifest = manifest_of(folder)
    before = sorted(tmp_path.rglob("*"))
    for path in ("../secret.safetensors", str(outside), "..\\secret.safetensors"):
        manifest["source"]["name"] = manifest["classifier"]["name"] = path
        manifest["rounds"][0]["maps"][0]["target"]["name"] = path
        manifest["arrays"] |= {"file": path, "path": path}
        manifest["files"] = [path]
        write(folder, manifest)
        loaded = load_run(folder)
        assert loaded.source.name == path
        assert loaded.first.logits.tolist() == run("plain, separate tracks", spacing=True).first.logits.tolist()
    assert sorted(tmp_path.rglob("*")) == before


def test_keys_that_a_reader_does_not_know_are_ignored(folder):
    manifest = manifest_of(folder)
    for _, table, _ in list(keys_of(manifest)):
        table["added in 1.5"] = {"x": [1, None]}
    manifest["versions"].pop("added in 1.5", None)
    (folder / "run.json").write_bytes(to_bytes(manifest))
    assert load_run(folder) == run("plain, separate tracks", spacing=True)
