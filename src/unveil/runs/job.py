"""What is done with each of many images, and what becomes of it."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from unveil.classifiers import Classifier
from unveil.errors import RecordError
from unveil.recipes import Recipe
from unveil.records import Run
from unveil.store.figures import FigureFormat


class RunStatus(StrEnum):
    """What became of one image: its run was made, was there already, or failed."""

    DONE = "done"
    KEPT = "kept"
    FAILED = "failed"


class OtherRecordError(RecordError):
    """The folder holds a record of another image, or one that was made with other settings."""


@dataclass(frozen=True)
class ImageResult:
    """The result of one image.

    Attributes:
        image: The path of the image, as it was given.
        folder: The folder of its record.
        status: Whether the run was made, was there already, or failed.
        run: The run; None if it failed.
        error: Why it failed, in one line; None if it didn't.
        warning: In one line, what was noticed about the image's values, and why the record has no figure where it
            should have one; the record itself is complete.
    """

    image: Path
    folder: Path
    status: RunStatus
    run: Run | None = None
    error: str | None = None
    warning: str | None = None


@dataclass(frozen=True)
class RunJob:
    """What is done with each image: all settings of a run, and how its record is written.

    Attributes:
        classifier: The classifier to explain.
        recipe: The settings of the run.
        seed: The seed of the noise.
        batch_size: The number of images per batch; None for the classifier's own.
        overwrite: Whether a record that was made with other settings is replaced.
        figure: The format of the figure in each record.
        value_range: The values of the image files that become 0 and 1; None for those that their type implies.
        preview: Whether a preview of the source's pixels is kept beside each record.
        spacing_mm: The size of a pixel along y and x in mm; None for what the image's file says.
    """

    classifier: Classifier
    recipe: Recipe
    seed: int = 0
    batch_size: int | None = None
    overwrite: bool = False
    figure: FigureFormat = FigureFormat.PNG
    value_range: tuple[float, float] | None = None
    preview: bool = False
    spacing_mm: tuple[float, float] | None = None
