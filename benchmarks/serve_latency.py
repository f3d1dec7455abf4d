"""How long people wait for the web application: rounds, what-ifs and many tabs, on the machine it is run on.

    python benchmarks/serve_latency.py --jobs 10 --questions 10 --tabs 10

Starts `unveil serve` with the planted demo in a process of its own, and prints JSON with milliseconds. A round is
visible when a tab has its event and the view that the event announces. Needs `pip install 'unveil[serve]' httpx`.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

LINK = re.compile(r"(http://\S+)/open\?token=(\S+)")
BRUSH = {"kind": "brush", "width_px": 20}
# The server writes down when a round is computed, and how long the network takes for a what-if.
START = """
import sys, time
from unveil.serve.jobs import execution
from unveil.serve.routes import what_ifs

show, predict = execution.JobExecution._show_round, what_ifs.predict_what_if

def show_and_note(self, round_):
    print("computed", repr(time.time()), file=sys.stderr, flush=True)
    show(self, round_)

def predict_and_note(*arguments, **options):
    start = time.perf_counter()
    answer = predict(*arguments, **options)
    print("predicted", repr(time.perf_counter() - start), file=sys.stderr, flush=True)
    return answer

execution.JobExecution._show_round, what_ifs.predict_what_if = show_and_note, predict_and_note
from unveil.cli import main
main()
"""


@dataclass(frozen=True)
class Served:
    """A server: a client with a session, and what it wrote down."""

    client: httpx.Client
    log: Path

    def noted(self, word: str) -> list[float]:
        """The numbers after a word."""
        return [float(value) for value in re.findall(rf"^{word} (\S+)$", self.log.read_text(), re.MULTILINE)]

    def submit(self, **changes: Any) -> str:
        """The id of a new job on the demo's scene."""
        image = self.client.get("/api/images").json()[-1]["id"]
        wanted = {"image": image, "model": "planted/demo", "recipe": "demo", "trust": False, **changes}
        answer = self.client.post("/api/jobs", json=wanted)
        answer.raise_for_status()
        return answer.json()["id"]

    def events(self, path: str) -> Iterator[tuple[str, dict, float]]:
        """Kind, data and time of arrival of the events of a stream."""
        kind = ""
        with self.client.stream("GET", path) as answer:
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    yield kind, json.loads(value), time.time()


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """A server of its own, which ends afterwards."""
    log = folder / "log"
    command = [sys.executable, "-c", START, "serve", "--port", "0", "--folder", str(folder / "serve")]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)  # noqa: S603
    try:
        while not (found := LINK.search(log.read_text())):
            if process.poll() is not None:
                sys.exit(log.read_text())
            time.sleep(0.1)
        base, token = found.groups()
        with httpx.Client(base_url=base, headers={"origin": base}, timeout=300) as client:
            client.get("/open", params={"token": token})
            yield Served(client, log)
    finally:
        process.terminate()
        process.wait()


def summary(values: list[float]) -> dict:
    """Median, 95 % quantile and largest of times in seconds, as milliseconds."""
    ordered = sorted(values)
    high = ordered[round(0.95 * (len(ordered) - 1))]
    numbers = {"median": statistics.median(ordered), "p95": high, "largest": ordered[-1]}
    return {"n": len(ordered)} | {f"{name}_ms": round(1000 * value, 1) for name, value in numbers.items()}


def measure_rounds(served: Served, jobs: int) -> dict:
    """From the moment a round is computed until a tab has its event, and until it has the view."""
    told, visible = [], []
    for seed in range(jobs):
        before = len(served.noted("computed"))
        job, arrivals = served.submit(seed=seed), []
        for kind, _, arrived in served.events(f"/api/jobs/{job}/events"):
            if kind == "round":
                served.client.get(f"/api/jobs/{job}/view").raise_for_status()
                arrivals.append((arrived, time.time()))
        for computed, (event, view) in zip(served.noted("computed")[before:], arrivals, strict=True):
            told.append(event - computed)
            visible.append(view - computed)
    return {"computed_to_event": summary(told), "computed_to_view": summary(visible)}


def measure_questions(served: Served, count: int) -> dict:
    """The answer of a what-if, and what it takes beside the pass of the network."""
    job = served.submit(seed=1)
    list(served.events(f"/api/jobs/{job}/events"))
    answers = []
    for number in range(count):
        stroke = {**BRUSH, "points": [[40 + number, 40], [40 + number, 80]]}
        start = time.perf_counter()
        answer = served.client.post(f"/api/jobs/{job}/what-ifs", json={"drawing": {"strokes": [stroke]}})
        answers.append(time.perf_counter() - start)
        answer.raise_for_status()
        path = f"/api/jobs/{job}/what-ifs/{answer.json()['number']}"
        while served.client.get(path).json()["testing"]:
            time.sleep(0.05)
    networks = served.noted("predicted")
    rest = [answer - network for answer, network in zip(answers, networks, strict=True)]
    return {"answer": summary(answers), "network": summary(networks), "rest": summary(rest)}


def measure_tabs(served: Served, tabs: int) -> dict:
    """From the moment a round is computed until the last of many tabs has its event."""
    last = served.client.get("/api/session").json()["last_event"]
    before = len(served.noted("computed"))
    arrivals: list[list[float]] = [[] for _ in range(tabs)]
    ready = threading.Barrier(tabs + 1)

    def tab(number: int) -> None:
        ready.wait()
        for kind, _, arrived in served.events(f"/api/events?after={last}"):
            if kind == "round":
                arrivals[number].append(arrived)
            if kind == "finished":
                return

    threads = [threading.Thread(target=tab, args=(number,)) for number in range(tabs)]
    for thread in threads:
        thread.start()
    ready.wait()
    served.submit(seed=99)
    for thread in threads:
        thread.join()
    computed = served.noted("computed")[before:]
    late = [max(times) - moment for moment, times in zip(computed, zip(*arrivals, strict=True), strict=True)]
    return {"tabs": tabs, "computed_to_last_tab": summary(late)}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10, help="runs whose rounds are measured")
    parser.add_argument("--questions", type=int, default=10, help="what-ifs")
    parser.add_argument("--tabs", type=int, default=10, help="streams at once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as served:
        result = {
            "cpus": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
            "rounds": measure_rounds(served, options.jobs),
            "what_if": measure_questions(served, options.questions),
            "tabs": measure_tabs(served, options.tabs),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
