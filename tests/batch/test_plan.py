"""The plan: what everything is a function of; whatever differs is named."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_sets import NETWORK, RECIPE, quick_archive, quick_plan, write_network
from unveil.batch import BatchPlan, ModelSpec, read_plan
from unveil.batch.plan import PLAN
from unveil.errors import BatchError, UnveilWarning
from unveil.predictions import ProbeOutput

PLANNED = BatchPlan(
    model=ModelSpec("planted/demo"),
    fingerprint="ab" * 32,
    labels=("red", "ü"),
    device="cpu",
    probe=ProbeOutput((0.1, -2.5), 3.0),
    recipe=RECIPE.as_dict(),
    averaging_precision="fp32",
    batch_size=8,
    value_range=(0.0, 4095.0),
    files=(("a.py", 3, 4),),
)
OTHERS = {
    "model.name": {"model": ModelSpec("planted/other")},
    "fingerprint": {"fingerprint": "cd" * 32},
    "labels": {"labels": ("red",)},
    "device": {"device": "cuda"},
    "recipe.target.threshold": {"recipe": {**RECIPE.as_dict(), "target": {"kind": "Predicted", "threshold": 0.25}}},
    "averaging_precision": {"averaging_precision": "bf16"},
    "batch_size": {"batch_size": 9},
    "threads": {"threads": 2},
    "seed": {"seed": 1},
    "value_range": {"value_range": None},
    "keep": {"keep": "records"},
    "shard_size": {"shard_size": 17},
    "versions.torch": {"versions": {**PLANNED.versions, "torch": "1.0"}},
}


def write(folder, values) -> None:
    (folder / PLAN).write_text(json.dumps(values))


def test_a_plan_is_read_as_it_was_written(tmp_path):
    (tmp_path / PLAN).write_text(PLANNED.to_json())
    assert read_plan(tmp_path) == PLANNED
    assert read_plan(tmp_path).id == PLANNED.id


@pytest.mark.parametrize("place", OTHERS)
def test_each_setting_enters_the_id_and_is_named_where_it_differs(place):
    other = replace(PLANNED, **OTHERS[place])
    assert other.id != PLANNED.id
    (line,) = PLANNED.differences(other)
    assert line.startswith(f"{place} ")
    assert "(now " in line


def test_probes_are_compared_but_for_rounding():
    """Other machines round in another way; another network has another output."""
    rounded, other = (replace(PLANNED, probe=ProbeOutput((0.1, -2.5 + off), 3.0)) for off in (1e-6, 0.1))
    assert rounded.id == other.id == PLANNED.id
    assert PLANNED.differences(rounded) == []
    assert PLANNED.differences(other) == ["output of the network for a test image: 0.1 -2.5 (now 0.1 -2.4)"]
    assert PLANNED.differences(replace(PLANNED, probe=None))[0].endswith("(now unknown)")


def test_the_times_of_files_do_not_enter_the_id():
    other = replace(PLANNED, files=())
    assert other.id == PLANNED.id
    assert PLANNED.differences(other) == []


@given(
    st.sampled_from([item for item in PLANNED.as_dict() if item not in ("files", "probe", "processor", "asked")]),
    st.data(),
)
def test_a_plan_that_was_changed_by_hand_is_refused(tmp_path_factory, name, data):
    folder = tmp_path_factory.mktemp("plan")
    values = json.loads(PLANNED.to_json())
    wrong = data.draw(
        st.one_of(st.none(), st.integers(-5, 50), st.text(max_size=3), st.lists(st.integers(), max_size=2))
    )
    if values[name] == wrong:
        return
    write(folder, {**values, name: wrong})
    with pytest.raises(BatchError):
        read_plan(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"format": "unveil run"}', b"\xff\xfe", b"[" * 100_000])
def test_anything_else_is_no_plan(tmp_path, content):
    (tmp_path / PLAN).write_bytes(content)
    with pytest.raises(BatchError):
        read_plan(tmp_path)


def test_a_folder_without_a_plan_is_no_archive(tmp_path):
    with pytest.raises(BatchError, match=r"the folder of an archive, with plan\.json; got .*; check the path"):
        read_plan(tmp_path)


def test_newer_tables_are_refused_by_their_format(tmp_path):
    write(tmp_path, {**json.loads(PLANNED.to_json()), "table_format": 2})
    with pytest.raises(BatchError, match="tables of format 1; got .* with table_format 2"):
        read_plan(tmp_path)


def test_a_worker_refuses_weights_that_changed(tmp_path):
    plan = quick_plan(write_network(tmp_path))
    write_network(tmp_path, NETWORK.replace("scale=20.0", "scale=21.0"))
    with pytest.raises(
        BatchError, match=r"a worker with the planned classifier; got weights \w{12} \(planned \w{12}\)"
    ):
        plan.load_classifier()


def test_a_worker_refuses_another_precision_device_and_labels(tmp_path):
    plan = quick_plan(write_network(tmp_path))
    wrong = replace(plan, averaging_precision="bf16", device="cuda", labels=("red", "green", "violet"))
    with pytest.raises(BatchError) as caught:
        wrong.load_classifier()
    for part in ("device cpu (planned cuda)", "precision of averaged gradients fp32 (planned bf16)", "labels"):
        assert part in str(caught.value)


def test_a_worker_refuses_other_versions(tmp_path):
    plan = quick_plan(write_network(tmp_path))
    with pytest.raises(BatchError, match=r"versions\.torch .* \(planned 1\.0\)"):
        replace(plan, versions={**plan.versions, "torch": "1.0"}).load_classifier()


def test_a_worker_on_another_processor_warns(tmp_path):
    plan = quick_plan(write_network(tmp_path))
    other = replace(plan, processor="ABACUS")
    assert (other.id, plan.differences(other)) == (plan.id, [])
    with pytest.warns(UnveilWarning, match="the plan was made on ABACUS; last bits may differ"):
        other.load_classifier()
    plan.load_classifier()


def test_the_plan_of_an_archive_is_the_one_it_was_made_with(tmp_path):
    archive = quick_archive(tmp_path, 3, value_range=(0, 100), seed=5)
    assert read_plan(archive.folder) == archive.plan
    assert archive.plan.value_range == (0.0, 100.0)
