"""The tables that `unveil benchmark paper` prints."""

from rich.table import Table

from unveil.cli.texts import as_text
from unveil.evaluation.formatting import format_interval, format_number, format_share
from unveil.evaluation.paper.report import SHORT_CRITERIA


def paper_tables(results: dict) -> list[Table]:
    """The rounds, and the boxes where there are any, for the terminal."""
    rounds = _new_table(
        "round", "runs", "drop", "probability", "first label kept", "appeared", "vanished", "rims", "erased"
    )
    changes = results["changes"]["by_round"]
    for place, row in enumerate(results["summary"]["rounds"]):
        rounds.add_row(
            str(row["round"]),
            str(row["runs"]),
            format_number(row["drop"]),
            format_number(row["probability_drop"]),
            format_share(row["kept_first"]),
            str(changes["appeared"][place] + changes["returned"][place]),
            str(changes["vanished"][place]),
            format_share(row["rims"]),
            format_share(row["coverage"]),
        )
    shown = [rounds]
    for scope in ("own", "any"):
        if results["boxes"] and results["boxes"][scope]["boxes"]:
            shown.append(_box_table(results["boxes"][scope], scope))
    return shown


def _box_table(boxes: dict, scope: str) -> Table:
    what = "their label" if scope == "own" else "any label"
    table = _new_table(f"{boxes['boxes']} boxes, {what}", "round 1", "others", "last", "others", "chance")
    for name, text in SHORT_CRITERIA.items():
        first, last = boxes[name][0], boxes[name][-1]
        end = format_share(last["share"]) + as_text(format_interval(last["share_95"], percent=True))
        table.add_row(
            text,
            format_share(first["share"]),
            format_share(first["others"]),
            end,
            format_share(last["others"]),
            format_share(last["chance"]),
        )
    return table


def _new_table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, justify="right" if first == "round" else "left")
    for name in others:
        table.add_column(name, justify="right")
    return table
