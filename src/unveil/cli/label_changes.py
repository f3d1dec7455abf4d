"""The answer to a what-if for people: one sentence, its facts, and the labels that changed."""

import math
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.table import Table

from unveil.cli.tables import TableColumn, fit_table
from unveil.cli.texts import as_text

if TYPE_CHECKING:
    from unveil.what_if import LabelChange, WhatIf

LEAST_CHANGE, MOST_LINES = 0.001, 10  # change in probability from which a label has a line, and lines at most
BAR_CHARS = 24
# Columns of the table, each with the order of `TableColumn`.
ORDERS = {"label": 0, "before": 0, "after": 0, "change": 1, "": 3, "score before": 2, "score after": 2}


def print_what_if(what_if: "WhatIf", name: str, console: Console) -> None:
    """Print the answer for the image `name`."""
    console.print(f"[bold]{as_text(name)}[/]: {as_text(what_if.sentence)}", highlight=False)
    console.print(f"[dim]{as_text(_facts(what_if))}[/]", highlight=False)
    for note in what_if.notes:
        console.print(f"[yellow]note[/] {as_text(note)}", highlight=False)
    console.print("", change_table(what_if, console.width), highlight=False)


def describe_difference(recorded: "WhatIf", answer: "WhatIf") -> str:
    """Whether an answer is the recorded one, in one line with Rich's markup: it names what differs."""
    names = {
        "image_sha256": "the image",
        "classifier": "the classifier",
        "fill": "the fill",
        "seed": "the seed",
        "on": "what it is erased from",
        "rounds": "the number of rounds",
        "area_px": "the number of pixels",
    }
    other = [words for key, words in names.items() if getattr(recorded, key) != getattr(answer, key)]
    if other:
        return f"[yellow]not the recorded question[/]: {', '.join(other)} differ{'s' * (len(other) == 1)}"
    # Another processor rounds in another way.
    same = math.isclose(recorded.drop, answer.drop, rel_tol=1e-3, abs_tol=1e-3)
    tested = recorded.is_tested and answer.is_tested
    if same and (not tested or recorded.p_value == answer.p_value):
        return "[green]the same as recorded[/]"
    recorded_p = "" if recorded.p_value is None else f", p = {recorded.p_value:.3f}"
    return f"[yellow]differs from what was recorded[/]: drop {recorded.drop:+.2f}{recorded_p}"


def change_table(what_if: "WhatIf", width: int) -> Table | Group:
    """The labels that changed, the largest change first, in a table of at most `width` characters."""
    own = {index for index, _ in what_if.target_score.weights}
    moved = [one for one in what_if.labels if abs(one.change) >= LEAST_CHANGE or one.class_index in own]
    rows = [_cells(one) for one in moved[:MOST_LINES]]
    cells = zip(*rows, strict=True) if rows else [()] * len(ORDERS)
    columns = [
        TableColumn(name, column, order, is_text=name in ("label", ""))
        for (name, order), column in zip(ORDERS.items(), cells, strict=True)
    ]
    return fit_table(columns, width)


def _facts(what_if: "WhatIf") -> str:
    kind = what_if.fill.get("kind", "")
    inner = what_if.fill.get("fill")
    fill = f"{kind} of {inner['kind']}" if isinstance(inner, dict) and "kind" in inner else kind
    after = "the original" if what_if.on == "original" else f"what {what_if.rounds} rounds left"
    return (
        f"{what_if.area_px:,} px of the model's grid ({what_if.area_share:.1%}) erased from {after}, filled by {fill}"
    )


def _cells(label: "LabelChange") -> tuple[str, ...]:
    color = "yellow" if label.change < 0 else "green"
    change = f"[{color}]{label.change * 100:+.1f}[/]" if abs(label.change) >= LEAST_CHANGE else "0.0"
    return (
        as_text(label.name),
        f"{label.before:.1%}",
        f"{label.after:.1%}",
        change,
        _bar(label, color),
        f"{label.score_before:.2f}",
        f"{label.score_after:.2f}",
    )


def _bar(label: "LabelChange", color: str) -> str:
    """What stays of the probability, and what was lost or won."""
    kept, most = (round(BAR_CHARS * value) for value in sorted((label.before, label.after)))
    return f"[dim]{'━' * kept}[/][{color}]{('╌' if label.change < 0 else '━') * (most - kept)}[/]"
