"""Making a plan: everything that a worker could decide for itself is decided once."""

import os

import pytest
import torch

from batch_sets import NETWORK, RECIPE, quick_archive, quick_plan, write_network
from unveil.attribution import SmoothGrad
from unveil.batch import ModelSpec, make_plan, planning
from unveil.errors import BatchError, ClassifierError
from unveil.recipes import Recipe


@pytest.fixture
def loads(monkeypatch) -> list[ModelSpec]:
    """Every model that is loaded."""
    found: list[ModelSpec] = []
    load = ModelSpec.load
    monkeypatch.setattr(ModelSpec, "load", lambda self, threads: (found.append(self), load(self, threads))[1])
    return found


def test_what_is_not_given_is_decided(tmp_path):
    model = write_network(tmp_path)
    before = torch.get_num_threads()
    try:
        plan = make_plan(model, RECIPE, threads=12)
        assert (plan.batch_size, plan.device, plan.labels) == (12, "cpu", ("red", "green", "blue"))
        assert plan.averaging_precision == "fp32"
        assert make_plan(model, RECIPE).batch_size == 8
        assert make_plan(model, RECIPE, batch_size=3).batch_size == 3
    finally:
        torch.set_num_threads(before)
    classifier = model.load(1)
    assert plan.fingerprint == classifier.fingerprint
    assert plan.probe.matches(classifier.probe)


def test_the_precision_of_averages_is_one_word_for_all_workers():
    """What it depends on, such as IoUs, may differ by rounding and isn't compared."""
    plan = make_plan(ModelSpec("planted/demo"), Recipe(attribution=SmoothGrad(samples=2)))
    assert plan.averaging_precision in ("fp32", "bf16")


def test_the_network_is_not_loaded_if_nothing_changed(tmp_path, loads):
    archive = quick_archive(tmp_path, 2)
    loads.clear()
    assert quick_plan(archive.plan.model, known=archive.folder) == archive.plan
    assert loads == []


@pytest.mark.parametrize("change", ["time", "size", "beside", "setting", "recipe", "version", "nothing known"])
def test_it_is_loaded_if_anything_did(tmp_path, loads, change, monkeypatch):
    archive = quick_archive(tmp_path, 2)
    loads.clear()
    model, settings, recipe, known = archive.plan.model, {}, RECIPE, archive.folder
    if change == "time":
        os.utime(tmp_path / "network.py", (1, 1))
    elif change == "size":
        write_network(tmp_path, NETWORK + "\n")
    elif change == "beside":
        (tmp_path / "imported.py").write_text("")
    elif change == "setting":
        settings = {"seed": 1}
    elif change == "recipe":
        recipe = Recipe()
    elif change == "version":
        monkeypatch.setattr("unveil.batch.plan.__version__", "9.9")
    else:
        known = tmp_path / "nowhere"
    quick_plan(model, recipe, known=known, **settings)
    assert loads == [model]


def test_a_file_that_was_only_touched_is_no_other_plan(tmp_path):
    archive = quick_archive(tmp_path, 2)
    os.utime(tmp_path / "network.py", (1, 1))
    now = quick_plan(archive.plan.model, known=archive.folder)
    assert now.id == archive.plan.id
    assert now.files != archive.plan.files


@pytest.mark.parametrize("name", ["batch_size", "threads", "shard_size"])
@pytest.mark.parametrize("value", [0, -1, 10**6, True])
def test_numbers_out_of_range_are_refused_before_anything_is_loaded(tmp_path, loads, name, value):
    with pytest.raises(BatchError, match=f"expected {name} from 1 to"):
        make_plan(ModelSpec("planted/demo"), RECIPE, **{name: value})
    assert loads == []


def test_other_settings_are_refused_too(tmp_path):
    with pytest.raises(BatchError, match="keep as tables or records"):
        make_plan(ModelSpec("planted/demo"), RECIPE, keep="maps")
    with pytest.raises(ClassifierError):
        make_plan(ModelSpec("planted/none-of-these"), RECIPE)
    assert planning.MOST["threads"] >= 256
