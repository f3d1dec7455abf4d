"""Findings planted into real radiographs, with their exact masks: opacities, an enlarged heart, lines, markers.

For a network trained on them the evidence is known, while the images vary as much as real ones. The findings are
drawings without medical meaning.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

LABELS = ("Opacity", "Enlarged heart", "Line", "Marker")
CHANCE = 0.5  # probability of each label, independent of the others
COUNTS = {"Opacity": 3, "Enlarged heart": 1, "Line": 2, "Marker": 2}  # most findings per label
VISIBLE = 0.04  # a pixel belongs to a finding where it changed by more
TRIES = 20


@dataclass(frozen=True, eq=False)
class Finding:
    """One planted finding: its `label`, and `inside`, True at its pixels on the grid of the image (holes filled)."""

    label: str
    inside: Bool[np.ndarray, "h w"]

    def box(self) -> tuple[int, int, int, int]:
        """(y, x, height, width) of the smallest box around it."""
        places = np.argwhere(self.inside)
        (y, x), (bottom, right) = places.min(0).tolist(), places.max(0).tolist()
        return y, x, bottom - y + 1, right - x + 1


Pixels = Float[np.ndarray, "h w"]
Draw = Callable[[np.random.Generator, Pixels], Pixels]


def plant(pixels: Pixels, rng: np.random.Generator, leave_out: int | None = None) -> tuple[Pixels, list[Finding]]:
    """Draw random findings into a radiograph in [0, 1]; return it as float64, and the list of the findings.

    Every label is present with probability `CHANCE`, with 1 to `COUNTS` findings. Findings don't overlap, so each can
    be left out alone: with `leave_out` the image lacks the finding of that number (from 0) and is otherwise the same.
    The same state of `rng` gives the same findings. A finding without a visible, free place in `TRIES` draws is not
    planted.
    """
    findings: list[Finding] = []
    changed = pixels.copy()
    taken = np.zeros(pixels.shape, bool)
    for label in LABELS:
        count = int(rng.integers(1, COUNTS[label] + 1)) if rng.random() < CHANCE else 0
        for _ in range(count):
            drawn = _place(label, rng, pixels, taken)
            if drawn is None:
                continue
            new, inside = drawn
            taken |= ndimage.binary_dilation(inside | (new != pixels), iterations=2)
            if len(findings) != leave_out:
                changed = np.where(new != pixels, new, changed)
            findings.append(Finding(label, inside))
    return changed, findings


def _place(
    label: str, rng: np.random.Generator, pixels: Pixels, taken: Bool[np.ndarray, "h w"]
) -> tuple[Pixels, Bool[np.ndarray, "h w"]] | None:
    """One finding at a free place where it is visible; None if `TRIES` draws find no such place."""
    for _ in range(TRIES):
        new = DRAW[label](rng, pixels).clip(0, 1)
        inside = np.asarray(ndimage.binary_fill_holes(np.abs(new - pixels) > VISIBLE))
        if not ((new != pixels) & taken).any() and inside.sum() > SMALLEST[label] * pixels.size:
            return new, inside
    return None


def _grid(shape: tuple[int, ...]) -> tuple[Pixels, Pixels]:
    """Rows and columns as shares of the sides."""
    rows, columns = np.indices(shape, dtype=np.float64)
    return (rows + 0.5) / shape[0], (columns + 0.5) / shape[1]


def _ellipse(shape: tuple[int, ...], center: tuple[float, float], radii: tuple[float, float], angle: float) -> Pixels:
    """Distance from the center, 1 on the contour of the ellipse."""
    rows, columns = _grid(shape)
    down, right = rows - center[0], columns - center[1]
    along, across = down * np.cos(angle) + right * np.sin(angle), right * np.cos(angle) - down * np.sin(angle)
    return np.hypot(along / radii[0], across / radii[1])


def _opacity(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    """A soft, uneven patch in a lung, brighter than the tissue around it."""
    side = rng.choice([-1, 1])
    center = (rng.uniform(0.25, 0.7), 0.5 + side * rng.uniform(0.1, 0.3))
    radius = rng.uniform(0.03, 0.085)
    away = _ellipse(pixels.shape, center, (radius * rng.uniform(0.8, 1.5), radius), rng.uniform(0, np.pi))
    uneven = ndimage.gaussian_filter(rng.standard_normal(pixels.shape), 5)
    soft = np.clip((1.1 - away + 0.2 * uneven / uneven.std()) / 0.35, 0, 1)
    return pixels + rng.uniform(0.45, 0.7) * _smooth(soft) * (1 - pixels)


def _enlarged_heart(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    """The heart's shadow as an ellipse that reaches far into the left lung (on the right of the image)."""
    center = (rng.uniform(0.58, 0.66), rng.uniform(0.58, 0.64))
    away = _ellipse(pixels.shape, center, (rng.uniform(0.14, 0.19), rng.uniform(0.2, 0.26)), rng.uniform(0.1, 0.5))
    dense = np.quantile(pixels[pixels.shape[0] // 2 :, 2 * pixels.shape[1] // 5 : 3 * pixels.shape[1] // 5], 0.7)
    shadow = _smooth(np.clip((1 - away) / 0.08, 0, 1)) * 0.85
    return np.where(pixels < dense, pixels + shadow * (dense - pixels), pixels)


def _line(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    """A catheter: a bright curve of even width between darker edges."""
    side = rng.choice([-1, 1])
    start = np.array([rng.uniform(0.1, 0.25), 0.5 + side * rng.uniform(0.05, 0.35)])
    end = np.array([rng.uniform(0.4, 0.75), 0.5 + rng.uniform(-0.2, 0.2)])
    bend = (start + end) / 2 + rng.uniform(-0.12, 0.12, 2)
    steps = np.linspace(0, 1, 600)[:, None]
    curve = (1 - steps) ** 2 * start + 2 * steps * (1 - steps) * bend + steps**2 * end
    off = np.ones(pixels.shape, bool)
    rows, columns = (curve * pixels.shape).astype(int).T
    off[rows, columns] = False
    away = np.asarray(ndimage.distance_transform_edt(off))
    width = rng.uniform(0.9, 1.5) * min(pixels.shape) / 320
    bright = np.clip(width + 0.7 - away, 0, 1) * rng.uniform(0.35, 0.55)
    dark = np.clip(1 - np.abs(away - width - 1.6), 0, 1) * 0.12
    return pixels + bright * (1.05 - pixels) - dark * pixels


def _marker(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    """A lead tag: a bright frame with a cross in it, unlike the letters and arrows of real radiographs."""
    rows, columns = _grid(pixels.shape)
    center = (rng.uniform(0.12, 0.88), 0.5 + rng.choice([-1, 1]) * rng.uniform(0.2, 0.36))
    half = rng.uniform(0.025, 0.04)
    down, right = (rows - center[0]) / half, (columns - center[1]) / half
    square = np.maximum(np.abs(down), np.abs(right))
    frame = (square < 1) & (square > 0.72)
    cross = (np.abs(np.abs(down) - np.abs(right)) < 0.22) & (square < 1)
    tag = ndimage.gaussian_filter((frame | cross).astype(np.float64), 0.5) * (square < 1.2)
    ground = (square < 1).astype(np.float64) * 0.5  # lead partly hides the tissue behind it
    return pixels * (1 - ground) + tag * (0.97 - pixels * (1 - ground))


def _smooth(values: Pixels) -> Pixels:
    return values * values * (3 - 2 * values)


DRAW: dict[str, Draw] = {
    "Opacity": _opacity,
    "Enlarged heart": _enlarged_heart,
    "Line": _line,
    "Marker": _marker,
}
SMALLEST = {"Opacity": 0.0025, "Enlarged heart": 0.02, "Line": 0.0015, "Marker": 0.0015}  # shares of the image
