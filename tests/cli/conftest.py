"""A shell for every test of the command line."""

import pytest
from commands import Shell


@pytest.fixture
def shell(tmp_path, capsys, monkeypatch) -> Shell:
    """Calls commands; wide enough that no line is broken."""
    monkeypatch.setenv("COLUMNS", "400")
    return Shell(tmp_path, capsys, monkeypatch)
