"""What jobs have found so far that isn't in a record yet."""

import threading
from collections import OrderedDict

from unveil.records import Run

MAX_LIVE_RUNS = 3


class LiveRuns:
    """The unfinished runs of the jobs that were computed last; usable from any thread."""

    def __init__(self) -> None:
        """Hold none."""
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def show(self, job_id: str, run: Run) -> None:
        """Hold the run of a job in place of its last one."""
        with self._lock:
            self._runs[job_id] = run
            self._runs.move_to_end(job_id)
            while len(self._runs) > MAX_LIVE_RUNS:
                self._runs.popitem(last=False)

    def get(self, job_id: str) -> Run | None:
        """The run of a job, if there is one."""
        with self._lock:
            return self._runs.get(job_id)

    def drop(self, job_id: str) -> None:
        """Hold no run of this job any longer."""
        with self._lock:
            self._runs.pop(job_id, None)
