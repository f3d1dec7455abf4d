"""Texts that fit into their place, measured with the font: labels may be of any length and script."""

import warnings
from functools import lru_cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from unveil.render.parts import drawable_text

POINTS_PER_INCH = 72
LONGEST = 400  # characters of a text that are looked at


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The width in inches of a `text` on one line, in points of `size`."""
    font = FontProperties(size=size, weight="bold" if bold else "normal")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # missing in the font: drawn as a box of some width
        width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / POINTS_PER_INCH


@lru_cache(maxsize=4096)
def fit_text(text: str, inches: float, size: float, *, bold: bool = False) -> str:
    """A `text` from outside as a font can draw it, cut with "…" where it is wider than `inches`; never empty."""
    text = drawable_text(text[:LONGEST])
    if text_width(text, size, bold=bold) <= inches:
        return text
    kept, over = 0, len(text)
    while over - kept > 1:
        middle = (kept + over) // 2
        fits = text_width(f"{text[:middle].rstrip()}…", size, bold=bold) <= inches
        kept, over = (middle, over) if fits else (kept, middle)
    return f"{text[:kept].rstrip()}…"


def wrap_text(text: str, inches: float, size: float, lines: int) -> list[str]:
    """A `text` broken at spaces into at most so many `lines` of at most `inches`; the last one is cut."""
    words, rows = drawable_text(text[:LONGEST]).split(), [""]
    for number, word in enumerate(words):
        longer = f"{rows[-1]} {word}".strip()
        if not rows[-1] or text_width(longer, size) <= inches:
            rows[-1] = longer
        elif len(rows) < lines:
            rows.append(word)
        else:
            rows[-1] = " ".join([rows[-1], *words[number:]])
            break
    return [fit_text(row, inches, size) for row in rows]
