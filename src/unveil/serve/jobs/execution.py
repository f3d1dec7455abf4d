"""One job in the worker's thread: from its request, or from where it was left, to the record of its rounds."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from unveil.context import RunContext
from unveil.errors import RecordError
from unveil.images.preview import Preview, make_preview
from unveil.masked import MaskedClassifier
from unveil.recording import make_run
from unveil.records import Round, Run
from unveil.rounds import Progress, finish_run, iter_rounds
from unveil.serve.jobs.classifier_pool import ClassifierPool
from unveil.serve.jobs.contexts import (
    KeptContext,
    KeptContexts,
    can_continue,
    copy_context,
    recipe_with_goal,
    with_goal,
)
from unveil.serve.jobs.errors import NotFoundError
from unveil.serve.jobs.event_log import Throttle
from unveil.serve.jobs.image_store import ImageStore
from unveil.serve.jobs.job import Job
from unveil.serve.jobs.job_table import JobRow, JobTable
from unveil.serve.jobs.live_runs import LiveRuns
from unveil.serve.jobs.settings import recipe_of

PROGRESS_INTERVAL_S = 0.1
MAX_NAMES, MAX_NAME_LENGTH = 20, 100  # of labels in an event


class InterruptReason(Enum):
    """Why a job is left before its end."""

    STOPPED = "stopped by a person"
    DELETED = "deleted"
    CLOSING = "the server ends"


class JobInterrupt(BaseException):
    """Raised between two batches to leave a job; no handler of errors in between catches it."""

    def __init__(self, reason: InterruptReason) -> None:
        """Remember why."""
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True)
class Tools:
    """What jobs are computed with; all of it is shared by the jobs of a server.

    Attributes:
        table: The jobs.
        images: The images.
        pool: The classifiers.
        kept: The contexts of the last jobs.
        live: What running jobs have found so far.
        throttle: Limits how often progress is told.
    """

    table: JobTable
    images: ImageStore
    pool: ClassifierPool
    kept: KeptContexts
    live: LiveRuns
    throttle: Throttle = field(default_factory=lambda: Throttle(PROGRESS_INTERVAL_S))


class JobExecution:
    """The computation of one job. All methods are called in the worker's thread."""

    def __init__(self, tools: Tools, row: JobRow, between_batches: Callable[[], None]) -> None:
        """Prepare to compute the job of `row`; `between_batches` may raise `JobInterrupt`."""
        self._tools, self._row, self._between_batches = tools, row, between_batches
        self._context: RunContext | None = None
        self._checkpoint: MaskedClassifier | None = None
        self._preview: Preview | None = None

    def execute(self) -> Run:
        """Do all rounds and the trust cards, and return the record.

        Raises `JobInterrupt`, and the errors of `find_regions`.
        """
        context = self._begin()
        self._set_context(context)
        self._show(tell=True)
        for round_ in iter_rounds(context, self._on_progress):
            self._checkpoint = context.masked.fork(self._between_batches)
            self._show_round(round_)
            self._between_batches()
        # The cards predict views of their own; rounds that are done later must not know them.
        cards = replace(context, masked=context.masked.fork(self._between_batches))
        return replace(finish_run(cards, self._on_progress), preview=self._preview)

    def unfinished(self) -> Run | None:
        """The record of the complete rounds, without trust cards; None before the first prediction."""
        if self._context is None:
            return None
        return replace(make_run(self._context), preview=self._preview)

    def keep(self) -> None:
        """Keep the context as it was after the last complete round."""
        if self._context is not None and self._checkpoint is not None:
            context = replace(self._context, masked=self._checkpoint)
            seconds = time.monotonic() - context.started
            self._tools.kept.keep(self._row.job.id, KeptContext(context, exact=True, seconds=seconds))

    @property
    def context(self) -> RunContext | None:
        """The context; None before the first prediction."""
        return self._context

    @property
    def can_continue(self) -> bool:
        """Whether more rounds could be done."""
        return self._context is None or can_continue(self._context)

    @property
    def longest(self) -> int:
        """The number of rounds of the track that has most."""
        return 0 if self._context is None else max(len(track.rounds) for track in self._context.tracks)

    def _begin(self) -> RunContext:
        """The context to go on with: the kept one, or a new one that begins with the first round."""
        row, tools = self._row, self._tools
        request, kept = row.job.request, tools.kept.get(row.job.id)
        classifier = tools.pool.get(request.model)
        if kept is not None and kept.exact and kept.context.classifier is classifier:
            context = copy_context(kept.context, self._between_batches)
            context = replace(context, started=time.monotonic() - kept.seconds)
            context = context if row.goal is None else with_goal(context, row.goal)
        else:
            recipe = recipe_with_goal(recipe_of(request), row.goal)
            image = tools.images.read(request.image, classifier.preprocessing.channels)
            context = RunContext.create(image, classifier, recipe, request.seed)
            context = replace(context, masked=context.masked.fork(self._between_batches))
        self._preview = make_preview(context.image)
        return context

    def _set_context(self, context: RunContext) -> None:
        self._context, self._checkpoint = context, context.masked.fork(self._between_batches)

    def _show(self, *, tell: bool) -> None:
        """Let others see the rounds done so far, and tell them so."""
        run = self.unfinished()
        assert run is not None  # noqa: S101 (called with a context)
        self._tools.live.show(self._row.job.id, run)
        if tell:
            self._row = self._tools.table.change(self._row.job.id, lambda row: row, urgent=False)

    def _show_round(self, round_: Round) -> None:
        self._show(tell=False)
        run = self._tools.live.get(self._row.job.id)
        if run is None or len(run.rounds) <= self._row.job.rounds:
            return  # it was told before: a job that goes on is computed again from its first round
        longest = self.longest

        def count(row: JobRow) -> JobRow:
            return replace(row, longest=max(row.longest, longest)).with_job(rounds=len(run.rounds))

        events = {"round": lambda job: describe_round(job, run, round_)}
        self._row = self._tools.table.change(self._row.job.id, count, events, urgent=False)

    def _on_progress(self, progress: Progress) -> None:
        if self._tools.throttle.passes():
            data = {
                "round": progress.round,
                "rounds": progress.rounds,
                "sample": progress.sample,
                "samples": progress.samples,
                "cards": progress.cards,
            }
            # On a full disk, nothing is lost with it; a job that was deleted is left below.
            with suppress(RecordError, NotFoundError):
                self._tools.table.tell(self._row.job.id, "progress", data, durable=False)
        self._between_batches()


def describe_round(job: Job, run: Run, round_: Round) -> dict[str, Any]:
    """The data of a `round` event."""
    return {
        "number": len(run.rounds),
        "version": job.version,
        "regions": len(round_.regions),
        "gained": [name[:MAX_NAME_LENGTH] for name in run.appeared(round_)[:MAX_NAMES]],
        "lost": [name[:MAX_NAME_LENGTH] for name in run.disappeared(round_)[:MAX_NAMES]],
    }
