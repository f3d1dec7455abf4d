"""`unveil show`: the tables of finished records again. Needs neither the model nor torch."""

from unveil.cli import options
from unveil.cli.console import result_console, write_json
from unveil.cli.overview import RunOverview, overview_table, summarize_run
from unveil.cli.records import RecordReader, RunPaths
from unveil.cli.results import describe_run, print_tables, run_as_json
from unveil.cli.texts import as_text


def show(paths: RunPaths, as_json: options.AsJson = False) -> None:
    """Print the results of finished runs again, at once.

    For one run these are the tables that unveil run prints; for several, one table with a line per run, the most
    suspicious first.

    Example: unveil show unveil-runs/dog
    """
    records, console = RecordReader(paths), result_console()
    results: list[dict] = []
    overviews: list[RunOverview] = []
    for folder, run in records:
        if as_json:
            results.append({"image": run.source.name, "folder": str(folder), **run_as_json(run)})
        elif len(records.folders) > 1:
            overviews.append(summarize_run(run, folder.name))
        else:
            line = f"{as_text(run.source.name)}: {describe_run(run)} → {as_text(str(folder))}"
            console.print(line, soft_wrap=True, highlight=False)
            print_tables(run, console)
    if as_json:
        write_json({"runs": results})
    elif overviews:
        console.print(overview_table(overviews, console.width))
    records.finish()
