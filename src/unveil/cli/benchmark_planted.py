"""`unveil benchmark planted`: regions of several methods compared with known evidence, on networks of the package."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table

from unveil import __version__
from unveil.atomic import check_folder, write_text
from unveil.cli import options
from unveil.cli.console import console, write_json
from unveil.cli.progress import ProgressLines, live
from unveil.cli.tables import TableColumn, fit_table
from unveil.cli.texts import as_text
from unveil.errors import UnveilError
from unveil.evaluation.formatting import format_number
from unveil.evaluation.paper.report import machine_info

if TYPE_CHECKING:
    from unveil.evaluation.planted.methods import MapMethod, Method, RoundsMethod
    from unveil.evaluation.planted.rows import NetworkBenchmark, OnDone

SMALL_NETWORKS = "resnet-max,resnet-average"
SMALL_SCENES, SMALL_MASKS = 2, 500
FULL_SCENES, FULL_MASKS = 20, 4000  # RISE's own number of masks
FIRST_SEED = 700_000
ROW_FORMAT = 2  # rows that were kept before passes were counted are made again
COLUMNS = ("recall", "recall_equal_area", "precision", "false_region_rate", "rim_rate")


class BenchmarkArgumentError(UnveilError):
    """A network or a method that the benchmark doesn't have."""


@dataclass(frozen=True)
class BenchmarkPlan:
    """What is run on every network."""

    in_rounds: "tuple[RoundsMethod, ...]"
    one_maps: "tuple[MapMethod, ...]"
    scenes: int
    suites: tuple[str, ...]
    first_seed: int
    seed: int
    rows: Path


def planted(
    networks: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Such as resnet-max,vit-average; or all. With --full, all is the default.",
            rich_help_panel=options.WHAT,
        ),
    ] = SMALL_NETWORKS,
    suites: Annotated[
        str, typer.Option(metavar="NAMES", help="Such as usual,overlap,absent; or all.", rich_help_panel=options.WHAT)
    ] = "all",
    scenes: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Scenes per suite.",
            show_default=f"{SMALL_SCENES}; with --full {FULL_SCENES}",
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    first_seed: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Seed of the first scene. To choose settings, use scenes other than those of the default.",
            rich_help_panel=options.WHAT,
        ),
    ] = FIRST_SEED,
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Recipes (a name or a TOML file) and single maps, separated by commas; or all.",
            rich_help_panel=options.METHOD,
        ),
    ] = "all",
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="All networks, more scenes, RISE with all its masks.",
            rich_help_panel=options.METHOD,
        ),
    ] = False,
    seed: options.Seed = 0,
    out: Annotated[Path, options.out_option("rows and tables")] = Path("unveil-planted"),
    as_json: options.AsJson = False,
) -> None:
    """Measure methods where the evidence is known: how many cues they find by which round, and how many false regions.

    Writes one file per method and network into OUT/rows and results.json into OUT. Run the same call again after a
    stop: finished rows are kept.

    Example: unveil benchmark planted --networks resnet-max --methods recommended,SmoothGrad --json
    """
    from unveil.planted.networks.architectures import NAMES  # noqa: PLC0415 (torch)
    from unveil.planted.scenes.suites import SUITES  # noqa: PLC0415
    from unveil.seeding import check_seed  # noqa: PLC0415

    check_folder(out)
    check_seed(seed)
    count, masks = (FULL_SCENES, FULL_MASKS) if full else (SMALL_SCENES, SMALL_MASKS)
    in_rounds, one_maps = _methods(methods, masks)
    drawn = tuple(_chosen(suites, tuple(SUITES), "suite"))
    plan = BenchmarkPlan(
        in_rounds, one_maps, count if scenes is None else scenes, drawn, first_seed, seed, out / "rows"
    )
    chosen = _chosen("all" if full and networks == SMALL_NETWORKS else networks, NAMES, "network")
    rows = _all_rows(plan, chosen)
    results = {
        "benchmark": "planted",
        "version": __version__,
        "scenes_per_suite": plan.scenes,
        "suites": list(plan.suites),
        "first_seed": first_seed,
        "seed": seed,
        "rows": rows,
        "machine": machine_info(),
    }
    _write_json(out / "results.json", results)
    console.print(_table(rows, console.width), "")
    for row in rows:
        if "refused" in row:
            console.print(f"{row['network']}-{row['head']}, {row['method']}: {row['refused']}", markup=False)
    console.print(f"rows: {as_text(str(out))}", soft_wrap=True)
    if as_json:
        write_json(results)


def _all_rows(plan: BenchmarkPlan, networks: Sequence[str]) -> list[dict]:
    """Every network's rows, with progress."""
    rows = []
    with live("finished rows are kept, and the same call continues from there") as bars:
        whole = bars.add_task("rows", total=len(networks) * (len(plan.in_rounds) + len(plan.one_maps)), remark="")
        bar, lines = bars.add_task("questions", total=1, remark=""), ProgressLines()

        def tell(what: str, done: int, total: int) -> None:
            bars.update(bar, completed=done, total=total, remark=as_text(what))
            lines.show(f"{what}: {done} of {total}")

        for name in networks:
            bars.update(whole, remark=name)
            for row in _Network(name, plan, tell).rows():
                rows.append(row)
                bars.advance(whole)
                if not console.is_terminal:
                    console.print(f"{name}: {row['method']}", markup=False)
    return rows


def _methods(methods: str, masks: int) -> "tuple[tuple[RoundsMethod, ...], tuple[MapMethod, ...]]":
    """Recipes and single maps by their names."""
    from unveil.evaluation.planted.methods import (  # noqa: PLC0415 (torch)
        REFERENCE,
        get_rounds_method,
        map_methods,
    )

    maps = map_methods(masks)
    asked = [REFERENCE, "paper", *maps] if methods == "all" else _parted(methods)
    # Single maps are cut at the area that our rounds took, so these come first, and always.
    recipes = dict.fromkeys((REFERENCE, *(name for name in asked if name not in maps)))
    return tuple(get_rounds_method(name) for name in recipes), tuple(maps[name] for name in asked if name in maps)


class _Network:
    """One network of the plan, and its rows; its questions are drawn once a row asks for them."""

    def __init__(self, name: str, plan: BenchmarkPlan, tell: Callable[[str, int, int], None]) -> None:
        from unveil.classifiers import load_classifier  # noqa: PLC0415 (torch)

        self.name, self._plan, self._tell = name, plan, tell
        self._classifier = load_classifier(f"planted/{name}", device="cpu")

    @cached_property
    def _benchmark(self) -> "NetworkBenchmark":
        from unveil.evaluation.planted.rows import TUNING_SEEDS, NetworkBenchmark, draw_questions  # noqa: PLC0415

        plan = self._plan
        self._tell("drawing scenes", 0, 1)
        firsts = (plan.first_seed, TUNING_SEEDS)
        asked, tuning = (draw_questions(self._classifier, plan.scenes, first, plan.suites) for first in firsts)
        return NetworkBenchmark(self._classifier, asked, tuning, plan.seed)

    def rows(self) -> Iterator[dict]:
        """Yield one row per method, the reference method first."""
        from unveil.evaluation.planted.rows import ReferenceAreas, measure_single_map  # noqa: PLC0415

        first, *others = self._plan.in_rounds
        reference = self._kept(first, lambda tell: self._measure_rounds(first, tell))
        if "took" not in reference:
            raise BenchmarkArgumentError(f"questions for {self.name}", reference["row"]["refused"], "draw more scenes")
        yield self._named(first, reference)
        for method in others:
            row = self._kept(method, lambda tell, method=method: self._measure_rounds(method, tell))
            yield self._named(method, row)
        areas = ReferenceAreas.from_dict(reference["took"])
        for method in self._plan.one_maps:
            row = self._kept(
                method,
                lambda tell, method=method: {"row": measure_single_map(method, self._benchmark, areas, tell).as_dict()},
            )
            yield self._named(method, row)

    def _measure_rounds(self, method: "RoundsMethod", tell: "OnDone") -> dict:
        from unveil.evaluation.planted.rows import measure_rounds  # noqa: PLC0415

        row, areas = measure_rounds(method, self._benchmark, tell)
        return {"row": row.as_dict(), "took": areas.as_dict()}

    def _named(self, method: "Method", made: dict) -> dict:
        architecture, _, head = self.name.partition("-")
        return {"method": method.name, "network": architecture, "head": head, **made["row"]}

    def _kept(self, method: "Method", make: "Callable[[OnDone], dict]") -> dict:
        plan = self._plan
        parts = (self._classifier.fingerprint, method.settings, plan.in_rounds[0].settings)
        plain = [__version__, ROW_FORMAT, plan.scenes, plan.suites, plan.first_seed, plan.seed]
        key = json.dumps([*plain, *parts], sort_keys=True)
        return _find_or_make(
            plan.rows / f"{self.name}-{method.name}.json",
            hashlib.sha256(key.encode()).hexdigest(),
            lambda: make(lambda done, total: self._tell(method.name, done, total)),
        )


def _find_or_make(path: Path, key: str, make: Callable[[], dict]) -> dict:
    """The existing row if it has the same key, else a new one, written when it is complete."""
    from unveil.evaluation.planted.rows import refuse  # noqa: PLC0415

    if path.is_file():
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            there = {}
        if there.get("key") == key:
            return there
    try:
        made = make()
    except UnveilError as error:
        made = {"row": refuse(error).as_dict()}
    _write_json(path, {"key": key, **made})
    return made


def _parted(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _chosen(text: str, known: Sequence[str], what: str) -> list[str]:
    asked = list(known) if text == "all" else _parted(text)
    unknown = [one for one in asked if one not in known]
    if unknown or not asked:
        raise BenchmarkArgumentError(
            f"a {what} among {', '.join(known)}", repr(unknown[0] if unknown else text), "choose some"
        )
    return asked


def _write_json(path: Path, value: dict) -> None:
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def _table(rows: Sequence[dict], width: int) -> Table | Group:
    columns = [
        TableColumn("network", [f"{row['network']}-{row['head']}" for row in rows]),
        TableColumn("method", [as_text(row["method"]) for row in rows], is_text=True),
    ]
    for order, name in enumerate(COLUMNS):
        columns.append(TableColumn(name.replace("_", " "), [format_number(row[name]) for row in rows], order))
    columns.append(TableColumn("seconds", [format_number(row["seconds"]) for row in rows], len(COLUMNS)))
    passes = [format_number(row.get("passes"), 0) for row in rows]
    columns.append(TableColumn("passes", passes, len(COLUMNS) + 1))
    return fit_table(columns, width)
