"""`unveil benchmark`: experiments over whole datasets, one module per experiment."""

import typer

from unveil.cli.benchmark_mosaics import mosaics
from unveil.cli.benchmark_paper import paper
from unveil.cli.benchmark_planted import planted
from unveil.cli.benchmark_train import train_benchmark
from unveil.cli.console import add_command

benchmark_app = typer.Typer(help="Run experiments over whole datasets.", no_args_is_help=True)
for experiment in (planted, mosaics, paper):
    add_command(benchmark_app, experiment)
add_command(benchmark_app, train_benchmark, name="train")
