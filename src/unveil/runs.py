"""Many images: one record per image, records of an earlier call kept, failures as results.

for result in unveil.run_images(paths, classifier, out="runs"):
    print(result.image, result.status, result.error or result.run)
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from torch import nn

from unveil import __version__
from unveil.atomic import check_folder, check_publishable
from unveil.classifiers import Classifier, load_classifier
from unveil.errors import ImageError, RecordError, UnveilError
from unveil.images import Image, read_image
from unveil.recipes import Recipe, choose_recipe
from unveil.records import Run
from unveil.rounds import OnProgress, find_regions
from unveil.store import is_run, load_run, save_run
from unveil.store.figures import FigureFormat
from unveil.targets import Target

MAX_NAME_BYTES = 100
PROBE_TOLERANCE, BF16_TOLERANCE = 1e-3, 3e-2  # of the output for the probe image; bf16 has 8 significant bits
OnImage = Callable[[str], OnProgress]


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

    `warning`: why the record has no figure, in one line, where it should have one; the record itself is complete.
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


def run_images(  # noqa: PLR0913 (the settings of find_regions, and those of records)
    images: Sequence[str | Path],
    classifier: Classifier | nn.Module | str,
    recipe: Recipe | str | Path = "recommended",
    *,
    out: str | Path,
    target: Target | None = None,
    trust: bool = True,
    seed: int = 0,
    batch_size: int | None = None,
    overwrite: bool = False,
    figure: FigureFormat | str = FigureFormat.PNG,
    on_image: OnImage = lambda name: lambda progress: None,
) -> Iterator[ImageResult]:
    """Find the regions of many images, and write one record per image; yields one `ImageResult` per image, in order.

    - `images`: paths. `out`: the folder of the records; `folder_names` names the folder of each image.
    - `classifier`, `recipe`, `target`, `trust`, `seed`, `batch_size`: as in `find_regions`.
    - `overwrite`: replace a record that was made with other settings. A record of another image is never replaced.
    - `figure`: format of the figure in each record: png, svg, pdf or none. It is drawn after the record is written;
      a figure that can't be drawn is the `warning` of a result. Kept records get the figures that they lack.
    - `on_image`: called with an image's name before its run; returns the `on_progress` of that run.

    A record of an earlier call with the same image, classifier, recipe, seed and version of `unveil` is kept, so a call
    that was stopped goes on where it was. An image that fails, for whatever reason, is a result with an `error` and
    doesn't stop the others. Work is done as results are consumed; `out`, classifier, recipe and target are checked at
    once. Raises an `UnveilError` for settings that can't be used for any image, such as an `out` that nothing can be
    written to.
    """
    check_folder(out)
    chosen = choose_recipe(recipe, target, trust=trust)
    job = RunJob(load_classifier(classifier), chosen, seed, batch_size, overwrite, FigureFormat(figure))
    paths = [Path(path) for path in images]
    folders = [Path(out) / name for name in folder_names(paths)]
    return (_run_one(job, path, folder, on_image) for path, folder in zip(paths, folders, strict=True))


def folder_names(images: Iterable[Path]) -> list[str]:
    """The name of the record's folder for each image: its stem, in letters, digits, `.`, `_` and `-`.

    Letters of all scripts are kept. Images whose stems are equal, also by case alone, get their stem and a hash of
    their path, so that a name doesn't depend on the order of the images.

    >>> folder_names([Path("a/dog.jpg"), Path("scan 1.nii.gz")])
    ['dog', 'scan_1']
    """
    paths = list(images)
    stems = [_safe_stem(path) for path in paths]
    keys = [stem.casefold() for stem in stems]
    names = []
    for path, stem, key in zip(paths, stems, keys, strict=True):
        if keys.count(key) == 1:
            names.append(stem)
        else:
            digest = hashlib.sha256(str(path.absolute()).encode(errors="surrogatepass")).hexdigest()
            names.append(f"{stem}-{digest[:8]}")
    # The same path given twice is one image, but each result has a folder of its own.
    return [
        name if names[:at].count(name) == 0 else f"{name}-{names[:at].count(name) + 1}" for at, name in enumerate(names)
    ]


def run_or_keep(job: RunJob, image: Image, folder: Path, begin: Callable[[], OnProgress]) -> tuple[Run, bool]:
    """The run of an image, and whether its record was there already; a new record is written to the folder.

    Figures aren't drawn here: see `add_figures`.

    `begin()` is called before a new run, and returns its `on_progress`.
    """
    existing = load_matching(job, image, folder)
    if existing is not None:
        return existing, True
    check_publishable(folder, is_run if job.overwrite else lambda there: False)
    run = find_regions(image, job.classifier, job.recipe, seed=job.seed, batch_size=job.batch_size, on_progress=begin())
    save_run(run, folder, overwrite=job.overwrite)
    return run, False


def load_matching(job: RunJob, image: Image, folder: Path) -> Run | None:
    """The record in a folder, if it is of this image and job; None if there is none, or if it is to be replaced.

    Raises `OtherRecordError` for a record of another image, or with other settings unless these are to be replaced,
    and `RecordError` for a damaged one.
    """
    if not is_run(folder):
        return None
    try:
        run = load_run(folder)
    except RecordError:
        if job.overwrite:
            return None
        raise
    if run.source.sha256 != image.sha256:
        raise OtherRecordError(
            "a folder without a record, or with one of this image",
            f"{folder} with a record of another image, {run.source.name}",
            "choose another --out, or rename the image",
        )
    differences = _differences(job, image, run)
    if not differences:
        return run
    if job.overwrite:
        return None
    raise OtherRecordError(
        "a record with this model, its preprocessing, recipe, seed and version",
        f"{folder}, where these differ: {'; '.join(differences)}",
        "use --overwrite to replace it, or another --out",
    )


def add_figures(run: Run, folder: Path, figure: FigureFormat) -> str | None:
    """Draw a figure of each track into the folder of a finished record, unless it is there; returns a failure as text.

    A figure that can't be drawn, for whatever reason, is no reason to lose a record.
    """
    if figure is FigureFormat.NONE:
        return None
    try:
        for number, track in enumerate(run.tracks):
            suffix = "" if number == 0 else f"-{number + 1}"
            path = folder / f"figure{suffix}.{figure}"
            if not path.exists():
                run.figure(path, track)
    except Exception as error:  # noqa: BLE001 (fonts, disks, settings of the drawing library)
        got = error.got if isinstance(error, UnveilError) else _one_line(error)
        do = "the record is complete; the same call tries again, or use --figure none"
        return str(RecordError("a figure beside the record", got, do))
    return None


def _run_one(job: RunJob, path: Path, folder: Path, on_image: OnImage) -> ImageResult:
    try:
        run, kept = run_or_keep(job, read_image(path), folder, lambda: on_image(path.name))
        warning = add_figures(run, folder, job.figure)
    except UnveilError as error:
        return ImageResult(path, folder, RunStatus.FAILED, error=str(error))
    except Exception as error:  # noqa: BLE001 (whatever a stranger's network raises ends one image, not all)
        failure = ImageError("a run without errors", _one_line(error), "check the model on this image")
        return ImageResult(path, folder, RunStatus.FAILED, error=str(failure))
    return ImageResult(path, folder, RunStatus.KEPT if kept else RunStatus.DONE, run, warning=warning)


def _one_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {line}"


def _differences(job: RunJob, image: Image, run: Run) -> list[str]:
    """Everything that a run's numbers depend on and that differs: name, kept value and present one."""
    classifier, info = job.classifier, run.classifier
    pairs: list[tuple[str, object, object]] = [
        ("weights", info.fingerprint[:12], classifier.fingerprint[:12]),
        ("output", str(info.output), str(classifier.output)),
        *_setting_differences("preprocessing", info.preprocessing or "unknown", classifier.preprocessing.as_dict()),
        ("precision", info.precision, classifier.precision),
        ("device", info.device.partition(":")[0], classifier.device.type),
        ("spacing in mm", run.source.spacing_mm, image.spacing_mm),
        ("value range", run.source.value_range, image.value_range),
        ("seed", run.seed, job.seed),
        ("version of unveil", run.versions.get("unveil"), __version__),
        *_setting_differences("recipe", run.recipe, job.recipe.as_dict()),
    ]
    differences = [f"{name} {_short(kept)} (now {_short(present)})" for name, kept, present in pairs if kept != present]
    if info.labels != classifier.labels:
        differences.append(f"labels: {len(info.labels)} (now {len(classifier.labels)}), or other names")
    # The last ones need the classifier, and mostly differ as a consequence of the others.
    return differences or _computed_differences(job, run)


def _computed_differences(job: RunJob, run: Run) -> list[str]:
    kept, present = run.classifier.probe, job.classifier.probe
    tolerance = BF16_TOLERANCE if job.classifier.precision == "bf16" else PROBE_TOLERANCE
    same = kept == present if kept is None or present is None else kept.matches(present, tolerance)
    if not same:
        return [f"output of the network for a test image: {kept or 'unknown'} (now {present or 'unknown'})"]
    before, now = run.classifier.averaging_precision, job.recipe.attribution.averaging_precision(job.classifier)
    return [] if before == now else [f"precision of averaged gradients {before} (now {now})"]


def _setting_differences(place: str, kept: object, present: object) -> list[tuple[str, object, object]]:
    if isinstance(kept, dict) and isinstance(present, dict) and kept.get("kind") == present.get("kind"):
        names = dict.fromkeys((*kept, *present))
        return [
            pair
            for name in names
            for pair in _setting_differences(f"{place}.{name}", kept.get(name, "none"), present.get(name, "none"))
        ]
    return [(place, _short(kept), _short(present))] if kept != present else []


def _short(value: object) -> str:
    text = str(value.get("kind", value)) if isinstance(value, dict) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _safe_stem(path: Path) -> str:
    stem = unicodedata.normalize("NFC", path.stem.removesuffix(".nii").encode(errors="replace").decode())
    safe = re.sub(r"[^\w.-]+", "_", stem).lstrip(".")
    while len(safe.encode()) > MAX_NAME_BYTES:
        safe = safe[:-1]
    return safe or "image"
