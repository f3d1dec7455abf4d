"""Decides whether the record of an earlier call is kept: it must be of the same image, classifier and settings."""

from pathlib import Path

from unveil import __version__
from unveil.errors import RecordError
from unveil.images import Image
from unveil.records import Run
from unveil.runs.job import OtherRecordError, RunJob
from unveil.store import is_run, load_run, read_manifest

PROBE_TOLERANCE, BF16_TOLERANCE = 1e-3, 3e-2  # of the output for the probe image; bf16 has 8 significant bits


def load_matching(job: RunJob, image: Image, folder: Path) -> Run | None:
    """The record in `folder`, if it is of this `image` and `job`; None if there is none, or if it is to be replaced.

    Raises `OtherRecordError` for a record of another image, or with other settings unless these are to be replaced,
    and `RecordError` for a damaged one.
    """
    if not is_run(folder):
        return None
    try:
        source = read_manifest(folder)["source"]
        if source["sha256"] != image.sha256:
            raise OtherRecordError(
                "a folder without a record, or with one of this image",
                f"{folder} with a record of another image, {source['name']}",
                "choose another --out, or move that folder away",
            )
        run = load_run(folder)
    except OtherRecordError:
        raise
    except RecordError:
        if job.overwrite:
            return None
        raise
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
        *_setting_differences("recipe", run.recipe, job.recipe.for_grid(classifier.preprocessing.crop).as_dict()),
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
