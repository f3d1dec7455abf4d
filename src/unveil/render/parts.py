"""Parts of all figures: colors, texts that a font can draw, and files."""

import re
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unveil.atomic import written_atomically
from unveil.errors import RecordError
from unveil.images.decoding import reduce_colors
from unveil.records import Round, Run
from unveil.render.style import figure_style

# Noisy maps hardly compress: run lengths take a third of the time of zlib's own way, and files are 10 % larger.
FILE_DPI, PNG_WRITING = 160, {"compress_level": 1, "compress_type": 3}  # zlib.Z_RLE
FIGURE_FORMATS = (".png", ".svg", ".pdf")
# Colors of regions, target by target (Okabe and Ito 2008: told apart by everyone); the first label's bar has the
# first.
COLORS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00")
APPEARED, DISAPPEARED, NEUTRAL, FAINT = "#00795A", "#B4461A", "#B9BFC6", "#6B727A"
# Of marks on one letter (accents, vowels) two are drawn: more would reach into the pictures above.
_MARK = "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
_PILED_MARKS = re.compile(f"({_MARK}{{2}}){_MARK}+")
COLUMN_WIDTH, NAME_CHARS = 1.72, 27  # inches of a column; characters of a label that fit into it


def write_figure(figure: Figure, path: Path) -> Path:
    """Write a `figure` to `path` as .png (`FILE_DPI`), .svg or .pdf, in one step: an existing file is complete.

    Raises `RecordError` for another suffix, and for a file that can't be written.
    """
    suffix = path.suffix.lower()
    if suffix not in FIGURE_FORMATS:
        raise RecordError(f"a figure file {', '.join(FIGURE_FORMATS)}", path.name, "choose one of these endings")
    options: dict[str, Any] = {"pil_kwargs": PNG_WRITING} if suffix == ".png" else {}
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix, {})
    with written_atomically(path, "a figure") as part, figure_style(), warnings.catch_warnings():
        # A label in a script that the font lacks is drawn as boxes; the figure is still worth having.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(part, dpi=FILE_DPI, metadata=dates, **options)
    return path


def figure_as_png(figure: Figure, dpi: int = 110, colors: int | None = None) -> bytes:
    """The bytes of a `figure` as a PNG file, with `dpi` pixels per inch; at most `colors` (2 to 256) make it small."""
    buffer = BytesIO()
    with figure_style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(buffer, format="png", dpi=dpi, pil_kwargs=PNG_WRITING)
    return buffer.getvalue() if colors is None else reduce_colors(buffer.getvalue(), colors)


def target_colors(run: Run, track: str | None) -> dict[str, str]:
    """A color for every target asked about on this track."""
    names = dict.fromkeys(target_map.target for round_ in run.of_track(track) for target_map in round_.maps)
    return {name: COLORS[number % len(COLORS)] for number, name in enumerate(names)}


def max_saliency(round_: Round) -> Float[np.ndarray, "*grid"]:
    """The saliency of all targets of a round: the largest of their maps."""
    return np.max([target_map.saliency.astype(np.float32) for target_map in round_.maps], axis=0)


def color_limit(values: Float[np.ndarray, "*grid"]) -> float:
    """What is drawn brightest in a map: its 99.8 % quantile; 1 for a map that vanishes or isn't finite."""
    finite = values[np.isfinite(values)]
    return (float(np.quantile(finite, 0.998)) if finite.size else 0.0) or 1.0


def to_rgb_pixels(image: UInt8[np.ndarray, "c h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Three channels as they are, any other number by its first."""
    planes = image if image.shape[0] == 3 else np.repeat(image[:1], 3, axis=0)
    return planes.transpose(1, 2, 0)


def hide_axes(axes: Axes) -> None:
    """A picture without ticks and frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def style_plot(axes: Axes) -> None:
    """A field for curves: quiet lines to read values by, and no frame but the line below."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(NEUTRAL)
    axes.tick_params(colors=FAINT, labelsize=6.5, length=0, pad=3)
    axes.grid(axis="y", color="#E6E9EC", linewidth=0.6)
    axes.set_axisbelow(True)


def drawable_text(name: str) -> str:
    """What a font can draw on one line: names of files and labels may hold bytes that are no text, and line breaks."""
    drawn = "".join(sign if sign.isprintable() else " " if sign.isspace() else "\ufffd" for sign in name)
    return _PILED_MARKS.sub(r"\1", drawn)


def shorten_label(name: str, limit: int = NAME_CHARS) -> str:
    """A label cut to the width of a column."""
    name = drawable_text(name)
    return name if len(name) <= limit else name[: limit - 1] + "…"


def shorter_titles(name: str, more: str = "") -> Iterator[str]:
    """A file's name with `more` behind it, and then ever shorter forms of it for narrow figures.

    First the suffix is left out, then characters from the middle, because names often differ in their ends.

    >>> titles = list(shorter_titles("scan_0001.nii.gz", " · liver"))
    >>> titles[:3], titles[-1]
    (['scan_0001.nii.gz · liver', 'scan_0001 · liver', 'scan…0001 · liver'], '… · liver')
    """
    yield name + more
    stem = name.partition(".")[0] if name.lower().endswith(".nii.gz") else name.rpartition(".")[0]
    stem = stem or name
    yield stem + more
    for kept in range(len(stem) - 1, -1, -1):
        yield f"{stem[: (kept + 1) // 2].rstrip(' _-')}…{stem[len(stem) - kept // 2 :].lstrip(' _-')}{more}"


def format_percent(value: float) -> str:
    """A probability, with a digit more where it is small."""
    return f"{value:.0%}" if value >= 0.095 else f"{value:.1%}" if value >= 0.0005 else "0%"
