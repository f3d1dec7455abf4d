"""Signals as a request to stop."""

import signal
import threading

import pytest

from unveil.batch.interrupts import stop_on_signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_asks_to_stop_and_names_the_exit_code(number, code):
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        assert not stop.is_set() and stop.exit_code == 0
        signal.raise_signal(number)
        assert stop.wait(5) and stop.exit_code == code
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_interrupts():
    with pytest.raises(KeyboardInterrupt), stop_on_signals():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_leave_signals_alone():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def look():
        with stop_on_signals() as stop:
            seen.append((signal.getsignal(signal.SIGTERM), stop.is_set()))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [(before, False)]
