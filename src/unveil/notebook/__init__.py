"""Runs in notebooks: an interactive viewer with a picture beside it, or a page that needs no kernel.

A run that ends a cell shows itself; `Run.show` has the options.
"""

from unveil.notebook.output import display_run, show_run
from unveil.notebook.page import RunPage

__all__ = ["RunPage", "display_run", "show_run"]
