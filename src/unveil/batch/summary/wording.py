"""Places of an image, shares and counts in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unveil.batch.summary.concentration import ConcentratedPlace

CORNER, EDGE = 0.3, 0.17  # a center nearer to two edges than this share lies in a corner, to one of them at an edge


def place_words(box: tuple[float, float, float, float]) -> str:
    """Where a `box` lies in its image; it is given as top, left, bottom and right in shares of the image.

    Left and right are those of the picture, as it is shown.

    >>> place_words((0.0, 0.0, 0.1, 0.2)), place_words((0.4, 0.4, 0.6, 0.6)), place_words((0.9, 0.4, 1.0, 0.6))
    ('upper left corner', 'center', 'lower edge')
    """
    top, left, bottom, right = box
    if bottom - top > 0.75 and right - left > 0.75:
        return "most of the image"
    y, x = (top + bottom) / 2, (left + right) / 2
    vertical, horizontal = _third(y, "upper", "lower"), _third(x, "left", "right")
    if vertical and horizontal:
        in_corner = max(min(y, 1 - y), min(x, 1 - x)) < CORNER
        return f"{vertical} {horizontal}{' corner' if in_corner else ''}"
    if not vertical and not horizontal:
        return "center"
    near = min(y, 1 - y) if vertical else min(x, 1 - x)
    return f"{vertical or horizontal} {'edge' if near < EDGE else 'part'}"


def _third(center: float, low: str, high: str) -> str:
    return low if center < 1 / 3 else high if center > 2 / 3 else ""


def format_p(value: float) -> str:
    """A p value as it is written.

    >>> format_p(0.0312), format_p(0.0004), format_p(1e-12)
    ('p = .031', 'p < .001', 'p < .001')
    """
    return "p < .001" if value < 0.001 else f"p = {value:.2g}".replace("0.", ".", 1)


def in_percent(share: float) -> str:
    """A share in per cent; with a decimal below 1 %.

    >>> in_percent(0.834), in_percent(0.004), in_percent(0.00001), in_percent(0.0)
    ('83 %', '0.4 %', '< 0.1 %', '0 %')
    """
    if share <= 0 or share >= 0.01:
        return f"{100 * share:.0f} %"
    return f"{100 * share:.1f} %" if share >= 0.0005 else "< 0.1 %"


def format_count(count: int, noun: str) -> str:
    """A count with its noun.

    >>> format_count(1, "image"), format_count(1200, "image")
    ('1 image', '1,200 images')
    """
    return f"{count:,} {noun}{'s' * (count != 1)}"


def place_sentence(place: ConcentratedPlace) -> str:
    """What there is to say of a concentrated `place`, in one sentence."""
    sentence = (
        f"regions of {place.label} lie here in {in_percent(place.share)} of {format_count(place.images, 'image')}"
    )
    if place.others_share is None:
        return f"{sentence}; there are no other labels to compare with"
    return f"{sentence}, those of other labels in {in_percent(place.others_share)}"
