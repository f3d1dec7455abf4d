"""The process of a worker: reads names of shards, line by line, and writes what became of them as lines of JSON.

Nothing is pickled and no module of the caller is imported, so neither a notebook nor a script without a main guard is
run again. Text that the network prints goes to the error stream, not between the lines.
"""

import contextlib
import ctypes
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from unveil.batch.engines.base import ShardWork, error_parts
from unveil.errors import UnveilError

# Between two reports of finished items.
_PAUSE_S = 0.2
_DEATH_OF_PARENT = 1  # PR_SET_PDEATHSIG


def worker_main() -> None:
    """Serve the driver that started this process; the arguments are the archive's folder, the entry and its process."""
    folder, entry, parent = sys.argv[1:]
    end_with_parent(int(parent))
    # Ctrl-C goes to all processes of the terminal: the driver decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    report = _Reporter(lines)
    try:
        work = find_entry(entry)(Path(folder))
        report.send(event="ready")
        for line in sys.stdin:
            done, failed = work(json.loads(line)["shard"], report.count_items)
            report.send(event="done", done=done, failed=failed)
    except UnveilError as error:
        report.send(event="error", parts=error_parts(error))
    # Without the teardown of libraries: nothing is open, and some of them hang there.
    sys.stderr.flush()
    os._exit(0)


def find_entry(entry: str) -> Callable[[Path], ShardWork]:
    """The function that opens an archive in a worker, from `module:name`."""
    module, _, name = entry.partition(":")
    return getattr(importlib.import_module(module), name)


def end_with_parent(parent: int) -> None:
    """Have Linux kill this process when its driver ends, however that ends; elsewhere it ends after its shard."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DEATH_OF_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before that
        os._exit(1)


class _Reporter:
    """Writes lines to the driver. Without a driver there is nothing to live for."""

    def __init__(self, lines: TextIO) -> None:
        self._lines, self._told = lines, 0.0

    def send(self, **message: Any) -> None:
        try:
            self._lines.write(json.dumps(message) + "\n")
            self._lines.flush()
        except OSError:
            # Never an exception: in the middle of an item it would become a failure of this item.
            os._exit(1)

    def count_items(self, items: int) -> None:
        now = time.monotonic()
        if now - self._told >= _PAUSE_S:
            self._told = now
            self.send(event="items", items=items)
