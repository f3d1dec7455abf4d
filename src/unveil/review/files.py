"""Reviews as files beside the records they belong to: `<folder>.review.json`, whole or not at all."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from unveil.atomic import written_atomically
from unveil.errors import RecordError
from unveil.records import Run
from unveil.review.judgments import Answer, Judgment, Review
from unveil.store import read_manifest
from unveil.store.manifest import MANIFEST, from_bytes
from unveil.store.tables import Table
from unveil.view import name_region_ids, region_ids

FORMAT, VERSION = "unveil review", 1
MAX_FILE_BYTES = 1 << 26  # more than all judgments with the longest notes need
JUDGE_AGAIN = "restore it from a copy, or remove it and judge again"


def record_seal(folder: str | Path) -> str:
    """The seal of the record in a `folder`: the SHA-256 of its `run.json`, which holds the hash of its arrays.

    Raises `RecordError` for a folder without a record.
    """
    path = Path(folder) / MANIFEST
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        got = f"{folder}: {getattr(error, 'strerror', None) or error}"
        raise RecordError("the folder of a run", got, "check the path") from error


def review_path(folder: str | Path) -> Path:
    """Where the review of the record in a `folder` is: beside it, so that the record stays as it was sealed.

    >>> review_path("runs/dog").as_posix()
    'runs/dog.review.json'
    """
    path = Path(folder)
    # The folder that is meant by "." and by names with "..".
    path = path if path.name not in ("", "..") else path.resolve()
    return path.with_name(f"{path.name}.review.json")


def save_review(review: Review, folder: str | Path) -> Path:
    """Write the `review` of the record in a `folder` beside it, and return the path of the file.

    Raises `RecordError` if the record has another seal, or no region of an id that was judged, and if the file can't
    be written; then what was there before is unchanged.
    """
    _check_fits(review, folder)
    path = review_path(folder)
    text = json.dumps(encode_review(review), indent=1, allow_nan=False) + "\n"
    with written_atomically(path, "a review") as part:
        part.write_text(text, encoding="ascii")
    return path


def load_review(folder: str | Path) -> Review | None:
    """Load the review of the record in a `folder`; None if there isn't any.

    Raises `RecordError` if it was changed or damaged, comes from a newer version, or belongs to another record.
    """
    path = review_path(folder)
    try:
        if not path.exists():
            record_seal(folder)
            return None
        if (size := path.stat().st_size) > MAX_FILE_BYTES:
            raise RecordError(f"{path.name} of at most {MAX_FILE_BYTES} bytes", str(size), JUDGE_AGAIN)
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise RecordError(f"to read {path!s}", str(error), "check the path and its permissions") from error
    review = decode_review(from_bytes(content, path.name, JUDGE_AGAIN), path.name)
    _check_fits(review, folder)
    return review


def continue_review(review: Review, before: Run, after: Run, folder: str | Path) -> Review:
    """Take a review over to the record of the same run with more rounds, whose seal is another one.

    Args:
        review: The review of the record before.
        before: The run that was judged.
        after: The run with more rounds.
        folder: The folder of the record of `after`.

    Returns the judgments of all regions that both runs have, equal in every value, under the new seal.
    """
    regions = dict(zip(region_ids(before), before.regions, strict=True))
    same = {name for name, region in zip(region_ids(after), after.regions, strict=True) if regions.get(name) == region}
    kept = {name: judgment for name, judgment in review.judgments.items() if name in same}
    return replace(review, record_sha256=record_seal(folder), judgments=kept)


def encode_review(review: Review) -> dict:
    """The plain values of a review, for its file."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "record_sha256": review.record_sha256,
        "reviewer": review.reviewer,
        "judgments": {name: encode_judgment(judgment) for name, judgment in review.judgments.items()},
    }


def encode_judgment(judgment: Judgment) -> dict:
    """The plain values of a judgment."""
    return {**vars(judgment), "answer": str(judgment.answer)}


def decode_review(values: Any, file: str = "the review") -> Review:
    """The review of plain `values`. Raises `RecordError`, which names the `file`."""
    if type(values) is not dict:
        raise RecordError(f"{file} to hold a table", f"a {type(values).__name__}", JUDGE_AGAIN)
    table = Table(values, "", file, JUDGE_AGAIN)
    if (found := table.text("format")) != FORMAT:
        raise RecordError(f"{file} of the format {FORMAT!r}", f"{found!r:.60}", "check the path")
    if (version := table.whole("version", 1)) > VERSION:
        raise RecordError(f"{file} of version {VERSION} at most", f"version {version}", "update unveil to read it")
    judgments = table.table("judgments")
    return Review(
        table.text("record_sha256"),
        table.text("reviewer"),
        {name: _decode_judgment(judgments.table(name)) for name in judgments.values},
    )


def _decode_judgment(table: Table) -> Judgment:
    if not isinstance(blind := table.values.get("blind"), bool):
        raise table.wrong(table.at("blind"), "true or false", blind)
    return Judgment(table.one_of("answer", Answer), table.text("note"), table.number("time_s"), blind)


def _check_fits(review: Review, folder: str | Path) -> None:
    seal = record_seal(folder)
    if review.record_sha256 != seal:
        raise RecordError(
            f"a review of this record, with the seal {seal[:12]}…",
            f"one with the seal {review.record_sha256[:12]}…",
            "the record was made again since: judge it again, or restore the record",
        )
    known = set(_region_ids(read_manifest(folder)))
    other = [name for name in review.judgments if name not in known]
    if other:
        raise RecordError("judgments of regions of this record", other[0], "take ids from its view")


def _region_ids(manifest: Mapping[str, Any]) -> list[str]:
    """The ids of all regions of a record, without reading its arrays."""
    table = Table(dict(manifest), "")
    rounds = [
        (one.text_or_none("track"), one.whole("index", 1), len(one.tables("regions"))) for one in table.tables("rounds")
    ]
    tracks = [stop.text_or_none("track") for stop in table.tables("stops")]
    for track, _, _ in rounds:
        if track not in tracks:
            raise table.wrong("rounds", "of the tracks in 'stops'", track)
    return name_region_ids(tracks, rounds)
