"""Runs as data frames: the only module that imports pandas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from unveil.errors import MissingLibraryError
from unveil.export.rows import COLUMNS, run_rows
from unveil.records import Run

if TYPE_CHECKING:
    from pandas import DataFrame

DTYPES = {str: "object", int: "Int64", float: "float64"}


def runs_to_frame(runs: Iterable[Run | tuple[str, Run]]) -> DataFrame:
    """One data frame of the rows of several runs, with the columns of `run_rows`.

    Args:
        runs: The runs, or pairs of the value of the column `run` and the run.

    Texts are as they are in the record, None where there is none; whole numbers are of the type `Int64`, which has
    missing values. Raises `MissingLibraryError` without pandas.
    """
    try:
        import pandas  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise MissingLibraryError("pandas", "pandas", "tables as data frames") from error
    pairs = [(None, one) if isinstance(one, Run) else one for one in runs]
    rows = [row for name, run in pairs for row in run_rows(run, name)]
    return pandas.DataFrame(
        {name: pandas.Series([row[name] for row in rows], dtype=DTYPES[kind]) for name, kind in COLUMNS.items()}
    )
