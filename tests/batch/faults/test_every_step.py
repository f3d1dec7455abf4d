"""Each step of making an archive fails once: there is one error, nothing half-written, and the next call completes."""

import errno
import os

import pytest

from batch_drivers import drive
from batch_sets import content, quick_plan, write_network, write_samples
from failing_calls import NthCall
from unveil.batch import open_archive
from unveil.errors import BatchError, DiskFullError, RecordError

STEPS = ("replace", "fsync", "mkdir")
CODES = (errno.ENOSPC, errno.EIO, errno.EROFS)
# Every fifth of about seventy steps here; benchmarks/batch_faults.py does all.
STRIDE = 5


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A plan with its images, and the rows of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("data")
    plan = quick_plan(write_network(folder), shard_size=3)
    samples = write_samples(folder / "images", 6, {2: "damaged"})
    archive = open_archive(folder / "whole", plan, samples)
    drive(archive)
    return plan, samples, content(archive.folder)


@pytest.mark.parametrize("step", STEPS)
def test_the_next_call_completes(tmp_path, monkeypatch, given, step):
    plan, samples, expected = given
    fails_at, failures = 1, 0
    while True:
        archive = open_archive(tmp_path / str(fails_at), plan, samples)
        code = CODES[fails_at % len(CODES)]
        failing = NthCall(getattr(os, step), fails_at, code)
        with monkeypatch.context() as patched:
            patched.setattr(os, step, failing)
            try:
                drive(archive)
            except (RecordError, BatchError) as error:
                failures += 1
                assert os.strerror(code) in str(error)
                assert isinstance(error, DiskFullError) == (code == errno.ENOSPC)
        drive(archive)
        assert content(archive.folder) == expected
        if failing.calls < fails_at:
            break
        fails_at += STRIDE
    # Not all failures are errors: some only make a name durable that is there anyway.
    assert failures or step == "mkdir"
