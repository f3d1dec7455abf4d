"""Formats of the figure beside a record."""

from enum import StrEnum


class FigureFormat(StrEnum):
    """File formats of figures; `none` draws none."""

    PNG = "png"
    SVG = "svg"
    PDF = "pdf"
    NONE = "none"
