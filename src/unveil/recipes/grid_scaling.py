"""Settings in px on small model grids: boxes, bands and blurs shrink with the grid."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

# Boxes of an odd size, so that they have a central pixel.
_ODD = ("SmoothedThreshold", "UnbiasedL2", "ShrunkL2")


def scale_px(settings: Any, factor: float) -> Any:
    """The same settings with every field whose name ends with `_px` multiplied by `factor`, at any depth.

    Whole numbers are rounded, to at least 1 px unless they are 0; the sizes of boxes to an odd number.

    >>> from unveil.regions import SmoothedThreshold
    >>> scale_px(SmoothedThreshold(size_px=11, band_px=8), 0.25).size_px
    3
    """
    if isinstance(settings, tuple):
        return tuple(scale_px(item, factor) for item in settings)
    if not is_dataclass(settings) or isinstance(settings, type):
        return settings
    odd = type(settings).__name__ in _ODD
    changed = {}
    for item in fields(settings):
        value = getattr(settings, item.name)
        if item.name.endswith("_px") and isinstance(value, int | float):
            changed[item.name] = _scaled(value, factor, odd=odd and item.name == "size_px")
        elif item.name.endswith("_px") and isinstance(value, tuple):
            changed[item.name] = tuple(_scaled(size, factor, odd=False) for size in value)
        else:
            changed[item.name] = scale_px(value, factor)
    same = all(changed[name] is getattr(settings, name) for name in changed)
    return settings if same else replace(settings, **changed)


def _scaled(value: float, factor: float, *, odd: bool) -> float:
    if isinstance(value, float):
        return value * factor
    if odd:
        return 1 + 2 * max(0, round((value * factor - 1) / 2))
    return max(1, round(value * factor)) if value else 0
