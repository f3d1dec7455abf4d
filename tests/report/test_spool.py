"""Texts kept on disk: read back as they were, without a trace in the folder, and errors that say what to do."""

import errno
import gc

import pytest

from unveil.errors import DiskFullError, RecordError
from unveil.report.spool import TextSpool


def test_texts_are_read_back_in_any_order_and_leave_no_file(tmp_path):
    texts = ["first", "", "a\nb", "x" * 100_000]
    with TextSpool(tmp_path / "new" / "report.html") as spool:
        for number, text in enumerate(texts):
            spool.add(text)
            assert spool.read(number // 2) == texts[number // 2]
        assert [spool.read(number) for number in (3, 0, 2, 1)] == [texts[3], texts[0], texts[2], texts[1]]
        assert spool.size == sum(map(len, texts))
        assert list(tmp_path.iterdir()) == []
    gc.collect()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, DiskFullError), (errno.EIO, RecordError)])
def test_a_full_disk_is_one_line(tmp_path, monkeypatch, number, kind):
    with TextSpool(tmp_path / "report.html") as spool:
        full = OSError(number, "refused by the disk")

        class Full:
            def seek(self, place: int) -> None:
                raise full

            def close(self) -> None:
                pass

        spool._file.close()
        monkeypatch.setattr(spool, "_file", Full())
        with pytest.raises(RecordError, match="a place to write a report to; got .*refused by the disk") as error:
            spool.add("text")
        assert type(error.value) is kind
        assert "\n" not in str(error.value)
