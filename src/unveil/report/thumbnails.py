"""A small picture of a run: the model's input with the contours of all regions, for lists and for paper."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import UInt8
from scipy import ndimage

from unveil.images.png_encoding import encode_png
from unveil.images.preview import preview_shape, reduce_area
from unveil.records import Run, Verdict

SIDE_PX = 128  # along the longer side
# By verdict, as in the viewer; a dark line beside each keeps it visible on any image.
CONTOURS = {
    Verdict.SUPPORTED: (67, 197, 158),
    Verdict.WEAK: (232, 176, 74),
    Verdict.ARTIFACT: (240, 138, 93),
    None: (255, 255, 255),
}
EIGHT = np.ones((3, 3), bool)  # neighbors
KEPT_BITS = np.uint8(0b11111000)  # of a color: a picture of this size doesn't need more, and is a third smaller


def run_thumbnail(run: Run) -> bytes:
    """A PNG file of at most 128 x 128 pixels; of a volume, the slice with the largest part of the regions."""
    image = run.rounds[0].image if run.rounds else next(iter(run.final_images.values()))
    if image.ndim == 4:
        sizes = np.zeros(image.shape[1])
        for region in run.regions:
            sizes += region.model_mask.to_array().sum(axis=(1, 2))
        depth = int(np.argmax(sizes)) if run.regions else image.shape[1] // 2
        return encode_png(_drawn(image[:, depth], (region.model_mask.to_array()[depth] for region in run.regions), run))
    return encode_png(_drawn(image, (region.model_mask.to_array() for region in run.regions), run))


def _drawn(image: UInt8[np.ndarray, "c h w"], masks: Iterable[np.ndarray], run: Run) -> UInt8[np.ndarray, "a b 3"]:
    """The image, reduced, with the contour of each mask; one mask at a time is in memory."""
    shape = preview_shape(image.shape[1:], SIDE_PX)
    planes = image if len(image) == 3 else np.repeat(image[:1], 3, axis=0)
    small = np.stack([reduce_area(plane.astype(float), shape) for plane in planes], axis=-1)
    pixels = np.rint(small).astype(np.uint8) & KEPT_BITS
    for mask, verdict in zip(masks, run.verdicts, strict=True):
        inside = np.greater_equal(reduce_area(mask.astype(float), shape), 0.5)
        # Three pixels wide, so that a line is left when the picture is shown at a third of its size.
        core = ndimage.binary_erosion(inside, EIGHT, iterations=2)
        line = np.greater(ndimage.binary_dilation(inside, EIGHT), core)
        pixels[np.greater(ndimage.binary_dilation(line, EIGHT), line)] //= 3
        pixels[line] = CONTOURS[verdict]
    return pixels
