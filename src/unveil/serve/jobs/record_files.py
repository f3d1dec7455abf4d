"""The files of jobs: a record, and beside it a review and what-ifs, which are no part of it."""

import re
import shutil
from pathlib import Path

from unveil.errors import RecordError
from unveil.leftovers import remove_leftovers
from unveil.store import is_run

_NAME = re.compile(r"(?P<id>[0-9a-f]{16})(\.review\.json|\.what-if)?")


class RecordFiles:
    """Where the records of a server are: `runs/ID/`, `runs/ID.review.json`, `runs/ID.what-if/`."""

    def __init__(self, folder: Path) -> None:
        """Keep records in the folder `runs` of a server's folder. Raises `RecordError` if it can't be made."""
        self._folder = folder / "runs"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordError("a folder for records", f"{self._folder}: {error.strerror}", "check it") from error

    def folder(self, job_id: str) -> Path:
        """Where the record of a job is, or will be."""
        return self._folder / job_id

    def record(self, job_id: str) -> Path | None:
        """The folder of a job's record; None if there is none."""
        folder = self.folder(job_id)
        return folder if is_run(folder) else None

    def review(self, job_id: str) -> Path:
        """Where the review of a job's record is, or will be."""
        return self._folder / f"{job_id}.review.json"

    def what_ifs(self, job_id: str) -> Path:
        """The folder of the what-ifs of a job."""
        return self._folder / f"{job_id}.what-if"

    def remove(self, job_id: str) -> None:
        """Remove everything that belongs to a job."""
        for folder in (self.folder(job_id), self.what_ifs(job_id)):
            shutil.rmtree(folder, ignore_errors=True)
        self.review(job_id).unlink(missing_ok=True)

    def clean(self, jobs: set[str]) -> None:
        """Remove what killed processes left, and everything that belongs to none of these jobs."""
        remove_leftovers(self._folder)
        for path in list(self._folder.iterdir()):
            match = _NAME.fullmatch(path.name)
            if match is not None and match["id"] not in jobs:
                self.remove(match["id"])
