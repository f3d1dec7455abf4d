"""The tables that `unveil benchmark paper` prints."""

from collections.abc import Iterable, Sequence

from rich.console import Group
from rich.table import Table

from unveil.cli.tables import TableColumn, fit_table
from unveil.cli.texts import as_text
from unveil.evaluation.formatting import format_interval, format_number, format_share
from unveil.evaluation.paper.report import SHORT_CRITERIA


def paper_tables(results: dict, width: int) -> list[Table | Group]:
    """The rounds, and the boxes where there are any, in tables of at most `width` characters."""
    changes = results["changes"]["by_round"]
    rows = [
        (
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
        for place, row in enumerate(results["summary"]["rounds"])
    ]
    names = ("round", "runs", "drop", "probability drop", "top class kept")
    names = (*names, "labels appeared", "labels disappeared", "rims", "coverage")
    tables = [_fit(zip(names, (0, 0, 0, 2, 1, 0, 0, 0, 3), strict=True), rows, width)]
    for scope in ("own", "any"):
        if results["boxes"] and results["boxes"][scope]["boxes"]:
            tables.append(_box_table(results["boxes"][scope], scope, width))
    return tables


def _box_table(boxes: dict, scope: str, width: int) -> Table | Group:
    labels = "their label" if scope == "own" else "any label"
    rows = []
    for name, text in SHORT_CRITERIA.items():
        first, last = boxes[name][0], boxes[name][-1]
        end = format_share(last["share"]) + as_text(format_interval(last["share_95"], percent=True))
        rows.append(
            (
                text,
                format_share(first["share"]),
                format_share(first["others"]),
                end,
                format_share(last["others"]),
                format_share(last["chance"]),
            )
        )
    names = (f"{boxes['boxes']} boxes, {labels}", "round 1", "other images", "last round", "other images", "chance")
    return _fit(zip(names, (0, 0, 2, 0, 0, 1), strict=True), rows, width)


def _fit(names: Iterable[tuple[str, int]], rows: Sequence[Sequence[str]], width: int) -> Table | Group:
    cells = list(zip(*rows, strict=True)) or [()] * 9
    columns = [
        TableColumn(name, column, order, is_text="boxes" in name)
        for (name, order), column in zip(names, cells, strict=True)
    ]
    return fit_table(columns, width)
