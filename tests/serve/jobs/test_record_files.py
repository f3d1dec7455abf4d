"""Records that are replaced, and reviews that go with them, whenever a process is killed."""

import os
import shutil
from pathlib import Path

import pytest

import tiny_runs
from unveil.review import Answer, Judgment, Review, load_review, record_seal, review_path, save_review
from unveil.rounds import find_regions
from unveil.serve.jobs import JobRequest
from unveil.serve.jobs.record_files import RecordFiles
from unveil.serve.jobs.settings import recipe_of
from unveil.store import load_run
from unveil.view import region_ids
from workplaces import TINY_SETTINGS, open_workplace, picture, tiny, wait_over

JOB, OTHER = "0123456789abcdef", "fedcba9876543210"


def make_run(rounds: int):
    settings = {**TINY_SETTINGS, "stop": {"kind": "MaxRounds", "rounds": rounds}}
    recipe = recipe_of(JobRequest("", "tiny", "recommended", settings))
    return find_regions(tiny_runs.image(), tiny_runs.classifier(), recipe)


@pytest.fixture(scope="module")
def runs():
    return make_run(1), make_run(2)


def judge(files: RecordFiles, run, job: str = JOB) -> Review:
    """Judge every region of a saved record."""
    folder = files.record(job)
    judgments = {name: Judgment(Answer.ACCEPT, f"note on {name}", 5.0, blind=False) for name in region_ids(run)}
    review = Review(record_seal(folder), "me", judgments)
    save_review(review, folder)
    return review


def check_judged(folder: Path, before, review: Review, after) -> None:
    """The record is the new one, and the judgments are those of the old one, under the new seal."""
    assert load_run(folder) == after
    kept = load_review(folder)
    assert kept.record_sha256 == record_seal(folder) != review.record_sha256
    assert dict(kept.judgments) == dict(review.judgments)
    assert set(kept.judgments) == set(region_ids(before))


def test_judgments_go_with_a_new_record(tmp_path, runs):
    before, after = runs
    files = RecordFiles(tmp_path)
    files.save(JOB, before)
    review = judge(files, before)
    files.save(JOB, after)
    check_judged(files.record(JOB), before, review, after)
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {JOB, f"{JOB}.review.json"}


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", range(1, 9))
def test_a_process_that_is_killed_at_any_step_loses_no_judgment(tmp_path, runs, monkeypatch, step):
    """Every move and removal of a file is a step; the next process ends what was begun, or finds what was there."""
    before, after = runs
    files = RecordFiles(tmp_path)
    files.save(JOB, before)
    review = judge(files, before)
    calls = []

    def killed(real):
        def call(*arguments, **options):
            calls.append(real)
            if len(calls) >= step:
                raise KilledError
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patched:
        for name in ("rename", "replace"):
            patched.setattr(Path, name, killed(getattr(Path, name)))
        patched.setattr("os.replace", killed(os.replace))
        patched.setattr("shutil.rmtree", killed(shutil.rmtree))
        try:
            files.save(JOB, after)
        except KilledError:
            pass
        else:
            assert len(calls) < step
    files = RecordFiles(tmp_path)
    files.clean({JOB})
    folder = files.record(JOB)
    if load_run(folder) == before:
        assert load_review(folder) == review
        files.save(JOB, after)
    check_judged(folder, before, review, after)
    # Hidden ones are still locked by this process, which wasn't really killed.
    names = {path.name for path in (tmp_path / "runs").iterdir() if not path.name.startswith(".")}
    assert names == {JOB, f"{JOB}.review.json"}


def test_a_review_that_does_not_fit_stays_where_it_is(tmp_path, runs):
    before, after = runs
    files = RecordFiles(tmp_path)
    files.save(JOB, before)
    files.review(JOB).write_text("{}")
    files.save(JOB, after)
    assert load_run(files.record(JOB)) == after
    assert files.review(JOB).read_text() == "{}"


def test_only_what_belongs_to_no_job_is_removed(tmp_path, runs):
    files = RecordFiles(tmp_path)
    for job in (JOB, OTHER):
        files.save(job, runs[0])
        judge(files, runs[0], job)
        files.what_ifs(job).mkdir()
    (tmp_path / "runs" / "mine.txt").write_text("a file of the user")
    files.clean({JOB})
    names = {path.name for path in (tmp_path / "runs").iterdir()}
    assert names == {JOB, f"{JOB}.review.json", f"{JOB}.what-if", "mine.txt"}
    files.remove(JOB)
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"mine.txt"}


def test_a_job_that_goes_on_keeps_its_judgments(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        job = wait_over(workplace, workplace.submit(tiny(image)).id)
        before, folder = workplace.run(job.id), workplace.record_folder(job.id)
        review = judge(RecordFiles(tmp_path), before, job.id)
        assert review_path(folder) == workplace.review_path(job.id)
        workplace.go_on(job.id, 1)
        wait_over(workplace, job.id)
        check_judged(folder, before, review, workplace.run(job.id))
