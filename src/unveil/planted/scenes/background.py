"""Backgrounds of scenes: a forest floor of colored 1/f noise, stains, blades of grass and slanting light."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float

# Three colors of a ground, from its shade to its light: (dark, middle, bright).
GROUNDS: tuple[tuple[tuple[float, float, float], ...], ...] = (
    ((0.16, 0.13, 0.09), (0.40, 0.31, 0.20), (0.66, 0.55, 0.38)),  # leaf litter
    ((0.10, 0.16, 0.08), (0.29, 0.37, 0.18), (0.56, 0.60, 0.34)),  # moss
    ((0.36, 0.29, 0.21), (0.62, 0.53, 0.40), (0.82, 0.75, 0.61)),  # sand
    ((0.17, 0.20, 0.24), (0.38, 0.42, 0.45), (0.64, 0.67, 0.66)),  # slate
    ((0.20, 0.13, 0.16), (0.43, 0.33, 0.35), (0.68, 0.57, 0.54)),  # heath
    ((0.11, 0.17, 0.18), (0.30, 0.40, 0.37), (0.60, 0.66, 0.56)),  # lichen
)


def draw_background(rng: np.random.Generator, side: int, clutter: float) -> Float[np.ndarray, "3 h w"]:
    """One ground, unlit, in [0, 1]; `clutter` in [0, 1] scales the fine texture and the number of blades."""
    relief = _noise(rng, side, 1.5)
    tone = np.clip(0.5 + 0.19 * relief + 0.11 * clutter * _noise(rng, side, 0.9), 0, 1)
    ground = np.asarray(GROUNDS[rng.integers(len(GROUNDS))], np.float32)
    dark, middle, bright = ground[:, :, None, None]
    pixels = (
        middle + np.maximum(tone - 0.5, 0) * (2 * (bright - middle)) - np.maximum(0.5 - tone, 0) * (2 * (middle - dark))
    )
    pixels += _drift(rng, side)
    _stain(pixels, rng)
    _grass(pixels, rng, ground, int(rng.integers(6, 22) * clutter))
    return np.clip(pixels, 0, 1).astype(np.float32)


def draw_light(rng: np.random.Generator, side: int) -> Float[np.ndarray, "h w"]:
    """Factor of light on every pixel: a slope in a random direction and dapples, about 0.75 to 1.25."""
    y, x = _grid(side)
    angle = rng.uniform(0, 2 * np.pi)
    slope = (x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(0.05, 0.16)
    return np.clip(1 + slope + 0.06 * _noise(rng, side, 2.2), 0.7, 1.3).astype(np.float32)


@lru_cache(maxsize=32)
def _spectrum(side: int, exponent: float) -> Float[np.ndarray, "h half"]:
    """Amplitude f^−exponent, 0 at frequency 0."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = np.inf
    return frequency.astype(np.float32) ** -exponent


def _noise(rng: np.random.Generator, side: int, exponent: float) -> Float[np.ndarray, "h w"]:
    """Noise with power ∝ f^(−2·exponent), mean 0 and variance 1."""
    amplitude = _spectrum(side, exponent)
    waves = rng.standard_normal((2, *amplitude.shape), np.float32)
    field = np.fft.irfft2((waves[0] + 1j * waves[1]) * amplitude, (side, side)).astype(np.float32)
    return field * np.float32(1 / np.sqrt(np.mean(np.square(field))))


@lru_cache(maxsize=4)
def _grid(side: int) -> tuple[Float[np.ndarray, "h 1"], Float[np.ndarray, "1 w"]]:
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    return axis[:, None], axis[None]


def _drift(rng: np.random.Generator, side: int) -> Float[np.ndarray, "3 h w"]:
    """Slow changes of hue: one color direction without brightness, along a smooth field."""
    direction = rng.standard_normal(3)
    direction -= direction.mean()
    direction *= 0.03 / (np.linalg.norm(direction) + 1e-6)
    return direction.astype(np.float32)[:, None, None] * _noise(rng, side, 1.8)


def _stain(pixels: Float[np.ndarray, "3 h w"], rng: np.random.Generator) -> None:
    """Soft blobs, darker or paler: objects out of focus, and shadows."""
    side = pixels.shape[-1]
    y, x = _grid(side)
    mean = pixels.mean((1, 2))
    for _ in range(rng.integers(3, 8)):
        row, column, angle = rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(0, np.pi)
        long, short, strength = rng.uniform(0.2, 0.5), rng.uniform(0.1, 0.25), rng.uniform(0.25, 0.6)
        near_y, near_x = slice(*_span(row, long, side)), slice(*_span(column, long, side))
        along = (x[:, near_x] - column) * np.cos(angle) + (y[near_y] - row) * np.sin(angle)
        across = (y[near_y] - row) * np.cos(angle) - (x[:, near_x] - column) * np.sin(angle)
        depth = np.clip(1 - (along / long) ** 2 - (across / short) ** 2, 0, 0.6) / 0.6
        weight = np.float32(strength) * (depth * depth * (3 - 2 * depth)).astype(np.float32)
        color = mean * rng.uniform(0.55, 1.45) + rng.uniform(-0.05, 0.05, 3)
        patch = pixels[:, near_y, near_x]
        patch += weight * (color[:, None, None].astype(np.float32) - patch)


def _grass(pixels: Float[np.ndarray, "3 h w"], rng: np.random.Generator, ground: np.ndarray, count: int) -> None:
    """Curved blades and needles, mostly in one direction: across = bend·along², thinner towards the ends."""
    side = pixels.shape[-1]
    y, x = _grid(side)
    wind = rng.uniform(0, np.pi)
    for _ in range(count):
        row, column, angle = rng.uniform(-1, 1), rng.uniform(-1, 1), wind + rng.normal(0, 0.5)
        length, width, bend = rng.uniform(0.12, 0.42), rng.uniform(0.6, 1.5) * 2 / side, rng.normal(0, 0.5)
        color = ground[rng.integers(3)] * rng.uniform(0.75, 1.3) + rng.uniform(-0.04, 0.06, 3)
        near_y = slice(*_span(row, length * 1.1, side))
        near_x = slice(*_span(column, length * 1.1, side))
        dx, dy = x[:, near_x] - column, y[near_y] - row
        along = dx * np.cos(angle) + dy * np.sin(angle)
        across = dy * np.cos(angle) - dx * np.sin(angle) - bend * along**2
        half = width * np.clip(1 - (along / length) ** 2, -1, 1)
        weight = np.clip((half - np.abs(across)) * side / 2 + 0.5, 0, 0.85).astype(np.float32)
        patch = pixels[:, near_y, near_x]
        patch += weight * (color[:, None, None].astype(np.float32) - patch)


def _span(center: float, reach: float, side: int) -> tuple[int, int]:
    """Pixel range of center ± reach, both in [−1, 1]."""
    low, high = ((center + sign * reach + 1) / 2 * (side - 1) for sign in (-1, 1))
    return max(0, int(low)), min(side, int(high) + 2)
