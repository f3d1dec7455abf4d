"""A server without HTTP that may be killed: `python workplace_process.py FOLDER SEED`.

It submits one job of a planted scene and prints its id, or `open` for a negative seed; then it runs until nothing is
left to do.
"""

import os
import sys
import time
from pathlib import Path

import torch
from jaxtyping import install_import_hook

# As in the tests: a network that can't be traced, and sums of other threads, are rounded otherwise.
install_import_hook("unveil", "checking.check")
torch.set_num_threads(int(os.environ["UNVEIL_TEST_THREADS"]))

from unveil.serve.jobs import JobRequest  # noqa: E402
from workplaces import open_workplace, scene_png  # noqa: E402

KILLED_SETTINGS = {"stop.stops.0.rounds": 3}


def main(folder: str, seed: str) -> None:
    with open_workplace(Path(folder)) as workplace:
        if int(seed) >= 0:
            image = workplace.add_image("scene.png", [scene_png()])
            request = JobRequest(image.id, "demo", "demo", KILLED_SETTINGS, seed=int(seed), trust=int(seed) % 2 == 0)
            say(f"submitted {workplace.submit(request).id}")
        else:
            say("open")
        while not all(job.state.is_over for job in workplace.jobs()):
            time.sleep(0.02)
        say("done")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
