"""Detected boxes against annotated ones: boxes of a heat map, and how they overlap."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage

from unveil.datasets import LabeledBox
from unveil.evaluation.metrics.heat import stretched
from unveil.masks import Box, label_components

LEVELS = (60, 180)  # of 255 (Wang et al. 2017)


def boxes_of_map(saliency: Float[np.ndarray, "h w"], levels: Sequence[float] = LEVELS) -> tuple[Box, ...]:
    """The boxes that ChestX-ray8 (Wang et al. 2017) makes of a heat map.

    The map is stretched to [0, 255] and cut at every level by itself; each isolated region of what is larger than the
    level gets its box (pixels that touch at a corner are connected). Boxes of all levels are detections alike, also
    where two levels give the same one. A map without evidence gives none.
    """
    heat = stretched(saliency)
    if heat is None:
        return ()
    return tuple(box for level in levels for box in part_boxes(label_components(255 * heat > level)[0]))


def part_boxes(numbers: Int[np.ndarray, "h w"]) -> list[Box]:
    """The box of every part, as `label_components` numbers them."""
    return [
        Box(tuple(side.start for side in sides), tuple(side.stop for side in sides))
        for sides in ndimage.find_objects(numbers)
    ]


def iou_and_iobb(
    detected: Sequence[Box], truth: Sequence[LabeledBox]
) -> tuple[Float[np.ndarray, "detected truth"], Float[np.ndarray, "detected truth"]]:
    """IoU = |D ∩ B| / |D ∪ B| and IoBB = |D ∩ B| / |D|, D a detected and B an annotated box; areas in px².

    IoBB divides by the *detected* box: a small box within the truth is wholly right, and one that covers the image
    isn't.
    """
    first = np.array([(*one.start, *one.stop) for one in detected], float).reshape(-1, 4)
    second = np.array([(one.y, one.x, one.y + one.height, one.x + one.width) for one in truth], float).reshape(-1, 4)
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas, others = _areas(first)[:, None], _areas(second)[None]
    return shared / (areas + others - shared), shared / areas


def _areas(corners: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n"]:
    return np.prod(corners[:, 2:] - corners[:, :2], axis=1)
