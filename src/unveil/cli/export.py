"""`unveil export`: what other programs read, from finished runs. Needs neither the model nor torch."""

from pathlib import Path
from typing import Annotated

import typer

from unveil.cli import options
from unveil.cli.completion import complete_from
from unveil.cli.console import add_command, console
from unveil.cli.records import RecordReader, RunPaths
from unveil.cli.texts import as_text

FORMS, UNITS = ("png", "nifti", "coco"), ("region", "label")
export_app = typer.Typer(no_args_is_help=True, help="Write masks of finished runs as files for other programs.")


def masks(
    paths: RunPaths,
    out: Annotated[Path, options.out_option("the masks; it must be new or empty")],
    form: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="png (images), nifti (volumes), or coco (images; one JSON file).",
            autocompletion=complete_from(FORMS),
            rich_help_panel=options.RESULTS,
        ),
    ] = "png",
    per: Annotated[
        str,
        typer.Option(
            metavar="UNIT",
            help="region or label: one mask for each; that of a label is the union of its regions.",
            autocompletion=complete_from(UNITS),
            rich_help_panel=options.RESULTS,
        ),
    ] = "region",
) -> None:
    """Write the masks of finished runs, on the pixels of the source.

    PNG files have 255 inside and 0 outside; NIfTI files have the order and the affine of the volume's file; the COCO
    file has run lengths.

    Example: unveil export masks unveil-runs --out masks --form coco --per label
    """
    from unveil.export import MaskForm, MaskUnit, export_masks  # noqa: PLC0415

    for value, known, name in ((form, FORMS, "--form"), (per, UNITS, "--per")):
        if value not in known:
            raise typer.BadParameter(f"one of {', '.join(known)}", param_hint=name)
    records = RecordReader(paths)
    count = export_masks(records, out, MaskForm(form), MaskUnit(per))
    line = f"{count:,} mask{'s' * (count != 1)} of {len(records.folders):,} records → {as_text(str(out))}"
    console.print(line, soft_wrap=True, highlight=False)
    records.finish()


add_command(export_app, masks)
# With a callback, `export masks` has two words though there is no other command yet.
export_app.callback()(lambda: None)
