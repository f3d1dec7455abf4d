"""The figure of the experiment: cues, masks and accuracy of each arm."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unveil.render.dots import DotPanel, DotRow, draw_dots
from unveil.render.parts import write_figure

NAMES = {"base": "before", "none": "nothing erased", "random": "random places", "found": "found regions"}


def save_training_figure(summary: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw one row per arm of `summary`, with the values of the seeds in `rows`, into the file `path`.

    Raises `RecordError` without any arm.
    """

    def panel(title: str, name: str, note: str, limits: tuple[float, float], reference: str = "") -> DotPanel:
        dots = [
            DotRow(
                entry[name],
                entry[f"{name}_95"],
                [row[name] for row in rows if row["arm"] == entry["arm"] and row.get(name) is not None],
                entry.get(reference),
            )
            for entry in summary
        ]
        return DotPanel(title, dots, note, limits)

    panels = [
        panel("cues used", "cues_used", "of 3 in each scene; alone, they suffice", (0, 3)),
        panel("right without the strongest cue", "cues_robust", "share of recognized scenes", (0, 1)),
        panel("right", "accuracy", "share of plain scenes", (0, 1)),
        panel("the mask's label is predicted", "foreign_follows", "dotted: for moved masks", (0, 1), "foreign_moved"),
        panel("labels told from masks alone", "probe_accuracy", "dotted: by chance", (0, 1), "probe_chance"),
    ]
    seeds = max((entry["seeds"] for entry in summary), default=0)
    names = [NAMES.get(str(entry["arm"]), str(entry["arm"])) for entry in summary]
    write_figure(draw_dots(names, panels, f"Training on planted scenes, {seeds} seeds"), path)
