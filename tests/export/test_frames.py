"""`Run.to_frame`: the rows as a data frame."""

import sys

import pytest

from tiny_runs import run
from unveil.errors import MissingLibraryError
from unveil.export.frames import runs_to_frame


def test_a_frame_has_the_numbers_of_the_run():
    pytest.importorskip("pandas")
    made = run(spacing=True)
    frame = made.to_frame()
    regions = frame[frame.number.notna()]
    assert regions["drop"].tolist() == [region.drop for region in made.regions]
    assert regions.area_px.sum() == sum(region.area_px for region in made.regions)
    assert regions.target.tolist() == [region.target for region in made.regions]
    assert frame.image[0] == "scans/浮腫 \udcff.png"


def test_frames_of_several_runs_have_their_names():
    pytest.importorskip("pandas")
    frame = runs_to_frame([("one", run("no region")), ("two", run())])
    assert set(frame.run) == {"one", "two"}
    # A column without any value has the same type as one with some.
    assert str(frame.box_start_d.dtype) == str(frame["round"].dtype) == "Int64"


def test_without_pandas_it_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'unveil\[pandas\]'"):
        run().to_frame()
