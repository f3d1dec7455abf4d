"""`unveil batch`: the runs of a whole data set as tables, by many workers, with nothing lost when one is killed."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unveil.cli import options, preparation
from unveil.cli.batch_progress import archive_as_json, do_missing, end_batch, list_failures
from unveil.cli.completion import complete_from
from unveil.cli.console import console, write_json
from unveil.cli.datasets import open_images
from unveil.cli.run import check_target
from unveil.errors import BatchError

if TYPE_CHECKING:
    from unveil.batch import Archive, BatchPlan, ModelSpec
    from unveil.batch.engines.base import Engine

LOCAL, RAY = "local", "ray"


@dataclass(frozen=True)
class Workers:
    """Who does the work: `count` processes, None for one per core, or actors of Ray."""

    count: int | None
    engine: str
    address: str | None
    gpus: float

    def __post_init__(self) -> None:
        if self.engine not in (LOCAL, RAY):
            raise BatchError(f"--engine {LOCAL} or {RAY}", repr(self.engine)[:40], "choose one of them")
        if self.engine != RAY and (self.address is not None or self.gpus):
            got = "--address" if self.address is not None else "--gpus-per-worker"
            raise BatchError(f"options of --engine {RAY} together with it", f"{got} alone", f"add --engine {RAY}")

    def start(self, archive: "Archive") -> "Engine":
        """The engine; no worker runs yet."""
        from unveil.batch.engines.ray import RayActors  # noqa: PLC0415
        from unveil.batch.engines.spawn import Spawn  # noqa: PLC0415

        plan = archive.plan
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        usual = max(1, cores // plan.threads) if plan.device == "cpu" else 1
        count = min(self.count or usual, max(1, len(archive.missing())))
        if self.engine == LOCAL:
            return Spawn(archive.folder, count, threads=plan.threads)
        return RayActors(archive.folder, count, threads=plan.threads, gpus_per_worker=self.gpus, address=self.address)


def batch(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A folder of images, a .csv table, the folder of a dataset, or FORM/PATH.",
        ),
    ],
    model: options.Model,
    out: Annotated[Path, options.out_option("the archive: plan, shards and tables")],
    weights: options.Weights = None,
    labels: options.Labels = None,
    output: options.OutputMeaning = None,
    head: options.Head = None,
    returns: options.ReturnKind = None,
    target: options.TargetText = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="S", help="train, val … or all.", show_default="the data's", rich_help_panel=options.WHAT),
    ] = None,
    size: preparation.Size = None,
    channels: preparation.Channels = None,
    mean: preparation.MeanText = None,
    std: preparation.StdText = None,
    value_range: preparation.ValueRange = None,
    recipe: options.RecipeText = "recommended",
    trust: options.Trust = True,
    seed: options.Seed = 0,
    keep: Annotated[
        str,
        typer.Option(
            metavar="WHAT",
            help="tables, or records: the full record of each run too.",
            autocompletion=complete_from(("tables", "records")),
            rich_help_panel=options.RESULTS,
        ),
    ] = "tables",
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Try images that failed once more.", rich_help_panel=options.RESULTS),
    ] = False,
    as_json: options.AsJson = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            "-j",
            min=1,
            max=4096,
            metavar="N",
            help="Processes.",
            show_default="one per core, or one on a GPU",
            rich_help_panel=options.MACHINE,
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, metavar="N", help="Threads per worker.", rich_help_panel=options.MACHINE)
    ] = 1,
    engine: Annotated[
        str,
        typer.Option(
            metavar="E",
            help="local (processes of this machine) or ray (actors of Ray).",
            autocompletion=complete_from((LOCAL, RAY)),
            rich_help_panel=options.MACHINE,
        ),
    ] = LOCAL,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="A",
            help="Ray's cluster: auto, or HOST:PORT.",
            show_default="one started here",
            rich_help_panel=options.MACHINE,
        ),
    ] = None,
    gpus_per_worker: Annotated[
        float, typer.Option(min=0, metavar="G", help="With ray; 0.25: four per GPU.", rich_help_panel=options.MACHINE)
    ] = 0.0,
    shard_size: Annotated[
        int, typer.Option(min=1, metavar="N", help="Images per shard.", rich_help_panel=options.MACHINE)
    ] = 16,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    batch_size: options.BatchSize = None,
) -> None:
    """Find the regions of a whole data set, and write tables of all of them.

    The work is planned once, and done in small shards by several processes. Stop it in any way, and run the same call
    again: finished shards are kept, and the tables are those of a call that wasn't stopped. An image that fails is a
    row with its reason; the exit code is then 1.

    Example: unveil batch photos --model torchvision/resnet50 --out archive
    """
    from unveil.batch import ModelSpec, asked_for, open_archive, recall_plan  # noqa: PLC0415 (pyarrow)
    from unveil.batch.interrupts import stop_on_signals  # noqa: PLC0415

    team = Workers(workers, engine, address, gpus_per_worker)
    samples = open_images(data, split)[:]
    spec = ModelSpec(model, weights, None, None, output, head, returns, device, precision)
    prepared = {"size": size, "channels": channels, "mean": mean, "std": std, "value_range": value_range}
    pinned: dict[str, Any] = {
        "seed": seed,
        "batch_size": batch_size,
        "threads": threads,
        "keep": keep,
        "shard_size": shard_size,
    }
    method = {"recipe": recipe, "target": target, "trust": trust}
    asked = asked_for(spec, labels=labels, **method, **prepared, **pinned)
    # A repeated call needs no network, and not even torch.
    plan = recall_plan(out, asked) or _make_plan(
        spec, labels, prepared, method, pinned | {"known": out, "asked": asked}
    )
    archive = open_archive(out, plan, samples)
    with stop_on_signals() as stop:
        if retry_failed:
            again = archive.retry_failed()
            console.print(f"{sum(len(archive.items_of(name)) for name in again)} images are tried again")
        result = do_missing(archive, team.start(archive), stop)
    failures = list_failures(archive) if result.complete else []
    if as_json:
        write_json(archive_as_json(archive, result, failures))
    end_batch(archive, result, failures, stop.exit_code)


def _make_plan(
    spec: "ModelSpec",
    labels: Path | None,
    prepared: dict[str, Any],
    method: dict[str, Any],
    pinned: dict[str, Any],
) -> "BatchPlan":
    """The plan of a call whose options are given as they were typed."""
    from unveil.batch import make_plan  # noqa: PLC0415 (pyarrow)
    from unveil.batch.model_spec import preprocessing_table  # noqa: PLC0415
    from unveil.classifiers.sources.label_files import read_labels  # noqa: PLC0415 (torch)
    from unveil.recipes import get_recipe  # noqa: PLC0415
    from unveil.targets import parse_target  # noqa: PLC0415

    changes = preparation.parse_changes(**prepared)
    chosen = get_recipe(method["recipe"])
    if method["target"] is not None:
        chosen = chosen.with_target(parse_target(method["target"]))
    if not method["trust"]:
        chosen = replace(chosen, trust=None)
    table = None if changes.is_empty else preprocessing_table(changes)
    own = replace(spec, labels=read_labels(labels), preprocessing=table)
    plan = make_plan(own, chosen, value_range=changes.value_range, **pinned)
    check_target(chosen.target, plan.labels)
    return plan
