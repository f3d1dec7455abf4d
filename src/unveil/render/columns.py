"""The columns of a run's figure: one per round, and one for what is left."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from unveil.predictions import Prediction
from unveil.records import Round, Run
from unveil.render.marks import MarkedRegion, mark_rounds


@dataclass(frozen=True, eq=False)
class FigureColumn:
    """One column: an image with its prediction, and the round that explains it (none in the last column).

    `appeared` and `disappeared`: the labels that the round before it changed. `marked`: the round's regions.
    """

    title: str
    image: UInt8[np.ndarray, "c *grid"]
    prediction: Prediction
    round: Round | None
    appeared: tuple[str, ...]
    disappeared: tuple[str, ...]
    marked: tuple[MarkedRegion, ...] = ()


def make_columns(run: Run, track: str | None) -> list[FigureColumn]:
    """One column per round of a track, and one for what is left."""
    columns: list[FigureColumn] = []
    last: Round | None = None
    for round_, marked in zip(run.of_track(track), mark_rounds(run, track), strict=True):
        changes = (run.appeared(last), run.disappeared(last)) if last else ((), ())
        columns.append(FigureColumn(f"round {round_.index}", round_.image, round_.before, round_, *changes, marked))
        last = round_
    changes = (run.appeared(last), run.disappeared(last)) if last else ((), ())
    title, left = ("after", last.after) if last else ("image", run.first)
    return [*columns, FigureColumn(title, run.final_images[track], left, None, *changes)]
