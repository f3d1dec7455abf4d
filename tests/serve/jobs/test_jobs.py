"""All of it in a process of its own, which is killed at random moments."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import tiny_runs
from unveil.classifiers import load_classifier
from unveil.serve.jobs import JobRequest, JobState
from unveil.stopping import MaxRounds
from unveil.store import load_run
from workplaces import all_events, open_workplace, reference, scene_png, wait_over

SCRIPT = Path(__file__).parents[2] / "workplace_process.py"


def start(folder: Path, seed: int) -> tuple[subprocess.Popen, str]:
    """A server, and the line with which it says that it is open."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*sys.path, str(SCRIPT.parent)]),
        "UNVEIL_TEST_THREADS": str(torch.get_num_threads()),
    }
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), str(seed)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    return process, process.stdout.readline()


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_nothing_is_lost_or_done_twice_when_processes_are_killed(tmp_path):
    """Three servers are killed at random moments after a job was submitted; a fourth one ends all jobs."""
    moments, submitted = random.Random(os.environ.get("UNVEIL_KILL_SEED", "7")), {}
    for seed in range(3):
        process, line = start(tmp_path, seed)
        word, job = line.split()
        assert word == "submitted"
        submitted[job] = seed
        time.sleep(moments.uniform(0, 1.2))
        kill(process)
    with open_workplace(tmp_path) as workplace:
        assert {job.id for job in workplace.jobs()} == set(submitted)
        jobs = [wait_over(workplace, job_id) for job_id in submitted]
        # Only now: networks are traced one at a time.
        classifier = load_classifier("planted/demo")
        for job, (job_id, seed) in zip(jobs, submitted.items(), strict=True):
            assert (job.state, job.request.seed) == (JobState.FINISHED, seed), job.message
            run, expected = workplace.run(job_id), reference(workplace, job.request, classifier)
            assert run == expected, tiny_runs.differences(run, expected)
        events = all_events(workplace)
        finished = Counter(event.job for event in events if event.kind == "finished")
        assert finished == dict.fromkeys(submitted, 1)
        ids = [event.id for event in events]
        assert ids == sorted(set(ids))
        files = {path.name for path in (tmp_path / "runs").iterdir()}
        assert files == set(submitted), "no half-written record is left"
        assert len(workplace.images()) == len(list((tmp_path / "images").iterdir())) == 1


def test_rounds_after_a_kill_are_those_of_one_run(tmp_path):
    """Stopped, killed, and gone on in another process."""
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("scene.png", [scene_png()])
        request = JobRequest(image.id, "demo", "demo", {"stop": {"kind": "MaxRounds", "rounds": 2}}, trust=False)
        job = wait_over(workplace, workplace.submit(request).id)
        kept = load_run(workplace.record_folder(job.id))
        workplace.go_on(job.id, 2)
    process, line = start(tmp_path, -1)
    assert line == "open\n"
    time.sleep(0.3)
    kill(process)
    with open_workplace(tmp_path) as workplace:
        job = wait_over(workplace, job.id)
        run = workplace.run(job.id)
        assert job.rounds == len(run.rounds) == 4
        assert run.rounds[:2] == kept.rounds
        expected = reference(
            workplace, request, load_classifier("planted/demo"), lambda recipe: replace(recipe, stop=MaxRounds(4))
        )
        assert run == expected
        assert np.isfinite(run.seconds)
        numbers = [event.data["number"] for event in all_events(workplace, job.id) if event.kind == "round"]
        assert numbers[:2] == [1, 2]
        assert set(numbers) == {1, 2, 3, 4}
