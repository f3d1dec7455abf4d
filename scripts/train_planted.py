"""Train the network of `unveil demo`, and prove by intervention what it relies on.

python scripts/train_planted.py            # trains, proves, writes weights and report into the package
python scripts/train_planted.py --prove    # proves the weights that are there, and writes the report anew
"""

import argparse
import json
import os
import platform
import time
from dataclasses import asdict
from pathlib import Path

import torch
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from safetensors.torch import save_file

from unveil.planted.network import WEIGHTS, load_network
from unveil.planted.proof import prove
from unveil.planted.training import TrainingSettings, train

REPORT = WEIGHTS.with_name("training-report.json")


def main() -> None:
    """Parse the options, train unless told otherwise, prove, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prove", action="store_true", help="only prove the weights that ship")
    parser.add_argument("--scenes", type=int, default=TrainingSettings.scenes)
    parser.add_argument("--epochs", type=int, default=TrainingSettings.epochs)
    parser.add_argument("--fp32", action="store_true", help="for processors without bfloat16")
    parser.add_argument("--checkpoints", type=Path, default=Path(".planted-training"))
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where the weights go")
    options = parser.parse_args()
    settings = TrainingSettings(scenes=options.scenes, epochs=options.epochs, bf16=not options.fp32)
    began = time.monotonic()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, TextColumn("{task.fields[remark]}")) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int, remark: str) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total, remark="")
            bars.update(tasks[what], completed=done, remark=remark)

        report: dict = json.loads(REPORT.read_text(encoding="utf-8")) if options.prove and REPORT.exists() else {}
        if options.prove:
            network = load_network()
        else:
            network = train(settings, options.checkpoints, os.cpu_count() or 1, tell)
            save_file({name: value.contiguous() for name, value in network.state_dict().items()}, options.out)
            report["training"] = {**asdict(settings), "seconds": round(time.monotonic() - began), "machine": _machine()}
        report["proof"] = prove(network, on_progress=lambda done, total: tell("proving", done, total, ""))
    options.out.with_name(REPORT.name).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report["proof"], indent=2))


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"


if __name__ == "__main__":
    main()
