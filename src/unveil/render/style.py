"""Imports matplotlib and sets the style of all figures, whatever the user's own matplotlib settings are."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INK = "#22262B"
_CHANGES: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 7,
    "text.color": INK,
    "svg.hashsalt": "unveil",
    "text.parse_math": False,
    "hatch.linewidth": 0.8,
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw and write figures with matplotlib's defaults and the changes of this package.

    The user's matplotlibrc isn't used inside the block: with `text.usetex` in it, a figure would need LaTeX. The user's
    settings are back after the block.
    """
    # The backend is left alone: figures have canvases of their own, and setting it would import one.
    defaults = {key: value for key, value in mpl.rcParamsDefault.items() if not key.startswith("backend")}
    with mpl.rc_context({**defaults, **_CHANGES}):
        yield


def _import_matplotlib() -> Any:
    """matplotlib, also where the environment names a backend or a settings file that it can't use.

    The kernel of a notebook passes its MPLBACKEND to programs of other environments, where that backend is missing.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415
    except ImportError:
        raise
    except Exception:  # noqa: BLE001 (a settings file can fail in many ways)
        named = {name: os.environ.pop(name) for name in ("MPLBACKEND", "MATPLOTLIBRC") if name in os.environ}
        os.environ["MATPLOTLIBRC"] = os.devnull
        # Parts that were imported before the failure refer to a package that is gone.
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]
        try:
            import matplotlib as mpl  # noqa: PLC0415
        finally:
            del os.environ["MATPLOTLIBRC"]
            os.environ.update(named)
    return mpl


mpl = _import_matplotlib()
