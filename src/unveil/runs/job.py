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
    """The result of one image: its `run` in `folder`, or the `error` in one line.

    `warning`: in one line, what was noticed about the image's values, and why the record has no figure where it should
    have one; the record itself is complete.
    """

    image: Path
    folder: Path
    status: RunStatus
    run: Run | None = None
    error: str | None = None
    warning: str | None = None


@dataclass(frozen=True)
class RunJob:
    """What is done with each image: all settings of a run, and how its record is written."""

    classifier: Classifier
    recipe: Recipe
    seed: int = 0
    batch_size: int | None = None
    overwrite: bool = False
    figure: FigureFormat = FigureFormat.PNG
    value_range: tuple[float, float] | None = None
