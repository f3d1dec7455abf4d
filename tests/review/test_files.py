"""Reviews beside their records: sealed to them, written whole, refused with one clear error."""

import copy
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiny_runs import run
from unveil.errors import RecordError
from unveil.review import Answer, Judgment, Review, continue_review, load_review, record_seal, review_path, save_review
from unveil.store import load_run, save_run
from unveil.view import region_ids


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    return save_run(run("plain, separate tracks"), tmp_path_factory.mktemp("records") / "dog.1")


@pytest.fixture
def folder(pristine, tmp_path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / pristine.name))


def full_review(folder: Path) -> Review:
    names = region_ids(load_run(folder))
    notes = ("", "ears — 浮腫 \x1b[2J", "=1+1", "\ud800")
    answers = tuple(Answer)
    judgments = {
        name: Judgment(answers[number % 3], notes[number % 4], 1.7e9 + number / 3, number % 2 == 0)
        for number, name in enumerate(names)
    }
    return Review(record_seal(folder), "Dr. Ö", judgments)


def test_a_review_is_beside_its_record_and_comes_back(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert load_review(folder) is None
    review = full_review(folder)
    assert save_review(review, folder) == folder.parent / "dog.1.review.json" == review_path(folder)
    assert load_review(folder) == review
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert review.record_sha256 == hashlib.sha256(before["run.json"]).hexdigest()


def test_the_path_is_beside_the_folder_however_it_is_named(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for name in (".", "../dog.1", f"{folder}/", "../dog.1/figures/.."):
        assert review_path(name).resolve() == folder.parent / "dog.1.review.json"


def test_a_review_of_another_record_is_refused(folder):
    other = replace(full_review(folder), record_sha256="ab" * 32)
    with pytest.raises(
        RecordError, match=r"a review of this record, with the seal [0-9a-f]{12}…; got one with the seal abab"
    ):
        save_review(other, folder)
    assert not review_path(folder).exists()
    save_review(full_review(folder), folder)
    shutil.rmtree(folder)
    save_run(run("guided, joint, top 2"), folder)
    with pytest.raises(RecordError, match="the record was made again since"):
        load_review(folder)


def test_a_judgment_of_an_unknown_region_is_refused(folder):
    review = full_review(folder)
    with pytest.raises(RecordError, match="judgments of regions of this record; got r1.1; take ids from its view"):
        save_review(review.with_judgment("r1.1", Judgment(Answer.ACCEPT)), folder)
    assert not review_path(folder).exists()


def test_a_folder_without_a_record_has_no_review(tmp_path):
    with pytest.raises(RecordError, match="the folder of a run"):
        load_review(tmp_path)
    with pytest.raises(RecordError, match="the folder of a run"):
        save_review(Review("0" * 64), tmp_path / "none")


def test_nothing_is_half_written(folder, monkeypatch):
    save_review(full_review(folder), folder)
    before = review_path(folder).read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(RecordError, match="No space left"):
        save_review(replace(full_review(folder), reviewer="B"), folder)
    assert review_path(folder).read_bytes() == before
    assert sorted(path.name for path in folder.parent.iterdir()) == ["dog.1", "dog.1.review.json"]


def test_judgments_of_equal_regions_are_taken_over_to_more_rounds(folder, tmp_path):
    """The first two tracks keep their rounds; a region of the third one is another one in the longer run."""
    before = load_run(folder)
    *rounds, last = before.rounds
    changed = replace(last, regions=tuple(replace(region, rim_share=0.123) for region in last.regions))
    after = replace(before, rounds=(*rounds, changed), seconds=99.0)
    longer = save_run(after, tmp_path / "longer")
    review = continue_review(full_review(folder), before, after, longer)
    save_review(review, longer)
    lost = {f"t{len(before.tracks)}r{last.index}.{number + 1}" for number in range(len(last.regions))}
    assert lost
    assert set(review.judgments) == set(region_ids(before)) - lost
    assert review.record_sha256 == record_seal(longer) != record_seal(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "dog.1.review.json of version 1 at most; got version 2; update unveil to read it"),
        ({"format": "unveil run"}, "dog.1.review.json of the format 'unveil review'; got 'unveil run'"),
        ({"reviewer": 3}, "'reviewer' in dog.1.review.json to be a text; got 3; restore it from a copy"),
        ({"judgments": []}, "'judgments' in dog.1.review.json to be a table"),
        ({"judgments": {"t1r1.1": {}}}, "'judgments.t1r1.1.blind' in dog.1.review.json to be true or false; got None"),
        (
            {"judgments": {"t1r1.1": {"answer": "yes", "note": "", "time_s": 1, "blind": True}}},
            "to be one of accept, reject, unsure; got 'yes'",
        ),
        (
            {"judgments": {"t1r1.1": {"answer": "accept", "note": "", "time_s": "now", "blind": True}}},
            "time_s' in dog.1.review.json to be a number",
        ),
        ({"record_sha256": "x"}, "the seal of a record, 64 hex digits; got 'x'"),
    ],
)
def test_reviews_that_were_changed_are_refused(folder, change, message):
    path = save_review(full_review(folder), folder)
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **change}), encoding="utf-8")
    with pytest.raises(RecordError) as raised:
        load_review(folder)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@given(st.data())
def test_a_damaged_file_gives_a_review_or_one_line(tmp_path_factory, pristine, data):
    folder = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("damaged") / pristine.name))
    path = save_review(full_review(folder), folder)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        review = load_review(folder)
    except RecordError as error:
        assert "\n" not in str(error)
        return
    assert review is not None
    assert review.record_sha256 == record_seal(folder)


@given(
    st.dictionaries(
        st.text(max_size=5), st.one_of(st.none(), st.integers(), st.text(max_size=3), st.just({})), max_size=4
    )
)
def test_whatever_is_no_review_is_refused(values):
    with pytest.raises(RecordError):
        Review.from_dict(copy.copy(values))


def test_plain_values_come_back(folder):
    review = full_review(folder)
    assert Review.from_dict(json.loads(json.dumps(review.as_dict()))) == review
