"""The folder of a server, its queue and its worker, as one object."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from unveil.classifiers import Classifier
from unveil.context import RunContext
from unveil.errors import RecordError
from unveil.records import Run
from unveil.serve.jobs.classifier_pool import ClassifierPool
from unveil.serve.jobs.contexts import KeptContexts
from unveil.serve.jobs.database import Connection, Database
from unveil.serve.jobs.event_log import EventLog
from unveil.serve.jobs.execution import Tools
from unveil.serve.jobs.image_store import ImageStore
from unveil.serve.jobs.job import Event, Job, JobRequest, JobState, StoredImage
from unveil.serve.jobs.job_table import JobTable
from unveil.serve.jobs.live_runs import LiveRuns
from unveil.serve.jobs.record_files import RecordFiles
from unveil.serve.jobs.settings import check_request
from unveil.serve.jobs.transitions import after_restart, queued_again, stop_asked
from unveil.serve.jobs.worker import Worker
from unveil.store import load_run
from unveil.view import make_view

T = TypeVar("T")
MAX_VIEWS = 8


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
        self._database = Database(Path(folder).absolute())
        try:
            self._log = EventLog(self._database)
            self._table = JobTable(self._database, self._log, queue_limit)
            self._images = ImageStore(self._database, self._log, upload_limit_bytes, pixel_limit)
            self._pool = ClassifierPool(classifiers, self._tell_loaded)
            self._files = RecordFiles(self._database.folder)
            self._live = LiveRuns()
            self._restart()
            tools = Tools(self._table, self._images, self._pool, KeptContexts(), self._live)
            self._worker = Worker(self._database, tools, self._files)
        except BaseException:
            self._database.close()
            raise
        self._views: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self._making_views = threading.Lock()

    def __enter__(self) -> "Workplace":
        """Start the worker."""
        self._worker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the worker within a batch, and close the folder."""
        self.close()

    def close(self) -> None:
        """Stop the worker within a batch, and close the folder; a running job will start again next time."""
        self._worker.close()
        self._log.close()
        self._database.close()

    def add_image(self, name: str, chunks: Iterable[bytes]) -> StoredImage:
        """Store an image; equal bytes are stored once, under their first name.

        Raises `UploadTooLargeError` while streaming, `ImageError` for what can't be read, and `DiskFullError`.
        """
        return self._images.add(name, chunks)

    def images(self) -> list[StoredImage]:
        """All images, the newest first."""
        return self._images.newest()

    def image(self, image_id: str) -> StoredImage:
        """One image. Raises `NotFoundError`."""
        return self._images.find(image_id)

    def image_path(self, image_id: str) -> Path:
        """The file of an image. Raises `NotFoundError`."""
        return self._images.path(image_id)

    def image_preview(self, image_id: str) -> bytes:
        """A PNG of the image with at most 1024 pixels along the longer side; the middle slice of a volume."""
        return self._images.preview(image_id)

    def submit(self, request: JobRequest) -> Job:
        """Queue a job. Raises `NotFoundError`, `RecipeError`, `TargetError`, `QueueFullError`."""
        image = self._images.find(request.image)
        check_request(request, self._pool.find(request.model))
        job = self._table.add(request, image.name)
        self._worker.wake()
        return job

    def jobs(self, limit: int = 100, before: str | None = None) -> list[Job]:
        """The newest jobs first; with `before`, those that are older than the job of this id."""
        return self._table.newest(limit, before)

    def job(self, job_id: str) -> Job:
        """One job. Raises `NotFoundError`."""
        return self._table.read(job_id).job

    def delete(self, job_id: str) -> None:
        """Stop a job, and remove it with its record, review and what-ifs. Raises `NotFoundError`."""
        self._table.delete(job_id)
        self._worker.look()
        self._files.remove(job_id)
        with self._making_views:
            self._views.pop(job_id, None)

    def stop(self, job_id: str) -> Job:
        """Stop a job within a batch; a queued one at once. Raises `NotFoundError`, and `StateError` if it is over."""
        row = self._table.change(job_id, stop_asked)
        self._worker.look()
        return row.job

    def go_on(self, job_id: str, rounds: int) -> Job:
        """Queue a stopped or finished job for `rounds` more rounds. Raises `NotFoundError` and `StateError`."""
        row = self._table.change(job_id, lambda row: queued_again(row, rounds), requeue=True)
        self._worker.wake()
        return row.job

    def run(self, job_id: str) -> Run | None:
        """What a job has found so far; None before its first prediction."""
        row = self._table.read(job_id)
        live = self._live.get(job_id)
        if live is not None and len(live.rounds) >= (row.recorded or 0):
            return live
        folder = self._files.record(job_id)
        try:
            return None if folder is None else load_run(folder)
        except RecordError:
            self._table.read(job_id)  # it may have been deleted while it was read
            raise

    def view(self, job_id: str) -> bytes | None:
        """The view document of `run`, as JSON."""
        # One at a time: ten tabs that ask for the same view let it be made once.
        with self._making_views:
            version = self._table.read(job_id).job.version
            made = self._views.get(job_id)
            if made is not None and made[0] == version:
                return made[1]
            run = self.run(job_id)
            if run is None:
                return None
            self._views[job_id] = version, make_view(run).to_bytes()
            self._views.move_to_end(job_id)
            while len(self._views) > MAX_VIEWS:
                self._views.popitem(last=False)
            return self._views[job_id][1]

    def events(self, after: int, job: str | None = None, limit: int = 1000) -> list[Event]:
        """Events with an id above `after`, in their order; of one job, if it is given."""
        return self._log.read(after, job, limit)

    @property
    def last_event(self) -> int:
        """The id of the newest event; 0 if there is none."""
        return self._log.last

    def wait_for_events(self, after: int, timeout_s: float) -> bool:
        """Wait until there is an event with an id above `after`; False if there is none in time."""
        return self._log.wait(after, timeout_s)

    def emit(self, job_id: str, kind: str, data: Mapping[str, Any]) -> Event:
        """Add an event of a job. Raises `NotFoundError`."""
        return self._table.tell(job_id, kind, data)

    def ask(self, job_id: str, question: Callable[[RunContext], T], timeout_s: float = 120.0) -> T:
        """Call `question` in the worker's thread, between two batches and ahead of the queue; return its result.

        It is given a copy of the job's context with the rounds done so far. Raises what it raises, `NotFoundError`,
        `StateError` for a job without any result, and `AskTimeoutError`.
        """
        self._table.read(job_id)
        if self._worker.is_own_thread():
            return question(self._worker.context_of(job_id))
        return self._worker.questions.ask(job_id, question, timeout_s)

    def classifier_info(self, model: str) -> dict | None:
        """Plain values of a classifier: labels, output, grid, channels; None until it is loaded."""
        classifier = self._pool.find(model)
        if classifier is None:
            return None
        preprocessing = classifier.preprocessing
        return {
            "labels": list(classifier.labels),
            "output": str(classifier.output),
            "grid": list(preprocessing.crop),
            "channels": preprocessing.channels,
        }

    def load(self, model: str) -> None:
        """Ask the worker to load a classifier; an event `model` tells when it is there. Raises `NotFoundError`."""
        self._pool.want(model)
        self._worker.wake()

    def record_folder(self, job_id: str) -> Path | None:
        """The folder of a job's record; None while there is none. Raises `NotFoundError`."""
        self._table.read(job_id)
        return self._files.record(job_id)

    def review_path(self, job_id: str) -> Path:
        """Where the review of a job's record is kept. Raises `NotFoundError`."""
        self._table.read(job_id)
        return self._files.review(job_id)

    def what_if_folder(self, job_id: str) -> Path:
        """Where the what-ifs of a job are kept. Raises `NotFoundError`."""
        self._table.read(job_id)
        return self._files.what_ifs(job_id)

    def _tell_loaded(self, model: str, error: str | None) -> None:
        def add(connection: Connection) -> None:
            self._log.add(connection, None, "model", {"model": model, "error": error})

        with suppress(RecordError):
            self._database.write(add, durable=False)
            self._log.wake()

    def _restart(self) -> None:
        """Queue what was running when an earlier process ended, and remove what it left."""
        self._files.clean(self._table.ids())
        for row in self._table.in_state(JobState.RUNNING):
            self._table.change(row.job.id, after_restart)
