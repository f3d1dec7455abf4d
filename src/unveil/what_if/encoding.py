"""Drawings and answers as plain values, for JSON files and for programs; see docs/record-format.md."""

from typing import Any

from unveil.errors import RecordError
from unveil.store.tables import Table
from unveil.targets import TargetScore
from unveil.what_if.answer import LabelChange, WhatIf, WhatIfState
from unveil.what_if.drawing import Drawing, Point, Stroke, StrokeKind

DRAWING_FORMAT, WHAT_IF_FORMAT, VERSION = "unveil drawing", "unveil what-if", 1
CHANGE = "draw again, or compare: docs/record-format.md"
REPEAT = "repeat it: unveil what-if"


def encode_drawing(drawing: Drawing) -> dict:
    """The plain values of a drawing; a stroke has the keys that apply to its kind."""
    return {
        "format": DRAWING_FORMAT,
        "version": VERSION,
        "strokes": [_encode_stroke(stroke) for stroke in drawing.strokes],
    }


def decode_drawing(values: Any, file: str = "the drawing") -> Drawing:
    """The drawing of plain `values`; format and version may be missing.

    Raises `RecordError`, which names the `file`.
    """
    table = _checked_table(values, file, CHANGE)
    _check_header(table, DRAWING_FORMAT, required=False)
    return Drawing(tuple(_decode_stroke(stroke) for stroke in table.tables("strokes")))


def encode_what_if(what_if: WhatIf) -> dict:
    """The plain values of an answer, with what follows from them (`drop`, `sentence`, `notes`) for reading."""
    return {
        "format": WHAT_IF_FORMAT,
        "version": VERSION,
        "sentence": what_if.sentence,
        "notes": list(what_if.notes),
        "image_sha256": what_if.image_sha256,
        "classifier": what_if.classifier,
        "recipe": what_if.recipe,
        "seed": what_if.seed,
        "drawing": encode_drawing(what_if.drawing),
        "on": str(what_if.on),
        "track": what_if.track,
        "rounds": what_if.rounds,
        "area_px": what_if.area_px,
        "area_share": what_if.area_share,
        "outside_share": what_if.outside_share,
        "empty_strokes": list(what_if.empty_strokes),
        "target": what_if.target,
        "target_weights": [[index, weight] for index, weight in what_if.target_score.weights],
        "score_before": what_if.score_before,
        "score_after": what_if.score_after,
        "drop": what_if.drop,
        "is_tested": what_if.is_tested,
        "p_value": what_if.p_value,
        "placements": what_if.placements,
        "exceeding": what_if.exceeding,
        "labels": [{**vars(label), "change": label.change} for label in what_if.labels],
    }


def decode_what_if(values: Any, file: str = "the what-if") -> WhatIf:
    """The answer of plain `values`. Raises `RecordError`, which names the `file`."""
    table = _checked_table(values, file, REPEAT)
    _check_header(table, WHAT_IF_FORMAT, required=True)
    placements, exceeding, p_value = _decode_test(table)
    return WhatIf(
        drawing=decode_drawing(table.plain("drawing"), f"the drawing in {file}"),
        on=table.one_of("on", WhatIfState),
        track=table.text_or_none("track"),
        rounds=table.whole("rounds"),
        area_px=table.whole("area_px", 1),
        area_share=table.share("area_share"),
        outside_share=table.share("outside_share"),
        empty_strokes=table.wholes("empty_strokes", 1),
        labels=tuple(_decode_label(label) for label in table.tables("labels")),
        target_score=TargetScore(table.text("target"), _decode_weights(table)),
        score_before=table.number("score_before"),
        score_after=table.number("score_after"),
        placements=placements,
        exceeding=exceeding,
        p_value=p_value,
        image_sha256=table.text("image_sha256"),
        classifier=table.text("classifier"),
        recipe=_decode_recipe(table),
        seed=table.any_whole("seed"),
    )


def _checked_table(values: Any, file: str, do: str) -> Table:
    if type(values) is not dict:
        raise RecordError(f"{file} to hold a table", f"a {type(values).__name__}", do)
    return Table(values, "", file, do)


def _check_header(table: Table, name: str, *, required: bool) -> None:
    if (required or table.has("format")) and (found := table.text("format")) != name:
        raise RecordError(f"{table.file} of the format {name!r}", f"{found!r:.60}", "check the path")
    if (required or table.has("version")) and (version := table.whole("version", 1)) > VERSION:
        raise RecordError(
            f"{table.file} of version {VERSION} at most", f"version {version}", "update unveil to read it"
        )


def _encode_stroke(stroke: Stroke) -> dict:
    if stroke.region is not None:
        return {"kind": str(stroke.kind), "region": stroke.region}
    width = {} if stroke.width_px is None else {"width_px": stroke.width_px}
    return {"kind": str(stroke.kind), **width, "points": [list(point) for point in stroke.points]}


def _decode_stroke(table: Table) -> Stroke:
    return Stroke(
        table.one_of("kind", StrokeKind),
        _decode_points(table) if table.has("points") else (),
        table.number("width_px") if table.has("width_px") else None,
        table.text("region") if table.has("region") else None,
    )


def _decode_points(table: Table) -> tuple[Point, ...]:
    rows = table.rows("points")
    for number, row in enumerate(rows):
        if len(row) != 2:
            raise table.wrong(f"{table.at('points')}[{number}]", "a pair [y, x]", list(row))
    return tuple((y, x) for y, x in rows)


def _decode_recipe(table: Table) -> dict:
    table.table("recipe").plain("fill")
    return table.plain("recipe")


def _decode_label(table: Table) -> LabelChange:
    return LabelChange(
        table.whole("class_index"),
        table.text("name"),
        table.share("before"),
        table.share("after"),
        table.number("score_before"),
        table.number("score_after"),
    )


def _decode_weights(table: Table) -> tuple[tuple[int, float], ...]:
    rows = table.rows("target_weights")
    if not rows or not all(len(row) == 2 and row[0].is_integer() and row[0] >= 0 for row in rows):
        raise table.wrong("target_weights", "pairs of a class index and a weight", list(rows))
    return tuple((int(index), weight) for index, weight in rows)


def _decode_test(table: Table) -> tuple[int | None, int, float | None]:
    placements, exceeding = table.whole_or_none("placements"), table.whole("exceeding")
    p_value = table.number_or_none("p_value", 0, 1)
    if exceeding > (placements or 0):
        raise table.wrong("exceeding", f"at most the number of placements, {placements}", exceeding)
    if (p_value is None) != (not placements):
        raise table.wrong("p_value", "null if there is no placement, else a number", p_value)
    return placements, exceeding, p_value
