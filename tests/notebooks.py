"""Jupyter servers, notebooks as files, and what the tests do with them in a browser."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

PLACES = {"lab": "lab/tree", "notebook": "notebooks"}
NO_NEWS = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}


RUN_ALL = """() => { window.jupyterapp.commands.execute("notebook:run-all-cells"); }"""
KERNEL_IDLE = "jupyterapp.shell.currentWidget.context.sessionContext.session?.kernel?.status === 'idle'"
SAVE = """() => window.jupyterapp.commands.execute("docmanager:save")"""


@dataclass
class Jupyter:
    """A running server."""

    folder: Path
    port: int
    token: str
    environment: dict[str, str]

    def ask(self, path: str, method: str = "GET") -> Any:
        """The answer of the server's interface."""
        address = f"http://127.0.0.1:{self.port}/{path}"
        request = urllib.request.Request(address, method=method, headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (loopback)
            text = answer.read()
        return json.loads(text) if text else None

    def trust(self, path: Path) -> None:
        """Sign a notebook as the server's own."""
        subprocess.run([sys.executable, "-m", "nbformat.sign", str(path)], env=self.environment, check=True)

    def execute(self, path: Path) -> None:
        """Run all cells of a notebook without a browser; the state of its widgets is in its metadata then."""
        command = [sys.executable, "-m", "jupyter", "execute", "--inplace", path.name]
        subprocess.run(command, env=self.environment, cwd=path.parent, check=True, capture_output=True)

    def stop_kernels(self) -> None:
        """Shut all kernels down."""
        for session in self.ask("api/sessions"):
            self.ask(f"api/sessions/{session['id']}", "DELETE")


def start_jupyter(folder: Path) -> tuple[Jupyter, subprocess.Popen]:
    """Start a server whose settings are all below a folder."""
    home = folder / "home"
    (home / "config" / "labconfig").mkdir(parents=True)
    (home / "config" / "labconfig" / "page_config.json").write_text(json.dumps(NO_NEWS))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = uuid4().hex
    environment = os.environ | {
        **{f"JUPYTER_{kind}_DIR": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")},
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_TOKEN": token,
        "JUPYTER_PREFER_ENV_PATH": "1",
    }
    (folder / "work").mkdir()
    options = ["--no-browser", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0", "--allow-root"]
    options += [f"--ServerApp.root_dir={folder / 'work'}", "--expose-app-in-browser"]
    command = [sys.executable, "-m", "jupyterlab", *options, "--JupyterNotebookApp.expose_app_in_browser=True"]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    return Jupyter(folder / "work", port, token, environment), process


def write_notebook(path: Path, *sources: str, kernel: str = "python3") -> Path:
    """A notebook of code cells without outputs."""
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": one,
        }
        for number, one in enumerate(sources)
    ]
    metadata = {"kernelspec": {"name": kernel, "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))
    return path
