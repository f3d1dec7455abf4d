"""The folder of a server, its queue and its worker, as one object."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from unveil.classifiers import Classifier
from unveil.context import RunContext
from unveil.records import Run
from unveil.serve.jobs.job import Event, Job, JobRequest, StoredImage

T = TypeVar("T")


class Workplace:
    """Images and jobs in one folder, and the thread that runs the jobs one after the other.

    Every method may be called from any thread, and none but `ask` waits for a network. `with Workplace(…) as workplace`
    starts the thread and stops it; jobs that were running when a process ended are queued again.

    Args:
        folder: Where everything is kept; it is made if needed. One process at a time uses a folder.
        classifiers: By name, what makes each classifier; called in the worker's thread when first needed, once.
        queue_limit: The largest number of jobs that wait.
        upload_limit_bytes: The largest size of an image file.
        pixel_limit: The largest number of pixels or voxels of an image.

    Raises `FolderInUseError` if another process uses the folder, and `RecordError` for one that can't be used.
    """

    def __init__(
        self,
        folder: str | Path,
        classifiers: Mapping[str, Callable[[], Classifier]],
        *,
        queue_limit: int = 64,
        upload_limit_bytes: int = 64 << 20,
        pixel_limit: int = 1 << 26,
    ) -> None:
        raise NotImplementedError

    def __enter__(self) -> "Workplace":
        """Start the worker."""
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the worker within a batch, and close the folder."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop the worker within a batch, and close the folder; a running job will start again next time."""
        raise NotImplementedError

    def add_image(self, name: str, chunks: Iterable[bytes]) -> StoredImage:
        """Store an image; equal bytes are stored once, under their first name.

        Raises `UploadTooLargeError` while streaming, `ImageError` for what can't be read, and `DiskFullError`.
        """
        raise NotImplementedError

    def images(self) -> list[StoredImage]:
        """All images, the newest first."""
        raise NotImplementedError

    def image(self, image_id: str) -> StoredImage:
        """One image. Raises `NotFoundError`."""
        raise NotImplementedError

    def image_path(self, image_id: str) -> Path:
        """The file of an image. Raises `NotFoundError`."""
        raise NotImplementedError

    def image_preview(self, image_id: str) -> bytes:
        """A PNG of the image with at most 1024 pixels along the longer side; the middle slice of a volume."""
        raise NotImplementedError

    def submit(self, request: JobRequest) -> Job:
        """Queue a job. Raises `NotFoundError`, `RecipeError`, `TargetError`, `QueueFullError`."""
        raise NotImplementedError

    def jobs(self, limit: int = 100, before: str | None = None) -> list[Job]:
        """The newest jobs first; with `before`, those that are older than the job of this id."""
        raise NotImplementedError

    def job(self, job_id: str) -> Job:
        """One job. Raises `NotFoundError`."""
        raise NotImplementedError

    def delete(self, job_id: str) -> None:
        """Stop a job, and remove it with its record, review and what-ifs. Raises `NotFoundError`."""
        raise NotImplementedError

    def stop(self, job_id: str) -> Job:
        """Stop a job within a batch; a queued one at once. Raises `NotFoundError`, and `StateError` if it is over."""
        raise NotImplementedError

    def go_on(self, job_id: str, rounds: int) -> Job:
        """Queue a stopped or finished job for `rounds` more rounds. Raises `NotFoundError` and `StateError`."""
        raise NotImplementedError

    def run(self, job_id: str) -> Run | None:
        """What a job has found so far; None before its first prediction."""
        raise NotImplementedError

    def view(self, job_id: str) -> bytes | None:
        """The view document of `run`, as JSON."""
        raise NotImplementedError

    def events(self, after: int, job: str | None = None, limit: int = 1000) -> list[Event]:
        """Events with an id above `after`, in their order; of one job, if it is given."""
        raise NotImplementedError

    @property
    def last_event(self) -> int:
        """The id of the newest event; 0 if there is none."""
        raise NotImplementedError

    def wait_for_events(self, after: int, timeout_s: float) -> bool:
        """Wait until there is an event with an id above `after`; False if there is none in time."""
        raise NotImplementedError

    def emit(self, job_id: str, kind: str, data: Mapping[str, Any]) -> Event:
        """Add an event of a job. Raises `NotFoundError`."""
        raise NotImplementedError

    def ask(self, job_id: str, question: Callable[[RunContext], T], timeout_s: float = 120.0) -> T:
        """Call `question` in the worker's thread, between two batches and ahead of the queue; return its result.

        It is given a copy of the job's context with the rounds done so far. Raises what it raises, `NotFoundError`,
        `StateError` for a job without any result, and `AskTimeoutError`.
        """
        raise NotImplementedError

    def classifier_info(self, model: str) -> dict | None:
        """Plain values of a classifier: labels, output, grid, channels; None until it is loaded."""
        raise NotImplementedError

    def load(self, model: str) -> None:
        """Ask the worker to load a classifier; an event `model` tells when it is there. Raises `NotFoundError`."""
        raise NotImplementedError

    def record_folder(self, job_id: str) -> Path | None:
        """The folder of a job's record; None while there is none. Raises `NotFoundError`."""
        raise NotImplementedError

    def review_path(self, job_id: str) -> Path:
        """Where the review of a job's record is kept. Raises `NotFoundError`."""
        raise NotImplementedError

    def what_if_folder(self, job_id: str) -> Path:
        """Where the what-ifs of a job are kept. Raises `NotFoundError`."""
        raise NotImplementedError
