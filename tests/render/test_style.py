"""Figures don't depend on the user's own settings of matplotlib, and leave these as they were."""

import os
import subprocess
import sys

import matplotlib as mpl
import pytest

from tiny_runs import run
from unveil.render import draw_run, figure_style, write_figure

DRAW = """
import sys
from matplotlib.figure import Figure
from unveil.render import figure_style, write_figure
from pathlib import Path
with figure_style():
    figure = Figure(figsize=(1, 1))
    figure.text(0.1, 0.1, "a_b")
write_figure(figure, Path(sys.argv[1]))
"""


@pytest.mark.parametrize(
    "settings",
    [
        {"text.usetex": True},
        {"font.size": 30, "lines.linewidth": 9, "axes.facecolor": "red", "savefig.facecolor": "green"},
        {"savefig.bbox": "tight", "image.cmap": "gray", "image.origin": "lower", "figure.dpi": 17},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_the_figure_is_the_same_whatever_the_settings(tmp_path, settings):
    plain = write_figure(draw_run(run()), tmp_path / "plain.png").read_bytes()
    with mpl.rc_context(settings):
        before = dict(mpl.rcParams)
        changed = write_figure(draw_run(run()), tmp_path / "changed.png").read_bytes()
        assert dict(mpl.rcParams) == before
    assert changed == plain


def test_the_style_is_left_also_by_an_error():
    before = dict(mpl.rcParams)
    with pytest.raises(KeyError), figure_style():
        assert mpl.rcParams["font.size"] == 7
        raise KeyError
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("settings", ["MPLBACKEND", "MATPLOTLIBRC", "both"])
def test_settings_that_matplotlib_cannot_use_do_not_prevent_figures(tmp_path, settings):
    """The backend of a notebook isn't installed everywhere; a settings file may be of any kind."""
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe text.usetex: maybe\n")
    named = {"MPLBACKEND": "module://backend_of_another_environment", "MATPLOTLIBRC": str(tmp_path / "matplotlibrc")}
    named = named if settings == "both" else {settings: named[settings]}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MPL", "MATPLOTLIB"))}
    check = f"import os; import unveil.render; assert os.environ.items() >= {named!r}.items()\n"
    for number, extra in enumerate(({}, named)):
        code = (check if extra else "import unveil.render\n") + DRAW
        path = tmp_path / f"{number}.svg"
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], env={**clean, **extra}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "0.svg").read_bytes() == (tmp_path / "1.svg").read_bytes()
