"""`unveil serve`: what is refused before anything is loaded, the default folder, and the link for the browser."""

import importlib
import re
import stat
import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest
from commands import Shell

from unveil.serve.jobs import Workplace
from unveil.serve.running import BoundServer

command = importlib.import_module("unveil.cli.serve")  # its package has a function of this name


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--host", "0.0.0.0"], "--token-file"),
        (["--host", "::"], "--token-file"),
        (["--host", "192.0.2.7"], "--token-file"),
        (["--host", "example.org"], "IP address"),
        (["--host-name", "a/b"], "host name"),
        (["--images", "missing"], "--images"),
        (["--token-file", "missing"], "--token-file"),
        (["--model", "planted/demo", "--model", "torchvision/resnet18", "--weights", "none"], "each"),
        (["--model", "planted/dmo"], "planted"),
        (["--size", "x"], "--size"),
    ],
)
def test_options_that_are_refused(shell: Shell, options, word):
    code, out, err = shell("serve", "--folder", shell.folder / "serve", "--port", "0", *options)
    assert (code, out) == (2, "")
    assert err.strip().splitlines()[-1].startswith("error expected ")
    assert word in err
    assert "open (once)" not in err


def test_a_short_token_does_not_open_other_addresses(shell: Shell):
    (shell.folder / "token").write_text("too-short")
    code, _, err = shell("serve", "--host", "0.0.0.0", "--token-file", shell.folder / "token", "--port", "0")
    assert code == 2
    assert "16 to 512" in err
    assert "too-short" not in err


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # uvicorn leaves the socket open
def test_a_port_and_a_folder_in_use(shell: Shell):
    bound = BoundServer("127.0.0.1", 0)
    try:
        code, _, err = shell("serve", "--folder", shell.folder / "one", "--port", str(bound.port))
    finally:
        bound.close()
    assert code == 2
    assert "another --port" in err
    with Workplace(shell.folder / "two", {}):
        code, _, err = shell("serve", "--folder", shell.folder / "two", "--port", "0")
    assert code == 2
    assert "open (once)" not in err


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn"])
def test_a_missing_library_is_one_error(tmp_path, missing):
    # In a process of its own: modules that are imported twice are different modules.
    code = f"import sys; sys.modules[{missing!r}] = None; from unveil.cli import main; main()"
    words = ("serve", "--folder", str(tmp_path / "serve"), "--port", "0")
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert f"the library {missing}" in done.stderr
    assert "pip install 'unveil[serve]'" in done.stderr


def test_the_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert command.default_folder() == tmp_path / "unveil" / "serve"
    for text in ("", "relative"):
        monkeypatch.setenv("XDG_DATA_HOME", text)
        assert command.default_folder() == Path.home() / ".local/share/unveil/serve"


def test_the_browser_gets_the_link_through_a_private_file(monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    with command._opened("http://127.0.0.1:1/open?token=abc"):
        (address,) = opened
        assert "abc" not in address, "other users of the machine see the arguments of programs"
        path = Path(address.removeprefix("file://"))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "url=http://127.0.0.1:1/open?token=abc" in path.read_text()
    assert not path.exists()


def test_the_server_starts_with_what_was_given(shell: Shell, monkeypatch):
    """All but the network itself: the options reach the service, and the link opens a session."""
    served = []
    monkeypatch.setattr(BoundServer, "run", lambda self, app, end_streams: served.append((app, end_streams)))
    (shell.folder / "pictures").mkdir()
    (shell.folder / "token").write_text("0123456789abcdef")
    code, out, err = shell(
        *("serve", "--folder", shell.folder / "serve", "--images", shell.folder / "pictures", "--port", "0"),
        *("--model", f"python/{shell.folder / 'net.py'}:make", "--host-name", "Lab.Example"),
        *("--token-file", shell.folder / "token"),
    )
    assert (code, out) == (0, "")
    service = served[0][0].app.state.service
    assert stat.S_IMODE((shell.folder / "serve").stat().st_mode) == 0o700
    assert service.images.folder == (shell.folder / "pictures").resolve()
    assert service.address.names == ("lab.example",)
    assert service.access.accepts_bearer("Bearer 0123456789abcdef")
    assert service.default_recipe == "recommended"
    link = re.search(r"http://lab\.example:(\d+)/open\?token=(\S+)", err)
    assert link is not None
    assert service.access.open_session(link[2]) is not None
    assert served[0][1] == service.hub.close
