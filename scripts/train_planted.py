"""Train the networks that ship with unveil, and prove by intervention what they rely on.

python scripts/train_planted.py                              # the demo's: trains, proves, writes into the package
python scripts/train_planted.py --prove                      # proves the weights that are there, writes the report anew
python scripts/train_planted.py --benchmark resnet,vit       # networks of the benchmark, both heads of each
python scripts/train_planted.py --benchmark all --prove      # proves all of them
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from safetensors.torch import save_file

from unveil.planted.networks.architectures import (
    ARCHITECTURES,
    HEADS,
    NETWORKS,
    PARTS,
    Architecture,
    EvidenceNet,
    load_trained,
    save_halves,
)
from unveil.planted.networks.demo import WEIGHTS, load_network
from unveil.planted.training.demo_training import DemoSettings, train
from unveil.planted.training.proof import prove
from unveil.planted.training.suite_pool import open_pool
from unveil.planted.training.suite_proof import MIN_DROP, PROOF_SEEDS, SCENES_PER_SUITE, prove_suite
from unveil.planted.training.suite_training import FROM_NOTHING, FROM_TRUNK, Name, SuiteTraining, train_suite

REPORT = WEIGHTS.with_name("demo-report.json")
BENCHMARK_REPORT = NETWORKS / "report.json"
Tell = Callable[[str, int, int, str], None]


def main() -> None:
    """Parse the options, and train or prove the demo's network or the benchmark's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prove", action="store_true", help="only prove the weights that ship")
    parser.add_argument("--benchmark", metavar="NAMES", help=f"of {', '.join(ARCHITECTURES)}; or all")
    parser.add_argument("--scenes", type=int, default=DemoSettings.scenes)
    parser.add_argument("--epochs", type=int, default=DemoSettings.epochs, help="of the demo's network")
    parser.add_argument("--fp32", action="store_true", help="for processors without bfloat16")
    parser.add_argument("--checkpoints", type=Path, default=Path(".planted-training"), help="and the benchmark's pool")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where the demo's weights go")
    options = parser.parse_args()
    with _bars() as tell:
        proof = _benchmark(options, tell) if options.benchmark else _demo(options, tell)
    print(json.dumps(proof, indent=2))


def _demo(options: argparse.Namespace, tell: Tell) -> dict:
    settings = DemoSettings(scenes=options.scenes, epochs=options.epochs, bf16=not options.fp32)
    began = time.monotonic()
    report: dict = json.loads(REPORT.read_text(encoding="utf-8")) if options.prove and REPORT.exists() else {}
    if options.prove:
        network = load_network()
    else:
        network = train(settings, options.checkpoints, os.cpu_count() or 1, tell)
        save_file({name: value.contiguous() for name, value in network.state_dict().items()}, options.out)
        report["training"] = {**asdict(settings), "seconds": round(time.monotonic() - began), "machine": _machine()}
    report["proof"] = prove(network, on_progress=lambda done, total: tell("proving", done, total, ""))
    _write(options.out.with_name(REPORT.name), report)
    return report["proof"]


def _benchmark(options: argparse.Namespace, tell: Tell) -> dict:
    """Networks side by side on the same batches: first their trunks, then both heads of each."""
    asked = list(ARCHITECTURES) if options.benchmark == "all" else options.benchmark.split(",")
    chosen: list[Architecture] = [one for one in ARCHITECTURES if one in asked]
    report: dict = {"training": {}, "proofs": {}}
    if BENCHMARK_REPORT.exists():
        report = json.loads(BENCHMARK_REPORT.read_text(encoding="utf-8"))
    if not options.prove:
        drawn = [0]

        def count(scenes: int) -> None:
            drawn[0] += scenes
            tell("drawing scenes", drawn[0], options.scenes, "")

        pool = open_pool(options.checkpoints / "pool", options.scenes, os.cpu_count() or 1, count)

        def step(trunks: Mapping[Name, EvidenceNet | None], what: str, settings: SuiteTraining) -> dict:
            return train_suite(
                trunks, settings, pool, lambda done, total, remark, networks: tell(what, done, total, remark)
            )

        NETWORKS.mkdir(exist_ok=True)
        changes = {"scenes": options.scenes, "bf16": not options.fp32}
        first, second = (SuiteTraining(**{**asdict(one), **changes}) for one in (FROM_NOTHING, FROM_TRUNK))
        empty: dict[Name, EvidenceNet | None] = {(one, "max"): None for one in chosen}
        learned = step(empty, "training trunks", first)
        trunks: dict[Name, EvidenceNet | None] = {(one, head): learned[one, "max"] for one in chosen for head in HEADS}
        for name, network in step(trunks, "training heads", second).items():
            save_halves(network, NETWORKS / f"{'-'.join(name)}.safetensors")
            settings = {"trunk": asdict(first), "head": asdict(second), "machine": _machine()}
            report["training"]["-".join(name)] = settings
    networks = {name: load_trained(*parts) for name, parts in PARTS.items() if parts[0] in chosen}
    proofs = prove_suite(networks, on_progress=lambda done, total: tell("proving", done, total, ""))
    report["proofs"] |= {name: proof.as_dict() for name, proof in proofs.items()}
    report["scenes_per_suite"], report["first_seed"], report["min_drop"] = SCENES_PER_SUITE, PROOF_SEEDS, MIN_DROP
    _write(BENCHMARK_REPORT, report)
    return report["proofs"]


@contextmanager
def _bars() -> Iterator[Tell]:
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

        yield tell


def _write(path: Path, report: dict) -> None:
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"


if __name__ == "__main__":
    main()
