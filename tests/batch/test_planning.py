"""Making a plan: everything that a worker could decide for itself is decided once."""

import json
import os
import subprocess
import sys

import pytest
import torch

from batch_sets import NETWORK, RECIPE, quick_archive, quick_plan, write_network, write_samples
from unveil.attribution import SmoothGrad
from unveil.batch import ModelSpec, asked_for, make_plan, open_archive, planning, recall_plan
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


def a_call(folder, **changed):
    """What a call was given: a model, a recipe in a file, and other options."""
    model = ModelSpec(changed.pop("model", "python/network.py:make"))
    options = {"recipe": folder / "recipe.toml", "target": None, "trust": True, "means": ("0.5", "0.4"), "seed": 0}
    return asked_for(model, **{**options, **changed})


@pytest.fixture
def called(tmp_path, monkeypatch):
    """An archive that a call in its folder made, and the call."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.toml").write_text(RECIPE.to_toml())
    write_network(tmp_path)
    asked = a_call(tmp_path)
    plan = quick_plan(ModelSpec("python/network.py:make"), asked=asked)
    return open_archive(tmp_path / "out", plan, write_samples(tmp_path / "data", 2))


def test_the_same_call_is_recognized(tmp_path, called, loads):
    assert recall_plan(called.folder, a_call(tmp_path)) == called.plan
    assert recall_plan(called.folder, a_call(tmp_path, recipe="recipe.toml")) == called.plan
    assert recall_plan(tmp_path / "nowhere", a_call(tmp_path)) is None
    assert loads == []


@pytest.mark.parametrize("change", ["option", "recipe", "network", "folder", "version"])
def test_another_call_is_not(tmp_path, called, change, monkeypatch):
    changed = {}
    if change == "option":
        changed = {"seed": 1}
    elif change == "recipe":
        (tmp_path / "recipe.toml").write_text(Recipe().to_toml())
    elif change == "network":
        write_network(tmp_path, NETWORK + "\n")
    elif change == "folder":
        (tmp_path / "other").mkdir()
        write_network(tmp_path / "other")
        monkeypatch.chdir(tmp_path / "other")
    else:
        monkeypatch.setattr("unveil.batch.plan.__version__", "9.9")
    assert recall_plan(called.folder, a_call(tmp_path, **changed)) is None


def test_another_call_of_the_same_plan_is_recognized_from_then_on(tmp_path, called):
    asked = a_call(tmp_path, target="predicted")
    plan = quick_plan(called.plan.model, asked=asked, known=called.folder)
    again = open_archive(called.folder, plan, write_samples(tmp_path / "data", 2))
    assert again.plan.id == called.plan.id
    assert recall_plan(called.folder, asked) == again.plan


def test_recalling_needs_no_torch(tmp_path, called):
    code = (
        "import json, sys\nfrom unveil.batch import read_plan, recall_plan\n"
        "plan = read_plan(sys.argv[1])\n"
        "print(json.dumps([recall_plan(sys.argv[1], plan.asked) == plan, 'torch' in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(called.folder)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True, False]


def test_other_settings_are_refused_too(tmp_path):
    with pytest.raises(BatchError, match="keep as tables or records"):
        make_plan(ModelSpec("planted/demo"), RECIPE, keep="maps")
    with pytest.raises(ClassifierError):
        make_plan(ModelSpec("planted/none-of-these"), RECIPE)
    assert planning.MOST["threads"] >= 256
