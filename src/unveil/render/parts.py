"""Parts of all figures: colors, contours, texts that a font can draw, and files."""

import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from unveil.atomic import written_atomically
from unveil.errors import RecordError
from unveil.records import Round, Run
from unveil.render.style import figure_style

FIGURE_FORMATS = (".png", ".svg", ".pdf")
# Colors of regions, target by target (Okabe and Ito 2008: told apart by everyone); the first label's bar has the
# first.
COLORS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00")
APPEARED, DISAPPEARED, NEUTRAL, FAINT = "#00795A", "#B4461A", "#B9BFC6", "#6B727A"
COLUMN_WIDTH, NAME_CHARS = 1.72, 27  # inches of a column; characters of a label that fit into it


def write_figure(figure: Figure, path: Path) -> Path:
    """Write a `figure` to `path` as .png (200 dpi), .svg or .pdf, in one step: an existing file is complete.

    Raises `RecordError` for another suffix, and for a file that can't be written.
    """
    suffix = path.suffix.lower()
    if suffix not in FIGURE_FORMATS:
        raise RecordError(f"a figure file {', '.join(FIGURE_FORMATS)}", path.name, "choose one of these endings")
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix, {})
    with written_atomically(path, "a figure") as part, figure_style(), warnings.catch_warnings():
        # A label in a script that the font lacks is drawn as boxes; the figure is still worth having.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(part, dpi=200, metadata=dates)
    return path


def figure_as_png(figure: Figure, dpi: int = 110) -> bytes:
    """The bytes of a `figure` as a PNG file, with `dpi` pixels per inch."""
    buffer = BytesIO()
    with figure_style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def target_colors(run: Run, track: str | None) -> dict[str, str]:
    """A color for every target asked about on this track."""
    names = dict.fromkeys(target_map.target for round_ in run.of_track(track) for target_map in round_.maps)
    return {name: COLORS[number % len(COLORS)] for number, name in enumerate(names)}


def draw_regions(
    axes: Axes,
    image: UInt8[np.ndarray, "c h w"],
    round_: Round,
    colors: dict[str, str],
    numbers: Sequence[int] = (),
) -> None:
    """Draw a round's regions on a muted copy of the image, with a white veil over what was erased before.

    `numbers`: a number to write into each region.
    """
    hide_axes(axes)
    color = to_rgb_pixels(image).astype(np.float32) / 255
    quiet = np.clip(0.25 + 0.75 * (0.35 * color + 0.65 * color.mean(2, keepdims=True)), 0, 1)
    blend_color(quiet, round_.erased.to_array(), "#ffffff", 0.6)
    for region in round_.regions:
        blend_color(quiet, region.model_mask.to_array(), colors[region.target], 0.45)
    axes.imshow(quiet, interpolation="lanczos")
    for region in round_.regions:
        draw_contour(axes, region.model_mask.to_array(), "black", 1.6, 0.8)
        draw_contour(axes, region.model_mask.to_array(), colors[region.target], 0.9, 1.0)
    for region, number in zip(round_.regions, numbers, strict=False):
        y, x = middle_pixel(region.model_mask.to_array())
        text = axes.text(x, y, str(number), ha="center", va="center", fontsize=6, fontweight="bold", color="white")
        text.set_path_effects([withStroke(linewidth=1.4, foreground="black")])


def middle_pixel(inside: Bool[np.ndarray, "h w"]) -> tuple[int, int]:
    """The pixel (y, x) of a set that is nearest to its center of mass, so that a ring is marked on the ring.

    >>> middle_pixel(np.array([[True, True, True]]))
    (0, 1)
    """
    pixels = np.argwhere(inside)
    y, x = pixels[np.square(pixels - pixels.mean(axis=0)).sum(axis=1).argmin()]
    return int(y), int(x)


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


def blend_color(
    pixels: Float[np.ndarray, "h w 3"], inside: Bool[np.ndarray, "h w"], color: str, strength: float
) -> None:
    """Mix a color into some pixels."""
    pixels[inside] = (1 - strength) * pixels[inside] + strength * np.asarray(to_rgb(color))


def draw_contour(
    axes: Axes, inside: Bool[np.ndarray, "h w"], color: str, width: float, alpha: float, *, closed: bool = False
) -> None:
    """The border of a region as a line; `closed` along the picture's own border too."""
    y, x = (np.arange(side) for side in inside.shape)
    if closed:
        inside, y, x = np.pad(inside, 1), np.arange(-1, y.size + 1), np.arange(-1, x.size + 1)
    if inside.any() and not inside.all():
        axes.contour(x, y, inside.astype(np.float32), levels=[0.5], colors=[color], linewidths=width, alpha=alpha)


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
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "\ufffd" for sign in name)


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
