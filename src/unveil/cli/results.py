"""A run for people, as a table of its regions, and for scripts, as plain values."""

from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.table import Table

from unveil.cli.labels import label_table, labels_as_json
from unveil.cli.tables import TableColumn, fit_table
from unveil.cli.texts import as_text
from unveil.cli.trust import trust_as_json, trust_table
from unveil.targets import class_score

if TYPE_CHECKING:
    from unveil.predictions import Prediction
    from unveil.records import Region, Round, Run


def describe_run(run: "Run") -> str:
    """A run in one line, with Rich's markup: what was predicted, how much was found, and why the run ended."""
    stops = "; ".join(dict.fromkeys(reason.text for reason in run.stops.values()))
    count = len(run.regions)
    labels = [class_score(index, run.classifier.labels).name for index in run.first.predicted()[:3]]
    predicted = ", ".join(map(as_text, labels)) or "nothing"
    regions = f"{count} region{'s' * (count != 1)} in {len(run.rounds)} round{'s' * (len(run.rounds) != 1)}"
    return f"predicted {predicted}; {regions}, {run.seconds:.1f} s ({as_text(stops)})"


def print_tables(run: "Run", console: Console) -> None:
    """Print the tables of a run: its regions, its labels and its trust cards. Nothing for a run without regions."""
    if not run.regions:
        return
    console.print(region_table(run, console.width))
    if (labels := label_table(run, console.width)) is not None:
        console.print()
        console.print(labels)
    if (cards := trust_table(run, console.width)) is not None:
        console.print("", cards)


def region_table(run: "Run", width: int) -> Table | Group:
    """All regions of a run, one line each and numbered from 1, in a table of at most `width` characters.

    A region that shows another label than its target has both in its line, with an arrow between them. Below the
    regions of a round are the labels that appeared (+) and disappeared (−) with it.
    """
    rows: list[tuple[str, ...]] = []
    numbers = count(1)
    for round_ in run.rounds:
        rows += [(str(next(numbers)), *_cells(round_, region)) for region in round_.regions]
        appeared, disappeared = run.appeared(round_), run.disappeared(round_)
        if appeared or disappeared:
            changes = [*(f"[green]+ {as_text(name)}[/]" for name in appeared)]
            changes += [f"[yellow]− {as_text(name)}[/]" for name in disappeared]
            rows.append(("", "", "\n".join(changes), *("",) * 6))
    is_flat = len(run.source.geometry.source_shape) == 2
    names = ("", "round", "target", "area px" if is_flat else "voxels", "drop", "probability", "stability", "revealed")
    orders = (0, 0, 0, 2, 0, 1, 3, 4, 2)
    cells = zip(*rows, strict=True) if rows else [()] * len(orders)
    columns = zip((*names, "rim share"), orders, cells, strict=True)
    return fit_table([TableColumn(name, cells, order, name == "target") for name, order, cells in columns], width)


def _cells(round_: "Round", region: "Region") -> tuple[str, ...]:
    before, after, shown = region.probability_before, region.probability_after, region.other_label
    return (
        str(round_.index),
        as_text(region.target) if shown is None else f"{as_text(region.target)} → {as_text(shown.name)}",
        f"{region.area_px:,}",
        f"{region.drop:+z.2f}",
        "" if before is None or after is None else f"{before:.1%} → {after:.1%}",
        "" if region.stability is None else f"{region.stability:.2f}",
        f"{region.revealed:.2f}",
        f"[red]{region.rim_share:.0%}[/]" if region.is_rim else f"{region.rim_share:.0%}",
    )


def run_as_json(run: "Run") -> dict:
    """The numbers of a run for `--json`; the record holds everything."""
    return {
        "stop": {
            str(track or "joint"): {"kind": str(reason.kind), "text": reason.text}
            for track, reason in run.stops.items()
        },
        "seconds": round(run.seconds, 3),
        "labels": labels_as_json(run),
        "trust": trust_as_json(run),
        "rounds": [
            {
                "round": round_.index,
                "track": round_.track,
                "predicted_before": _predicted(run, round_.before),
                "predicted_after": _predicted(run, round_.after),
                "appeared": list(run.appeared(round_)),
                "disappeared": list(run.disappeared(round_)),
                "coverage": round_.coverage,
                "no_region": [{"target": item.target, "reason": item.reason} for item in round_.maps if item.reason],
                "regions": [
                    {
                        "target": region.target,
                        "area_px": region.area_px,
                        "area_mm2": region.area_mm2,
                        "volume_mm3": region.volume_mm3,
                        "box": None if region.box is None else [*region.box.start, *region.box.stop],
                        "drop": region.drop,
                        "probability_before": region.probability_before,
                        "probability_after": region.probability_after,
                        "stability": region.stability,
                        "revealed": region.revealed,
                        "rim_share": region.rim_share,
                        "box_gain": region.box_gain,
                        "shown": None if region.shown is None else [asdict(label) for label in region.shown],
                    }
                    for region in round_.regions
                ],
            }
            for round_ in run.rounds
        ],
    }


def _predicted(run: "Run", prediction: "Prediction") -> list[dict]:
    # Labels may repeat, so none of them is a key.
    probabilities = prediction.probabilities
    return [
        {"label": run.classifier.labels[index], "index": index, "probability": float(probabilities[index])}
        for index in prediction.predicted()
    ]
