"""Figures, drawn from records alone. matplotlib is imported only in this package."""

# First, because this import of matplotlib works whatever backend the environment names.
from unveil.render.style import figure_style

# isort: split
from unveil.render.figure import draw_run
from unveil.render.grid import draw_grid
from unveil.render.maximized import draw_maximized, write_image
from unveil.render.parts import figure_as_png, write_figure
from unveil.render.sheet import draw_sheet

__all__ = [
    "draw_grid",
    "draw_maximized",
    "draw_run",
    "draw_sheet",
    "figure_as_png",
    "figure_style",
    "write_figure",
    "write_image",
]
