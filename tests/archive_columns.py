"""Archives as arrays, for the tests of summaries: regions as squares in places that a test chooses."""

import numpy as np

from unveil.batch.places import PLACES_SIDE
from unveil.batch.summary.columns import ArchiveColumns, ImageColumns, ImageLabels, RegionColumns


def bits_of(cells: np.ndarray) -> np.ndarray:
    """Cells of 32 x 32 places as bits; any number of leading axes."""
    return np.packbits(cells.reshape(*cells.shape[:-2], PLACES_SIDE * PLACES_SIDE), axis=-1, bitorder="little")


def square(top: int, left: int, side: int = 4) -> np.ndarray:
    """The places of a square, around the edges."""
    cells = np.zeros((PLACES_SIDE, PLACES_SIDE), bool)
    cells[:side, :side] = True
    return np.roll(cells, (top, left), (0, 1))


def pairs(*values: tuple[int, int]) -> ImageLabels:
    """Pairs of a row and a label."""
    table = np.array(values, int).reshape(-1, 2)
    return ImageLabels(table[:, 0], table[:, 1])


def regions_of(*values: dict) -> RegionColumns:
    """Regions with the given values; others are those of a supported region of image 0 and label 0, in round 1."""
    usual = {"image": 0, "label": 0, "round": 1, "verdict": 0, "drop": 1.0, "suspicion": 0.5, "cells": square(0, 0)}
    rows = [{**usual, **value} for value in values]
    cells = np.array([row.pop("cells") for row in rows], bool).reshape(-1, PLACES_SIDE, PLACES_SIDE)
    columns = {name: np.array([row[name] for row in rows], type(usual[name])) for name in usual if name != "cells"}
    return RegionColumns(**columns, places=bits_of(cells))


def archive(
    labels: tuple[str, ...],
    images: int,
    regions: RegionColumns,
    **values,
) -> ArchiveColumns:
    """An archive of so many images, none of which failed, without groups or true labels."""
    names = np.array([f"{number:04}.png" for number in range(images)], object)
    columns = ImageColumns(
        index=np.arange(images),
        samples=names,
        error_kinds=values.pop("error_kinds", np.full(images, "", object)),
        groups=values.pop("groups", np.full(images, -1)),
    )
    usual = {"predicted": pairs(), "later": pairs(), "true": None}
    return ArchiveColumns(labels, columns, regions, **{**usual, **values})


def random_regions(images: int, labels: int, rng: np.random.Generator, side: int = 6) -> RegionColumns:
    """One or two squares per image and label, uniformly anywhere around the edges."""
    tops, lefts = rng.integers(PLACES_SIDE, size=(2, images, labels, 2))
    cells = np.zeros((images, labels, 2, PLACES_SIDE, PLACES_SIDE), bool)
    steps = np.arange(side)
    number = np.indices((images, labels, 2))
    for y in steps:
        for x in steps:
            cells[(*number, (tops + y) % PLACES_SIDE, (lefts + x) % PLACES_SIDE)] = True
    image, label, _ = (part.ravel() for part in number)
    keep = (number[2].ravel() == 0) | (rng.random(image.size) < 0.5)
    count = int(keep.sum())
    return RegionColumns(
        image=image[keep],
        label=label[keep],
        round=1 + number[2].ravel()[keep],
        verdict=rng.integers(-1, 3, count),
        drop=rng.normal(2, 1, count),
        suspicion=rng.random(count) * 3,
        places=bits_of(cells).reshape(-1, 128)[keep],
    )
