"""The preview beside a record: read back with it, no part of its seal, and never a reason to lose it."""

from dataclasses import replace

import numpy as np
import pytest

from tiny_runs import image, run
from unveil.errors import UnveilWarning
from unveil.images import Image
from unveil.images.preview import MAX_PREVIEW_BYTES, make_preview
from unveil.store import load_run, save_run
from unveil.store.previews import PREVIEW_FILE


@pytest.fixture
def record(tmp_path):
    return save_run(replace(run(), preview=make_preview(image())), tmp_path / "run")


def test_it_is_read_back_and_equality_ignores_it(record):
    loaded = load_run(record)
    assert loaded == run()
    assert loaded.preview == make_preview(image())


def test_without_it_the_record_is_the_same(record):
    (record / PREVIEW_FILE).unlink()
    assert load_run(record) == run()
    assert load_run(record).preview is None


def test_runs_have_none_by_default(tmp_path):
    assert run().preview is None
    save_run(run(), tmp_path / "run")
    assert not (tmp_path / "run" / PREVIEW_FILE).exists()


def test_a_damaged_one_is_a_warning(record):
    (record / PREVIEW_FILE).write_bytes(b"nothing")
    with pytest.warns(UnveilWarning, match="preview"):
        assert load_run(record) == run()


def test_one_of_another_image_is_a_warning(record):
    other = make_preview(Image.from_array(np.zeros((8, 8), dtype=np.uint8)))
    (record / PREVIEW_FILE).write_bytes(other.png)
    with pytest.warns(UnveilWarning, match=r"\(40, 50\).*\(8, 8\)"):
        assert load_run(record).preview is None


def test_a_huge_one_is_not_read(record):
    with (record / PREVIEW_FILE).open("wb") as file:
        file.truncate(MAX_PREVIEW_BYTES + 1)
    with pytest.warns(UnveilWarning, match="at most"):
        assert load_run(record).preview is None
