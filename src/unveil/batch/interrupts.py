"""Ctrl-C and SIGTERM as a request to stop."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class StopRequest(threading.Event):
    """Set by a signal.

    Attributes:
        signal_number: The signal; None as long as none came.
    """

    signal_number: int | None = None

    @property
    def exit_code(self) -> int:
        """What a shell expects of a process that this signal ended; 0 without one."""
        return 0 if self.signal_number is None else 128 + self.signal_number


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn Ctrl-C and SIGTERM into a request to stop, for as long as the block lasts.

    A second Ctrl-C interrupts at once, as always. In another thread than the main one, signals stay as they are.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        if request.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.signal_number = number
        request.set()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
