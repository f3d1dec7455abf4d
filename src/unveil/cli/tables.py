"""Tables that fit into the terminal: headers wrap between words, and the least important columns are left out."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

WRAPPED_CHARS = 12  # a column of texts may become this narrow


@dataclass(frozen=True)
class TableColumn:
    """One column: its header, its cells (with Rich's markup), and how it gives way in a narrow terminal.

    Attributes:
        name: The header; it wraps between words, never inside one.
        cells: One text per row; lines of a cell are separated by newlines.
        order: 0 for a column that is always shown; of the others, the largest is left out first.
        is_text: Whether cells are aligned to the left and may wrap.
    """

    name: str
    cells: Sequence[str]
    order: int = 0
    is_text: bool = False

    @property
    def full_width(self) -> int:
        """Characters that the column needs without any wrapping."""
        return max(cell_len(self.name), self._cell_width)

    @property
    def least_width(self) -> int:
        """Characters that the column needs when its header, and its cells if they are texts, wrap."""
        word = max(map(cell_len, self.name.split()), default=0)
        return max(word, min(self._cell_width, WRAPPED_CHARS) if self.is_text else self._cell_width)

    @property
    def _cell_width(self) -> int:
        lines = (line for cell in self.cells for line in Text.from_markup(cell).plain.split("\n"))
        return max(map(cell_len, lines), default=0)


def fit_table(columns: Sequence[TableColumn], width: int, title: str | None = None) -> Table | Group:
    """A table of at most `width` characters, with a line below it that names the columns that were left out.

    Columns are two characters apart, or one where that lets all of them fit. Columns of order 0 are never left out, so
    a terminal that is too narrow for them alone breaks their lines.
    """
    shown, gap = _choose(columns, width)
    table = Table(
        title=title,
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, gap, 0, 0),
        header_style="bold",
    )
    for column, column_width in zip(shown, _widths(shown, width, gap), strict=True):
        justify = "left" if column.is_text else "right"
        table.add_column(column.name, justify=justify, width=column_width, overflow="fold")
    for row in zip(*(column.cells for column in shown), strict=True):
        table.add_row(*row)
    left_out = [column.name for column in columns if column not in shown]
    if not left_out:
        return table
    return Group(table, Text(f"left out at {width} columns: {', '.join(left_out)}", style="dim"))


def _choose(columns: Sequence[TableColumn], width: int) -> tuple[list[TableColumn], int]:
    """The columns that fit, and the gap between them."""
    shown = list(columns)
    while True:
        for gap in (2, 1):
            if sum(column.least_width for column in shown) + gap * (len(shown) - 1) <= width:
                return shown, gap
        last = max(shown, key=lambda column: column.order, default=None)
        if last is None or last.order == 0:
            return shown, 1
        shown.remove(last)


def _widths(columns: Sequence[TableColumn], width: int, gap: int) -> list[int]:
    """The least widths, and what is left of the terminal's width for texts first and then for headers."""
    widths = [column.least_width for column in columns]
    spare = width - sum(widths) - gap * (len(columns) - 1)
    for index in sorted(range(len(columns)), key=lambda index: not columns[index].is_text):
        more = min(max(spare, 0), columns[index].full_width - widths[index])
        widths[index] += more
        spare -= more
    return widths
