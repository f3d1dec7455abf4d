"""Progress: lines without a terminal, bars that long names don't crush with one."""

import io
import re

import pytest
from rich.console import Console

from unveil.cli import progress as module
from unveil.cli.progress import ProgressLines, progress
from unveil.rounds import Progress


class Clock:
    """Time that passes when it is told to."""

    def __init__(self, monkeypatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    return Clock(monkeypatch)


def console_of(monkeypatch, width: int, *, terminal: bool) -> io.StringIO:
    file = io.StringIO()
    monkeypatch.setattr(module, "console", Console(file=file, width=width, force_terminal=terminal, color_system=None))
    return file


def test_without_a_terminal_a_line_comes_about_every_ten_seconds(monkeypatch, clock):
    file = console_of(monkeypatch, 200, terminal=False)
    with progress(2, "images") as bars:
        tell = bars.begin("a\x1b[2J[red].png")
        for sample in range(1, 33):
            clock.now += 1
            tell(Progress(1 + sample // 17, 5, sample, 32))
        bars.done()
        tell = bars.begin("b.png")
        clock.now += 9
        tell(Progress(1, 5, 9, 32))
        clock.now += 1
        tell(Progress(5, 5, 3, 12, cards=True))
        bars.done()
    name = r"a\x1b[2J[red].png"
    assert file.getvalue().splitlines() == [
        f"{name}: round 1 of 5, sample 10 of 32 (10 s)",
        f"{name}: round 2 of 5, sample 20 of 32 (20 s)",
        f"{name}: round 2 of 5, sample 30 of 32 (30 s)",
        "b.png: trust cards, 3 of 12 (10 s)",
    ]


def test_with_a_terminal_no_lines_are_printed(monkeypatch, clock):
    file = console_of(monkeypatch, 80, terminal=True)
    lines = ProgressLines()
    clock.now += 60
    lines.show("step 5")
    assert file.getvalue() == ""


@pytest.mark.parametrize(("width", "bar"), [(60, 10), (80, 24), (120, 24)])
def test_a_long_name_leaves_bars_and_counts_whole(monkeypatch, width, bar):
    file = console_of(monkeypatch, width, terminal=True)
    name = "patient-" + "0123456789" * 20
    with progress(12, "images") as bars:
        bars.begin(name)(Progress(2, 5, 3, 32))
        bars._bars.refresh()
        lines = re.sub(r"\x1b\[\S*?[A-Za-z]", "", file.getvalue()).replace("\r", "\n").splitlines()
    first = next(line for line in reversed(lines) if "images" in line)
    second = next(line for line in reversed(lines) if "samples" in line)
    counts = [line.index(count) for line, count in ((first, "0/12"), (second, "35/160"))]
    # Name and bar come before them.
    assert min(counts) >= len("samples ") + bar + 1
    assert len(first) <= width
    assert "patient-" in first and "…" in first
    assert "round 2 of 5" in second


def test_progress_of_a_command_without_a_terminal_goes_to_standard_error(shell, clock, monkeypatch):
    """Each reading of the clock is eleven seconds later, so every report is a line."""

    def later() -> float:
        clock.now += 11
        return clock.now

    monkeypatch.setattr(module.time, "monotonic", later)
    code, out, err = shell("run", shell.photograph("a.png"), *shell.common, "--json", "--batch-size", 1)
    assert code == 0
    assert out.startswith("{")
    for round_ in (1, 2):
        for sample in range(1, 5):
            assert f"a.png: round {round_} of 2, sample {sample} of 4 (" in err
    assert "a.png: trust cards, 1 of " in err
