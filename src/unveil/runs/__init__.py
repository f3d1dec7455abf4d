"""Many images: one record per image, records of an earlier call kept, failures as results.

for result in unveil.run_images(paths, classifier, out="runs"):
    print(result.image, result.status, result.error or result.run)
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from unveil.atomic import check_folder, check_publishable
from unveil.classifiers import load_classifier
from unveil.errors import DiskFullError, ImageError, RecordError, TargetError, UnveilError, UnveilWarning, named_line
from unveil.images import Image, read_image
from unveil.images.preview import make_preview
from unveil.images.scaling import checked_range
from unveil.leftovers import remove_leftovers
from unveil.recipes import Recipe, choose_recipe
from unveil.records import Run
from unveil.rounds import OnProgress, find_regions
from unveil.runs.folders import choose_folder, folder_names
from unveil.runs.job import ImageResult, OtherRecordError, RunJob, RunStatus
from unveil.runs.keeping import load_matching
from unveil.runs.targets import ImageSettings, read_targets
from unveil.seeding import check_seed
from unveil.store import is_run, save_run
from unveil.store.figures import FigureFormat

__all__ = [
    "ImageResult",
    "ImageSettings",
    "OtherRecordError",
    "RunJob",
    "RunStatus",
    "add_figures",
    "folder_names",
    "load_matching",
    "read_targets",
    "run_images",
    "run_or_keep",
]

OnImage = Callable[[str], OnProgress]


def run_images(  # noqa: PLR0913 (the settings of find_regions, and those of records)
    images: Sequence[str | Path],
    classifier: Any,
    recipe: Recipe | str | Path = "recommended",
    *,
    out: str | Path,
    target: Any = None,
    settings: Sequence[ImageSettings] | None = None,
    trust: bool = True,
    seed: int = 0,
    batch_size: int | None = None,
    value_range: tuple[float, float] | None = None,
    overwrite: bool = False,
    figure: FigureFormat | str = FigureFormat.PNG,
    preview: bool = True,
    on_image: OnImage = lambda name: lambda progress: None,
) -> Iterator[ImageResult]:
    """Find the regions of many images, and write one record per image; yields one `ImageResult` per image, in order.

    - `images`: paths. `out`: the folder of the records. `folder_names` names the folder of each image; an image that
      has a record from an earlier call, alone or with others, keeps its folder.
    - `classifier`, `recipe`, `target`, `trust`, `seed`, `batch_size`: as in `find_regions`.
    - `settings`: a target, and if wanted a pixel size, of its own for each image, as `read_targets` reads them.
    - `value_range`: the original values of each image that become 0 and 1, as in `read_image`.
    - `overwrite`: replace a record that was made with other settings. A record of another image is never replaced.
    - `figure`: format of the figure in each record: png, svg, pdf or none. It is drawn after the record is written; one
      that can't be drawn is a `warning` of the result, as are values that look wrongly scaled. Kept records get the
      figures that they lack.
    - `preview`: keep the source's pixels beside each record (at most 2048 pixels along the longer side), for viewers.
    - `on_image`: called with an image's name before its run; returns the `on_progress` of that run.

    A record of an earlier call with the same image, classifier, recipe, seed and version of `unveil` is kept, so a call
    that was stopped goes on where it was. An image that fails, for whatever reason, is a result with an `error` and
    doesn't stop the others. Work is done as results are consumed; `out`, classifier, recipe and target are checked at
    once. Raises an `UnveilError` for settings that can't be used for any image, such as an `out` that nothing can be
    written to. A full disk ends the iteration with a `DiskFullError`, after the result of the image that it was noticed
    at. What killed calls left in `out` is removed at the beginning.
    """
    check_folder(out)
    chosen = choose_recipe(recipe, target, trust=trust)
    scale = None if value_range is None else checked_range(value_range)
    seed = check_seed(seed)
    job = RunJob(load_classifier(classifier), chosen, seed, batch_size, overwrite, FigureFormat(figure), scale, preview)
    paths = [Path(path) for path in images]
    if settings is not None and (target is not None or len(settings) != len(paths)):
        got = f"{len(settings)} settings for {len(paths)} images" if target is None else "a target for all images too"
        raise TargetError("settings for each image, and no other target", got, "give one of both")
    remove_leftovers(Path(out))
    return _results(job, paths, Path(out), on_image, settings)


def run_or_keep(job: RunJob, image: Image, folder: Path, begin: Callable[[], OnProgress]) -> tuple[Run, bool]:
    """Return the run of an image, and whether its record was there already.

    Args:
        job: The settings.
        image: The image.
        folder: Where a new record is written to; figures aren't drawn, see `add_figures`.
        begin: Called before a new run; returns its `on_progress`.

    Raises `OtherRecordError` if the folder holds another record, `DiskFullError`, and the errors of `find_regions`.
    """
    existing = load_matching(job, image, folder)
    if existing is not None:
        return existing, True
    check_publishable(folder, is_run if job.overwrite else lambda there: False)
    run = find_regions(image, job.classifier, job.recipe, seed=job.seed, batch_size=job.batch_size, on_progress=begin())
    if job.preview:
        run = replace(run, preview=make_preview(image))
    try:
        # Another process may have been faster.
        existing = load_matching(job, image, folder)
        if existing is None:
            save_run(run, folder, overwrite=job.overwrite)
    except DiskFullError:
        raise
    except RecordError:
        existing = load_matching(job, image, folder)
        if existing is None:
            raise
    return (run, False) if existing is None else (existing, True)


def add_figures(run: Run, folder: Path, figure: FigureFormat) -> RecordError | None:
    """Draw the figures of a finished record that aren't there yet; return the error if one can't be drawn, else None.

    Nothing is raised, because a figure that can't be drawn is no reason to lose a record.

    Args:
        run: The run; each of its tracks has a figure.
        folder: The folder of its record.
        figure: The format; `none` draws nothing.
    """
    if figure is FigureFormat.NONE:
        return None
    try:
        remove_leftovers(folder)
        for number, track in enumerate(run.tracks):
            suffix = "" if number == 0 else f"-{number + 1}"
            path = folder / f"figure{suffix}.{figure}"
            if not path.exists():
                run.figure(path, track)
    except Exception as error:  # noqa: BLE001 (fonts, disks, settings of the drawing library)
        got = error.got if isinstance(error, UnveilError) else named_line(error)
        do = "the record is complete; the same call tries again, or use --figure none"
        kind = DiskFullError if isinstance(error, DiskFullError) else RecordError
        return kind("a figure beside the record", got, do)
    return None


def _results(
    job: RunJob, paths: Sequence[Path], out: Path, on_image: OnImage, settings: Sequence[ImageSettings] | None
) -> Iterator[ImageResult]:
    for place, (path, name) in enumerate(zip(paths, folder_names(paths), strict=True)):
        own = job
        if settings is not None:
            one = settings[place]
            own = replace(job, recipe=job.recipe.with_target(one.target), spacing_mm=one.spacing_mm)
        result, full = _run_one(own, path, out, name, on_image)
        yield result
        if full is not None:
            # Nothing more can be written, so the remaining images aren't computed.
            raise full


def _run_one(
    job: RunJob, path: Path, out: Path, name: str, on_image: OnImage
) -> tuple[ImageResult, DiskFullError | None]:
    folder, full = out / name, None
    try:
        image = _read(job, path)
        folder = choose_folder(out, name, path, image)
        run, kept = run_or_keep(job, image, folder, lambda: on_image(path.name))
    except UnveilError as error:
        full = error if isinstance(error, DiskFullError) else None
        return ImageResult(path, folder, RunStatus.FAILED, error=str(error)), full
    except Exception as error:  # noqa: BLE001 (whatever a stranger's network raises ends one image, not all)
        failure = ImageError("a run without errors", named_line(error), "check the model on this image")
        return ImageResult(path, folder, RunStatus.FAILED, error=str(failure)), None
    problem = add_figures(run, folder, job.figure)
    full = problem if isinstance(problem, DiskFullError) else None
    warning = "; ".join(str(text) for text in (image.warning, problem) if text is not None) or None
    return ImageResult(path, folder, RunStatus.KEPT if kept else RunStatus.DONE, run, warning=warning), full


def _read(job: RunJob, path: Path) -> Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnveilWarning)  # it becomes the warning of the result
        image = read_image(path, value_range=job.value_range, channels=job.classifier.preprocessing.channels)
    return image if job.spacing_mm is None else replace(image, spacing_mm=job.spacing_mm)
