"""Images that were uploaded and jobs that run on them: a queue, a worker and a history that survive the process."""

from unveil.serve.jobs.errors import (
    AskTimeoutError,
    FolderInUseError,
    JobError,
    NotFoundError,
    QueueFullError,
    StateError,
    UploadTooLargeError,
)
from unveil.serve.jobs.job import Event, Job, JobRequest, JobState, StoredImage
from unveil.serve.jobs.settings import apply_settings, recipe_of
from unveil.serve.jobs.workplace import Workplace

__all__ = [
    "AskTimeoutError",
    "Event",
    "FolderInUseError",
    "Job",
    "JobError",
    "JobRequest",
    "JobState",
    "NotFoundError",
    "QueueFullError",
    "StateError",
    "StoredImage",
    "UploadTooLargeError",
    "Workplace",
    "apply_settings",
    "recipe_of",
]
