"""Edited records: whatever is read can be used, in bounded memory; everything else is one clear line."""

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiny_runs import manifest_of
from unveil import store
from unveil.errors import RecordError
from unveil.records import Run
from unveil.store import load_run
from unveil.store.arrays import pack, unpack
from unveil.store.tables import Table


def refusal(folder: Path, manifest: dict) -> str:
    (folder / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(RecordError) as error:
        load_run(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


REGION, CARD = ("rounds", 0, "regions", 0), ("trust", "cards", 0)
GEOMETRY = ("source", "geometry")
NONSENSE = [
    ((*REGION, "area_mm2"), -1.0),
    ((*REGION, "area_mm2"), 1e9),
    ((*REGION, "volume_mm3"), 5.0),
    ((*REGION, "probability_before"), 1.5),
    ((*REGION, "probability_after"), -0.5),
    ((*REGION, "stability"), 2),
    ((*REGION, "revealed"), -1),
    ((*REGION, "rim_share"), 1.1),
    ((*CARD, "p_value"), -0.1),
    ((*CARD, "p_holm"), 1.2),
    ((*CARD, "q_value"), 7),
    ((*CARD, "fill_agreement"), -1),
    ((*CARD, "randomized_overlap"), 3),
    ((*CARD, "randomized_rank_correlation"), -2),
    (("seconds",), -1),
    (("rounds", 0, "index"), 2),
    (("rounds", 1, "index"), 1),
    (("source", "channels"), 2**40),
    (("source", "spacing_mm"), [0.0, 1.0]),
    (("source", "spacing_mm"), [1.0, -1.0]),
    (("source", "value_range"), [255.0, 0.0]),
    ((*GEOMETRY, "source_shape"), [2**20, 2**20]),
    ((*GEOMETRY, "model_shape"), [2**20, 2**20]),
    ((*GEOMETRY, "source_shape"), [1] * 40),
    (("classifier", "probe", "norm"), -1),
    (("classifier", "probe", "logits"), [1.0]),
]


@pytest.mark.parametrize(("way", "value"), NONSENSE, ids=str)
def test_nonsense_is_named(folder, way, value):
    manifest = manifest_of(folder)
    table = manifest
    for key in way[:-1]:
        table = table[key]
    assert table[way[-1]] != value
    table[way[-1]] = value
    assert f"{way[-1]}' in run.json to be" in refusal(folder, manifest).replace("to have", "to be")


@pytest.mark.parametrize(("key", "value"), [("scale", 1e300), ("scale", 1e-300), ("offset", 1e300), ("offset", -1e12)])
def test_a_geometry_that_no_image_has(folder, key, value):
    manifest = manifest_of(folder)
    manifest["source"]["geometry"][key][0] = value
    assert "'source.geometry' in run.json to be a geometry" in refusal(folder, manifest)


def test_a_few_bytes_never_become_an_array_that_fills_the_memory(folder):
    """The masks fit the shape, so that every other check passes; 2^52 pixels would be 4 million GB."""
    manifest = manifest_of(folder)
    manifest["source"]["geometry"]["source_shape"] = [2**26, 2**26]
    for round_ in manifest["rounds"]:
        for region in round_["regions"]:
            region["mask"] = {"shape": [2**26, 2**26], "runs": [2**51, 2**51]}
    assert "'source.geometry.source_shape' in run.json to have at most" in refusal(folder, manifest)


@pytest.mark.parametrize("name", ["run.json", "arrays.safetensors"])
def test_a_file_too_large_for_any_record_is_not_read(folder, name):
    with (folder / name).open("r+b") as file:
        file.truncate(2**40)  # without any content: it takes no space
    with pytest.raises(RecordError, match=f"{name} to have at most"):
        load_run(folder)
    assert store.is_run(folder) == (name != "run.json")


def test_not_enough_memory_is_an_error_of_the_record(folder, monkeypatch):
    def fail(content, seal):
        raise MemoryError

    monkeypatch.setattr(store, "unpack", fail)
    with pytest.raises(RecordError, match="a record that fits into memory"):
        load_run(folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda name, array: array[:2] if name.endswith("/final") else array, "to have 3 channels; got 2"),
        (lambda name, array: array[:0] if name.endswith("/final") else array, "to have 3 channels; got 0"),
        (lambda name, array: array[:1] if name == "track/1/final" else array, "to have 3 channels; got 1, 3"),
        (lambda name, array: array[:1] if name == "round/1/image" else array, "'round/1/image' .*uint8 3x32x32; got"),
    ],
)
def test_images_with_another_number_of_channels(folder, change, told):
    manifest = manifest_of(folder)
    whole = unpack((folder / "arrays.safetensors").read_bytes(), Table(manifest["arrays"], "arrays")).values
    content, manifest["arrays"] = pack({name: change(name, array) for name, array in whole.items()})
    (folder / "arrays.safetensors").write_bytes(content)
    with pytest.raises(RecordError, match=told):
        raise RecordError(refusal(folder, manifest), "", "")


def use(loaded: Run) -> None:
    """What users do with a record: masks, boxes, tables, cards."""
    assert loaded.union.to_array().shape == loaded.source.geometry.source_shape
    for region in loaded.regions:
        assert region.mask.to_array().sum() == region.area_px
        assert region.model_mask.to_array().shape == loaded.source.geometry.model_shape
        assert repr(region)
        loaded.card(region)
    assert "<table" in loaded._repr_html_()
    assert all(np.isfinite(round_.before.probabilities).all() for round_ in loaded.rounds)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_flipped_bytes_of_the_manifest_are_refused_or_can_be_used(pristine, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("record")
    shutil.copy(pristine / "arrays.safetensors", folder)
    content = bytearray((pristine / "run.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(
            st.sampled_from(b'0123456789-e."[]{},: \xff\x00')
        )
    (folder / "run.json").write_bytes(content)
    try:
        loaded = load_run(folder)
    except RecordError as error:
        assert "\n" not in str(error)
    else:
        use(loaded)


NUMBERS = st.sampled_from([0, -1, 1, 2**31, 2**53, 2**63, 10**30, 1e-300, 1e300, -1e300, 0.5]) | st.floats(-3, 3)


def numbers_of(value, way=()):
    """The way to every number."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from numbers_of(item, (*way, key))
    elif type(value) in (int, float):
        yield way


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_changed_numbers_are_refused_or_can_be_used(pristine, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("record")
    shutil.copy(pristine / "arrays.safetensors", folder)
    manifest = copy.deepcopy(manifest_of(pristine))
    for way in data.draw(st.lists(st.sampled_from(list(numbers_of(manifest))), min_size=1, max_size=3)):
        table = manifest
        for key in way[:-1]:
            table = table[key]
        table[way[-1]] = data.draw(NUMBERS)
    (folder / "run.json").write_text(json.dumps(manifest))
    try:
        loaded = load_run(folder)
    except RecordError as error:
        assert "\n" not in str(error)
    else:
        use(loaded)
