"""Runs as rows of a flat table: one row per region, and one per round that found none."""

from collections.abc import Iterator

from unveil.masks import Box
from unveil.records import LabelCard, Region, Round, Run, TargetMap
from unveil.view import region_ids, region_suspicion

Value = str | int | float | None

# Every column with the type of its values; any of them may be missing in a row.
COLUMNS: dict[str, type] = {
    "run": str,
    "image": str,
    "sha256": str,
    "model": str,
    "track": str,
    "round": int,
    "number": int,
    "id": str,
    "target": str,
    "other_label": str,
    "verdict": str,
    "reason": str,
    "q_value": float,
    "suspicion": float,
    "drop": float,
    "probability_before": float,
    "probability_after": float,
    "score_before": float,
    "score_after": float,
    "area_px": int,
    "area_mm2": float,
    "volume_mm3": float,
    "box_start_d": int,
    "box_start_y": int,
    "box_start_x": int,
    "box_stop_d": int,
    "box_stop_y": int,
    "box_stop_x": int,
    "stability": float,
    "revealed": float,
    "rim_share": float,
    "box_gain": float,
    "label": str,
    "label_verdict": str,
    "label_reason": str,
    "necessity": float,
    "sufficiency": float,
    "fill_agreement": float,
    "boundary_share": float,
    "shapley_value": float,
    "no_region": str,
    "coverage": float,
    "appeared": str,
    "disappeared": str,
    "stop": str,
}
CARD_COLUMNS = ("q_value", "necessity", "sufficiency", "fill_agreement", "boundary_share", "shapley_value")
MEASURES = (
    *("drop", "probability_before", "probability_after", "score_before", "score_after", "area_px", "area_mm2"),
    *("volume_mm3", "stability", "revealed", "rim_share", "box_gain"),
)


def run_rows(run: Run, name: str | None = None) -> list[dict[str, Value]]:
    """The rows of a run, each with all keys of `COLUMNS`; None where there is no value.

    There is one row per region, numbered from 1 as in the other tables, and in each round one row per target that gave
    no region, with the reason as `no_region`. A run without any round has one row.

    Args:
        run: The run.
        name: The value of the column `run`, such as the folder of the record.
    """
    head = {"run": name, "image": run.source.name, "sha256": run.source.sha256, "model": run.classifier.name}
    rows = list(_rows(run))
    if not rows:
        rows = [{"stop": "; ".join(reason.text for reason in run.stops.values())}]
    return [dict.fromkeys(COLUMNS) | head | row for row in rows]


def _rows(run: Run) -> Iterator[dict[str, Value]]:
    labels = {card.class_index: card for card in run.labels}
    ids = iter(region_ids(run))
    number = 0
    for round_ in run.rounds:
        shared = _shared(run, round_)
        for region in round_.regions:
            number += 1
            place = {"number": number, "id": next(ids)}
            card = _card(run, number - 1, region)
            yield {**shared, **place, **_measures(region), **card, **_label(labels, region)}
        for one in round_.maps:
            if one.reason is not None:
                yield {**shared, **_empty(one)}


def _shared(run: Run, round_: Round) -> dict[str, Value]:
    return {
        "track": round_.track,
        "round": round_.index,
        "coverage": float(round_.coverage),
        "appeared": "; ".join(run.appeared(round_)),
        "disappeared": "; ".join(run.disappeared(round_)),
        "stop": run.stops[round_.track].text if round_.track in run.stops else None,
    }


def _measures(region: Region) -> dict[str, Value]:
    other = region.other_label
    values = {name: getattr(region, name) for name in MEASURES}
    return {
        "target": region.target,
        "other_label": None if other is None else other.name,
        **{name: None if value is None else COLUMNS[name](value) for name, value in values.items()},
        **_box(region.box),
    }


def _box(box: Box | None) -> dict[str, Value]:
    if box is None:
        return {}
    axes = "dyx"[-len(box.start) :]
    starts: dict[str, Value] = {f"box_start_{axis}": int(value) for axis, value in zip(axes, box.start, strict=True)}
    return starts | {f"box_stop_{axis}": int(value) for axis, value in zip(axes, box.stop, strict=True)}


def _card(run: Run, place: int, region: Region) -> dict[str, Value]:
    if run.trust is None:
        return {"suspicion": region_suspicion(region.drop, None)}
    card = run.trust.cards[place]
    values = {name: getattr(card, name) for name in CARD_COLUMNS}
    return {
        "verdict": str(card.verdict),
        "reason": card.reason,
        "suspicion": region_suspicion(region.drop, card.verdict),
        **{name: None if value is None else float(value) for name, value in values.items()},
    }


def _label(labels: dict[int, LabelCard], region: Region) -> dict[str, Value]:
    """The label that the region belongs to, with what became of it."""
    card = None if region.label_index is None else labels.get(region.label_index)
    if card is None:
        return {}
    return {"label": card.name, "label_verdict": str(card.verdict), "label_reason": card.reason}


def _empty(one: TargetMap) -> dict[str, Value]:
    return {"target": one.target, "no_region": one.reason}
