"""What a command costs beyond its run: from the prompt to the figure, compared with a bare script.

    python benchmarks/startup.py photo.jpg --model resnet50 --weights resnet50.safetensors --json > startup.json

Three processes in turns, medians over `--repeats`:

- `bare`: imports torch and torchvision, builds the network and loads its weights;
- `command`: `unveil run` with the figure, from the start of the process to its end;
- `run`: the run itself, in a process where the classifier has found the regions of this image before.

`beyond` is command - bare - run. Times are of a whole process, so that starting and ending Python count on both sides;
`--threads` sets the threads of PyTorch on all of them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from measuring import machine, timed

BARE = """
import sys, torch, torchvision
from safetensors.torch import load_file
network = getattr(torchvision.models, sys.argv[1])(weights=None)
network.load_state_dict(load_file(sys.argv[2]))
network.eval()
"""
COMMAND = "from unveil.cli import main; main()"
RUN = """
import json, sys, time
import unveil
options = json.loads(sys.argv[1])
classifier = unveil.load_classifier(options["model"], options["weights"], labels=options["labels"])
seconds = []
for _ in range(2):
    started = time.perf_counter()
    unveil.find_regions(unveil.read_image(options["image"]), classifier, options["recipe"], trust=options["trust"])
    seconds.append(time.perf_counter() - started)
print(min(seconds))
"""


def seconds_of_bare(options: argparse.Namespace, environment: dict[str, str]) -> float:
    """Seconds of the bare script."""
    call = [sys.executable, "-c", BARE, options.model, str(options.weights)]
    return timed(lambda: subprocess.run(call, env=environment, check=True))  # noqa: S603 (the text above)


def seconds_of_command(options: argparse.Namespace, environment: dict[str, str]) -> float:
    """Seconds of `unveil run`, into a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        call = [sys.executable, "-c", COMMAND, "run", str(options.image), "--model", f"torchvision/{options.model}"]
        call += ["--weights", str(options.weights), "--recipe", options.recipe, "--out", f"{folder}/runs"]
        call += ["--labels", str(options.labels)] if options.labels else []
        call += [] if options.trust else ["--no-trust"]
        output = subprocess.DEVNULL
        return timed(lambda: subprocess.run(call, env=environment, check=True, stdout=output, stderr=output))  # noqa: S603


def seconds_of_run(options: argparse.Namespace, environment: dict[str, str]) -> float:
    """Seconds of the run alone."""
    settings = {
        "model": f"torchvision/{options.model}",
        "weights": str(options.weights),
        "labels": str(options.labels) if options.labels else None,
        "image": str(options.image),
        "recipe": options.recipe,
        "trust": options.trust,
    }
    call = [sys.executable, "-c", RUN, json.dumps(settings)]
    done = subprocess.run(call, env=environment, check=True, capture_output=True, text=True)  # noqa: S603
    return float(done.stdout.strip().splitlines()[-1])


def measure(options: argparse.Namespace) -> dict:
    """The row: medians of all repeats, in turns."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)} if options.threads else dict(os.environ)
    sides = {"bare": seconds_of_bare, "command": seconds_of_command, "run": seconds_of_run}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(options.repeats):
        for name, measured in sides.items():
            seconds[name].append(measured(options, environment))
        print({name: round(values[-1], 2) for name, values in seconds.items()}, file=sys.stderr, flush=True)
    middle = {name: median(values) for name, values in seconds.items()}
    return {
        "model": options.model,
        "recipe": options.recipe,
        "trust": options.trust,
        **{f"{name}_s": round(value, 2) for name, value in middle.items()},
        "beyond_s": round(middle["command"] - middle["bare"] - middle["run"], 2),
        **{f"all_{name}_s": [round(value, 2) for value in values] for name, values in seconds.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path)
    parser.add_argument("--model", default="resnet50", help="a model of torchvision")
    parser.add_argument("--weights", type=Path, required=True, help="a .safetensors file")
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--recipe", default="recommended")
    parser.add_argument("--no-trust", dest="trust", action="store_false", help="without trust cards")
    parser.add_argument("--threads", type=int, help="threads of PyTorch; default: its own")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    row = measure(options)
    if options.json:
        threads = {"threads": options.threads} if options.threads else {}
        print(json.dumps({"machine": {**machine(), **threads}, "rows": [row]}, indent=1))
    else:
        print(f"command {row['command_s']} s, bare {row['bare_s']} s, run {row['run_s']} s: {row['beyond_s']} s beyond")


if __name__ == "__main__":
    main()
