"""Questions to the worker's thread, which it answers between two batches, ahead of the queue."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from unveil.context import RunContext
from unveil.serve.jobs.database import closed_error
from unveil.serve.jobs.errors import AskTimeoutError

T = TypeVar("T")
MakeContext = Callable[[str], RunContext]


@dataclass(frozen=True, eq=False)
class Question:
    """One question about a job.

    Attributes:
        job: The id of the job.
        call: Called with a context of the job; its result is the answer.
        future: Where the answer, or the error, appears.
    """

    job: str
    call: Callable[[RunContext], Any]
    future: Future = field(default_factory=Future)


class Questions:
    """The questions that wait, in their order."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """Call `wake` when there is a new question."""
        self._wake = wake
        self._waiting: deque[Question] = deque()
        self._closed = False
        self._lock = threading.Lock()

    def ask(self, job_id: str, call: Callable[[RunContext], T], timeout_s: float) -> T:
        """Wait for the answer to a question. Raises what `call` raises, `AskTimeoutError`, and `StateError` when the
        server ends first."""
        question = Question(job_id, call)
        with self._lock:
            if self._closed:
                raise closed_error()
            self._waiting.append(question)
        self._wake()
        try:
            return question.future.result(timeout_s)
        except TimeoutError:
            # It may be a TimeoutError of the question itself, or an answer that came just now.
            if not question.future.cancel() and question.future.done():
                return question.future.result()
            got = f"none within {timeout_s:g} s"
            raise AskTimeoutError("an answer of the classifier", got, "try again when it has less to do") from None

    def answer_all(self, make_context: MakeContext) -> None:
        """Answer all that wait. `make_context` is called with the id of a job; what it raises is the answer."""
        while (question := self._next()) is not None:
            if question.future.set_running_or_notify_cancel():
                try:
                    answer = question.call(make_context(question.job))
                except Exception as error:  # noqa: BLE001 (it reaches whoever asked)
                    question.future.set_exception(error)
                else:
                    question.future.set_result(answer)

    def close(self) -> None:
        """Answer no more questions; those that wait get an error."""
        with self._lock:
            self._closed = True
        while (question := self._next()) is not None:
            if question.future.set_running_or_notify_cancel():
                question.future.set_exception(closed_error())

    def _next(self) -> Question | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting else None
