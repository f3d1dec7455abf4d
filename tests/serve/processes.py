"""A real server in a process of its own, as a terminal starts it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

# A shell starts what runs in the background with Ctrl-C ignored, and children inherit that.
START = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from unveil.cli import main; main()"
LINK = re.compile(r"(http://\S+)/open\?token=(\S+)")
PATIENCE_S = 120  # a busy machine
# Rounds that take a while and change nothing: many samples.
SLOW = {"attribution.samples": 2000, "trust": False}


class RunningServer:
    """A process that serves, and a client with a session."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.log = folder.with_name(f"{folder.name}-{time.monotonic_ns()}.log")
        command = [sys.executable, "-c", START, "serve", "--folder", str(folder), "--port", "0", *options]
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=file, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
        self.base, _ = self.links(1)[0]
        self.client = self.new_client()

    def links(self, count: int) -> list[tuple[str, str]]:
        """Address and token of the links that were printed, once there are so many."""
        end = time.monotonic() + PATIENCE_S
        while True:
            text = self.log.read_text()
            if len(found := LINK.findall(text)) >= count and text.endswith("\n"):
                return found
            assert self.process.poll() is None, text
            assert time.monotonic() < end, text
            time.sleep(0.05)

    def new_client(self) -> httpx.Client:
        """Another browser: the next link, opened."""
        count = len(LINK.findall(self.log.read_text()))
        base, token = self.links(count)[-1]
        client = httpx.Client(base_url=base, headers={"origin": base}, timeout=PATIENCE_S)
        assert client.get("/open", params={"token": token}).status_code == 303
        self.links(count + 1)
        return client

    def submit(self, **changes) -> str:
        """The id of a new job on the first image."""
        image = self.client.get("/api/images").json()[-1]["id"]
        wanted = {"image": image, "model": "planted/demo", "recipe": "demo", **changes}
        answer = self.client.post("/api/jobs", json=wanted)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def job(self, job_id: str) -> dict:
        return self.client.get(f"/api/jobs/{job_id}").json()

    def wait_for_state(self, job_id: str, *states: str) -> dict:
        end = time.monotonic() + PATIENCE_S
        while (job := self.job(job_id))["state"] not in states:
            assert time.monotonic() < end, job
            time.sleep(0.05)
        return job

    def end(self, sent: signal.Signals) -> int:
        """Send a signal, and return how the process ended."""
        self.process.send_signal(sent)
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)


@contextmanager
def running_server(folder: Path, *options: str) -> Iterator[RunningServer]:
    server = RunningServer(folder, *options)
    try:
        yield server
    finally:
        server.close()


def read_events(client: httpx.Client, path: str, until: str, heads: dict | None = None) -> list[tuple[int, str, str]]:
    """Id, kind and data of the events of a stream, up to the first one of the kind `until`."""
    found, event = [], {}
    with client.stream("GET", path, headers=heads or {}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                event[name] = value
            elif not line and "event" in event:
                found.append((int(event.get("id", 0)), event["event"], event["data"]))
                if event["event"] == until:
                    return found
                event = {}
    return found
