"""The files of jobs: a record, and beside it a review and what-ifs, which are no part of it."""

import re
import shutil
from contextlib import suppress
from pathlib import Path

from unveil.errors import RecordError
from unveil.leftovers import remove_leftovers
from unveil.records import Run
from unveil.review import Review, continue_review, load_review, review_path, save_review
from unveil.store import is_run, load_run, save_run

_NAME = re.compile(r"(?P<id>[0-9a-f]{16})(\.next|\.old)?(\.review\.json|\.what-if)?")


class RecordFiles:
    """Where the records of a server are: `runs/ID/`, `runs/ID.review.json`, `runs/ID.what-if/`."""

    def __init__(self, folder: Path) -> None:
        """Keep records in the folder `runs` of a server's folder. Raises `RecordError` if it can't be made."""
        self._folder = folder / "runs"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordError("a folder for records", f"{self._folder}: {error.strerror}", "check it") from error

    def record(self, job_id: str) -> Path | None:
        """The folder of a job's record; None if there is none."""
        folder = self._record(job_id)
        return folder if is_run(folder) else None

    def review(self, job_id: str) -> Path:
        """Where the review of a job's record is, or will be."""
        return review_path(self._record(job_id))

    def what_ifs(self, job_id: str) -> Path:
        """The folder of the what-ifs of a job."""
        return self._folder / f"{job_id}.what-if"

    def save(self, job_id: str, run: Run) -> None:
        """Write the record of a job in place of its last one. Judgments of regions that both have are kept.

        A review belongs to one record, by its seal. So where there is a review, the new record and the new review are
        complete under other names before they take the place of the old ones, and `clean` ends what a killed process
        began. Raises `RecordError`.
        """
        folder, after = self._record(job_id), self._next(job_id)
        review = self._valid_review(folder)
        if review is None:
            save_run(run, folder, overwrite=True)
            return
        before = load_run(folder)
        save_run(run, after, overwrite=True)
        save_review(continue_review(review, before, run, after), after)
        try:
            self._adopt(job_id)
        except OSError as error:
            raise RecordError("a folder for records", f"{folder}: {error.strerror}", "check it") from error

    def remove(self, job_id: str) -> None:
        """Remove everything that belongs to a job."""
        for path in list(self._folder.iterdir()):
            match = _NAME.fullmatch(path.name)
            if match is not None and match["id"] == job_id:
                _remove(path)

    def clean(self, jobs: set[str]) -> None:
        """End or remove what killed processes left, and remove everything that belongs to none of these jobs."""
        remove_leftovers(self._folder)
        for path in list(self._folder.iterdir()):
            match = _NAME.fullmatch(path.name)
            if match is not None and match["id"] not in jobs:
                _remove(path)
        for job_id in jobs:
            with suppress(OSError):
                self._adopt(job_id)

    def _record(self, job_id: str) -> Path:
        return self._folder / job_id

    def _next(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.next"

    def _adopt(self, job_id: str) -> None:
        """Let a new record and its review take the place of the old ones, from whatever step on.

        The new review is written after the new record, and moved after it: as long as it is there, something is left
        to do.
        """
        folder, after, old = self._record(job_id), self._next(job_id), self._folder / f"{job_id}.old"
        if review_path(after).exists():
            if is_run(after):
                if folder.exists():
                    _remove(old)
                    folder.rename(old)
                after.rename(folder)
            review_path(after).replace(review_path(folder))
        _remove(after)
        _remove(old)

    @staticmethod
    def _valid_review(folder: Path) -> Review | None:
        """The review of a record; None if there is none that fits."""
        with suppress(RecordError):
            return load_review(folder)
        return None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
