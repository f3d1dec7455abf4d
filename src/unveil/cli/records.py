"""Records of many images: what is done to each, which are kept from an earlier call, and how one is written."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from unveil.errors import RecordError

if TYPE_CHECKING:
    from unveil.classifiers import Classifier
    from unveil.images import Image
    from unveil.recipes import Recipe
    from unveil.records import Run
    from unveil.rounds import OnProgress


class FigureFormat(StrEnum):
    """Formats of the figure beside a record."""

    PNG = "png"
    SVG = "svg"
    PDF = "pdf"
    NONE = "none"


class OtherRecordError(RecordError):
    """A record of another image, or made with other settings, is where this one should go."""


@dataclass(frozen=True)
class Job:
    """What is done to every image."""

    classifier: "Classifier"
    recipe: "Recipe"
    seed: int
    batch_size: int | None
    overwrite: bool
    figure: FigureFormat


def find_or_keep(job: Job, image: "Image", folder: Path, begin: "Callable[[], OnProgress]") -> tuple["Run", bool]:
    """The run of an image, and whether it was there already; a new one is written to the folder."""
    from unveil.rounds import find_regions  # noqa: PLC0415

    there = kept(job, image.sha256, folder)
    if there is not None:
        return there, True
    done = find_regions(
        image, job.classifier, job.recipe, seed=job.seed, batch_size=job.batch_size, on_progress=begin()
    )
    save_with_figure(done, folder, job.figure, overwrite=job.overwrite)
    return done, False


def kept(job: Job, sha256: str, folder: Path) -> "Run | None":
    """The record that is there, if it is of this image, classifier, recipe and seed.

    Raises `OtherRecordError` if it isn't, and `RecordError` for one that is damaged, unless it is to be replaced.
    """
    from unveil.store import is_run, load_run  # noqa: PLC0415

    if not is_run(folder):
        return None
    try:
        there = load_run(folder)
    except RecordError:
        if job.overwrite:
            return None
        raise
    asked, classifier = there.classifier, job.classifier
    # Records made before there were trust cards have none, and a recipe that doesn't speak of them.
    same = (
        there.source.sha256 == sha256
        and (asked.fingerprint, asked.labels, asked.output, asked.precision)
        == (classifier.fingerprint, classifier.labels, classifier.output, classifier.precision)
        and {"trust": False, **there.recipe} == job.recipe.as_dict()
        and there.seed == job.seed
    )
    if same:
        return there
    if job.overwrite:
        return None
    raise OtherRecordError(
        "a folder without a record, or one with this image, model, recipe and seed",
        f"{folder} with another",
        "use --overwrite, or another --out",
    )


def save_with_figure(run: "Run", folder: Path, figure: FigureFormat, *, overwrite: bool) -> None:
    """Write the record; the figures of its tracks are inside before the folder appears."""
    from unveil.store import save_run  # noqa: PLC0415

    def draw(inside: Path) -> None:
        for number, track in enumerate(run.tracks):
            suffix = "" if number == 0 else f"-{number + 1}"
            run.figure(inside / f"figure{suffix}.{figure}", track)

    save_run(run, folder, overwrite=overwrite, extra=None if figure is FigureFormat.NONE else draw)
