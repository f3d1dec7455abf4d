"""Detected boxes against annotated ones: boxes of a heat map, and how they overlap."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage

from unveil.datasets import LabeledBox
from unveil.evaluation.metrics.heat import stretch_map
from unveil.masks import Box, label_components

LEVELS = (60, 180)  # of 255 (Wang et al. 2017)


def boxes_of_map(saliency: Float[np.ndarray, "h w"], levels: Sequence[float] = LEVELS) -> tuple[Box, ...]:
    """The boxes that ChestX-ray8 (Wang et al. 2017) derives from a heat map.

    The map is stretched to [0, 255] and cut at every level separately. Each connected part above the level gets its box
    (pixels that touch at a corner are connected). Boxes of all levels count as detections, even if two levels give
    equal boxes. A map without evidence gives no boxes.
    """
    heat = stretch_map(saliency)
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

    IoBB divides by the *detected* box: it is 1 for a small box inside the truth, and small for a box that covers the
    whole image.
    """
    first = np.array([(*box.start, *box.stop) for box in detected], float).reshape(-1, 4)
    second = np.array([(box.y, box.x, box.y + box.height, box.x + box.width) for box in truth], float).reshape(-1, 4)
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas, others = _areas(first)[:, None], _areas(second)[None]
    return shared / (areas + others - shared), shared / areas


def _areas(corners: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n"]:
    return np.prod(corners[:, 2:] - corners[:, :2], axis=1)
