"""What a job leaves for other programs: its record, figure, tables, masks and report, as bytes."""

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from unveil.errors import RecordError
from unveil.export import MaskForm, export_masks, run_rows, write_rows
from unveil.records import Run
from unveil.render import figure_as_png
from unveil.report import make_report_page
from unveil.review import judgment_rows, load_review, write_judgments
from unveil.serve.jobs import StateError, Workplace
from unveil.store import load_run
from unveil.texts import safe_name

MAX_RECORD_BYTES = 1 << 29  # of a record that is sent in one file
_drawing = Lock()  # matplotlib isn't made for several threads


@dataclass(frozen=True)
class ExportSource:
    """What an export is made of.

    Attributes:
        run: The run.
        folder: Its record.
        stem: The beginning of names of files.
    """

    run: Run
    folder: Path
    stem: str


@dataclass(frozen=True)
class ExportKind:
    """One kind of export.

    Attributes:
        make: Makes the bytes.
        media_type: Their type.
    """

    make: Callable[[ExportSource], bytes]
    media_type: str


def make_export(workplace: Workplace, job_id: str, name: str) -> tuple[bytes, str]:
    """The bytes of the export `name` of a job, and the name of the file, which is ASCII.

    Raises `StateError` for a job without a record, and `RecordError` for what its run doesn't have.
    """
    job, folder = workplace.job(job_id), workplace.record_folder(job_id)
    if folder is None:
        raise StateError("a job with a record", f"one that is {job.state}", "wait until it ends, or stop it")
    stem = file_stem(job.image_name)
    return EXPORTS[name].make(ExportSource(load_run(folder), folder, stem)), f"{stem}-{name}"


def file_stem(image_name: str) -> str:
    """The beginning of the name of an exported file: letters, digits, `_` and `-` of ASCII alone.

    >>> file_stem("scan 12/lung ödem.nii.gz")
    'lung_dem'
    """
    name = safe_name(image_name.rpartition("/")[2])
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", name.partition(".")[0])
    return re.sub("_+", "_", stem).strip("_-")[:60] or "image"


def _record(source: ExportSource) -> bytes:
    files = sorted(path for path in source.folder.rglob("*") if path.is_file() and not path.is_symlink())
    if (size := sum(path.stat().st_size for path in files)) > MAX_RECORD_BYTES:
        got = f"one of {size >> 20} MB"
        raise RecordError(f"a record of at most {MAX_RECORD_BYTES >> 20} MB", got, "copy it from the server's folder")
    return _zipped({f"{source.stem}/{path.relative_to(source.folder).as_posix()}": path for path in files})


def _zipped(files: dict[str, Path]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, path in files.items():
            # Without the times of the files: the same record gives the same bytes.
            archive.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=1)
    return content.getvalue()


def _figure(source: ExportSource) -> bytes:
    with _drawing:
        return figure_as_png(source.run.figure(), dpi=200)


def _regions(source: ExportSource) -> bytes:
    text = io.StringIO()
    write_rows(run_rows(source.run), text)
    return text.getvalue().encode("utf-8")


def _masks(source: ExportSource) -> bytes:
    form = MaskForm.NIFTI if len(source.run.source.geometry.source_shape) == 3 else MaskForm.PNG
    with TemporaryDirectory(prefix="unveil-") as temporary:
        folder = Path(temporary) / "masks"
        export_masks([(Path(source.stem), source.run)], folder, form)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return _zipped({path.relative_to(folder).as_posix(): path for path in paths})


def _coco(source: ExportSource) -> bytes:
    with TemporaryDirectory(prefix="unveil-") as temporary:
        folder = Path(temporary) / "masks"
        export_masks([(Path(source.stem), source.run)], folder, MaskForm.COCO)
        return (folder / "masks.json").read_bytes()


def _report(source: ExportSource) -> bytes:
    return make_report_page(source.run).encode("utf-8")


def _review(source: ExportSource) -> bytes:
    review = load_review(source.folder)
    if review is None:
        raise StateError("a run with judgments", "one without", "judge a region first")
    text = io.StringIO()
    write_judgments(judgment_rows(source.run, review, source.run.source.name), text)
    return text.getvalue().encode("utf-8")


ZIP, CSV = "application/zip", "text/csv; charset=utf-8"
EXPORTS = {
    "record.zip": ExportKind(_record, ZIP),
    "figure.png": ExportKind(_figure, "image/png"),
    "regions.csv": ExportKind(_regions, CSV),
    "masks.zip": ExportKind(_masks, ZIP),
    "coco.json": ExportKind(_coco, "application/json"),
    "report.html": ExportKind(_report, "text/html; charset=utf-8"),
    "review.csv": ExportKind(_review, CSV),
}
