"""`unveil agreement`: how far the verdicts of runs agree with the people who judged them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.table import Table

from unveil.atomic import check_file, written_result
from unveil.cli import options
from unveil.cli.console import console, result_console, write_json
from unveil.cli.records import RecordReader, RunPaths
from unveil.cli.tables import TableColumn, fit_table
from unveil.cli.texts import as_text
from unveil.cli.trust import STYLES
from unveil.errors import UnveilError

if TYPE_CHECKING:
    from unveil.records import Run
    from unveil.review import Agreement, AgreementTable, Review

GROUPS = {"all": "all judgments", "blind": "blind (verdict hidden)", "seen": "with the verdict in view"}


def agreement(
    paths: RunPaths,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Also write one row per judged region; the file is written at once and complete.",
            show_default="not written",
            rich_help_panel=options.RESULTS,
        ),
    ] = None,
    seed: Annotated[int, options.seed_option("the interval")] = 0,
    as_json: options.AsJson = False,
) -> None:
    """Compare the verdicts of finished runs with the judgments of people, which lie beside the records.

    Counts every verdict against every answer, and prints Cohen's kappa of supported or artifact against accept or
    reject, with its 95 % interval over runs; blind judgments also apart. The review of the record runs/dog is in
    runs/dog.review.json.

    Example: unveil agreement runs --table judgments.csv
    """
    from unveil.review import compute_agreement, judgment_rows, write_judgments  # noqa: PLC0415
    from unveil.seeding import check_seed  # noqa: PLC0415 (torch)

    check_seed(seed)
    if table is not None:
        check_file(table)
    reviewed = _Reviewed(paths)
    rows: list[dict] = []

    def pairs() -> "Iterator[tuple[Run, Review]]":
        for folder, run, review in reviewed:
            rows.extend(judgment_rows(run, review, str(folder)))
            yield run, review

    result = compute_agreement(pairs(), seed)
    if table is not None:
        with written_result(table) as part, part.open("w", encoding="utf-8", newline="") as file:
            count = write_judgments(rows, file)
        line = f"{count:,} judged region{'s' * (count != 1)} → {as_text(str(table))}"
        console.print(line, soft_wrap=True, highlight=False)
    if as_json:
        write_json({**result.as_dict(), "unreviewed": reviewed.unreviewed})
    else:
        _print(result, reviewed.unreviewed, result_console())
    reviewed.records.finish()


class _Reviewed:
    """Runs with their reviews; runs without one are counted as `unreviewed`, and what can't be read is an error."""

    def __init__(self, paths: list[Path]) -> None:
        self.records, self.unreviewed = RecordReader(paths), 0

    def __iter__(self) -> "Iterator[tuple[Path, Run, Review]]":
        from unveil.review import load_review  # noqa: PLC0415

        for folder, run in self.records:
            try:
                review = load_review(folder)
            except UnveilError as error:
                self.records.leave_out(folder, error)
                continue
            if review is None:
                self.unreviewed += 1
            else:
                yield folder, run, review


def _print(result: "Agreement", unreviewed: int, printer: Console) -> None:
    judged, runs = result.all.judged, result.runs
    line = f"{judged:,} of {result.regions:,} regions judged in {runs:,} run{'s' * (runs != 1)}"
    more = f"; {unreviewed:,} more run{'s' * (unreviewed != 1)} without a review" if unreviewed else ""
    printer.print(f"{line}{more}", highlight=False)
    if not judged:
        return
    printer.print("", _counts(result.all, printer.width), "", _kappas(result, printer.width), highlight=False)
    if not result.blind.judged:
        note = "no judgment was blind: verdicts in view may have swayed the answers"
        printer.print("", f"[yellow]note[/] {note}", highlight=False)


def _counts(table: "AgreementTable", width: int) -> Table | Group:
    """Verdicts against answers; the cells that agree are green, those that contradict each other red."""
    from unveil.review.agreement import ANSWERS, VERDICTS  # noqa: PLC0415

    colors = {(0, 0): "green", (2, 2): "green", (0, 2): "red", (2, 0): "red"}
    shown = [number for number, verdict in enumerate(VERDICTS) if verdict is not None or any(table.counts[number])]
    names = [VERDICTS[number] for number in shown]
    columns = [
        TableColumn("verdict", [f"[{STYLES[name]}]{name}[/]" if name else "none" for name in names], is_text=True)
    ]
    for place, answer in enumerate(ANSWERS):
        cells = [_cell(table.counts[row][place], colors.get((row, place), "")) for row in shown]
        columns.append(TableColumn(str(answer), cells))
    return fit_table(columns, width)


def _cell(count: int, color: str) -> str:
    return f"[{color}]{count:,}[/]" if color and count else f"{count:,}"


def _kappas(result: "Agreement", width: int) -> Table | Group:
    tables = {words: getattr(result, name) for name, words in GROUPS.items()}
    tables = {words: table for words, table in tables.items() if table.judged}
    rows = [_kappa_cells(words, table) for words, table in tables.items()]
    names = (("", 0), ("agree", 1), ("kappa", 0), ("95% interval", 0), ("runs", 2))
    return fit_table(
        [
            TableColumn(name, cells, order, is_text=not name)
            for (name, order), cells in zip(names, zip(*rows, strict=True), strict=True)
        ],
        width,
    )


def _kappa_cells(words: str, table: "AgreementTable") -> tuple[str, ...]:
    kappa = table.kappa
    return (
        words,
        f"{table.agreeing:,} of {table.compared:,}",
        "undefined" if kappa.value is None else f"[bold]{kappa.value:.2f}[/]",
        "" if kappa.interval is None else "{:.2f} to {:.2f}".format(*kappa.interval),
        f"{table.runs:,}",
    )
