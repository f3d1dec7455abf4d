"""What a report says of one run, as texts: the answer, tables, settings and limits."""

from typing import Any

from unveil.codec import to_toml
from unveil.records import Run, Verdict
from unveil.report.rows import first_prediction
from unveil.view import View

GENERAL_LIMITS = (
    "A region is what this classifier relies on, not what is true: a supported region can be a shortcut.",
    "Not a medical device: no finding here is a diagnosis.",
)


def report_facts(run: Run, view: View) -> dict[str, Any]:
    """Everything that the page says of a run in words and tables."""
    names = [target["name"] for target in view.document["targets"]]
    unit = "px" if len(run.source.geometry.source_shape) == 2 else "voxels"
    return {
        "name": run.source.name,
        "answer": _answer(run),
        "labels": [
            {
                "name": card.name,
                "verdict": str(card.verdict),
                "round": card.round,
                "regions": ", ".join(str(place + 1) for place in card.regions),
                "reason": card.reason,
            }
            for card in run.labels
        ],
        "regions": [_region(table, names, unit) for table in view.document["regions"]],
        "limits": _limits(run),
        "settings": run_settings(run),
        "command": view.document["command"],
    }


def _region(table: dict, names: list[str], unit: str) -> dict[str, Any]:
    target, other = names[table["target"]], table["other_label"]
    before, after = table["probability_before"], table["probability_after"]
    trust = table["trust"]
    return {
        "number": table["number"],
        "round": table["round"],
        "target": target if other is None else f"{target} → {other['name']}",
        "verdict": trust and trust["verdict"],
        "reason": ("" if trust is None else trust["reason"]) + ("; it speaks against the label" * table["opposes"]),
        "opposes": table["opposes"],
        "drop": f"{table['drop']:+z.2f}",
        "probability": "" if before is None or after is None else f"{before:.1%} → {after:.1%}",
        "area": f"{table['area_px']:,} {unit}",
    }


def _answer(run: Run) -> str:
    """What the run found, in two sentences."""
    labels = " and ".join(f"{name} ({share:.0%})" for name, share in first_prediction(run))
    first = f"The classifier predicts {labels or 'no label'}."
    if not run.regions:
        return f"{first} No region was found: {run.stop.text}."
    verdicts = run.verdicts
    kinds = [(str(kind), sum(one is kind for one in verdicts)) for kind in Verdict]
    parts = [f"{count} {kind}" for kind, count in kinds if count]
    count, rounds = len(run.regions), len(run.rounds)
    regions = f"{count} region{'s' * (count != 1)} in {rounds} round{'s' * (rounds != 1)}"
    judged = f", {', '.join(parts)}" if parts else ", without trust cards"
    return f"{first} {regions[0].upper()}{regions[1:]}{judged}."


def _limits(run: Run) -> list[str]:
    stops = [f"{'' if track is None else f'{track}: '}The run ended: {stop.text}." for track, stop in run.stops.items()]
    empty = [
        f"Round {round_.index}: no region for {one.target}: {one.reason}."
        for round_ in run.rounds
        for one in round_.maps
        if one.reason
    ]
    coverage = max((round_.coverage for round_ in run.rounds), default=0.0)
    return [
        *stops,
        *empty,
        f"{coverage:.0%} of the model's grid was erased in the end; nothing is said about the rest.",
        GENERAL_LIMITS[0],
        *([] if run.trust else ["The regions weren't tested: the run was made without trust cards."]),
    ]


def run_settings(run: Run) -> list[tuple[str, str]]:
    """What was used for this run alone: names with their values."""
    return [
        ("image", f"{run.source.name}, SHA-256 of its pixels {run.source.sha256}"),
        ("seed", str(run.seed)),
        ("duration", f"{run.seconds:.1f} s"),
    ]


def method_settings(run: Run) -> tuple[tuple[str, str], ...]:
    """What many runs share: the classifier, and what it was run with; `recipe` is the last, in TOML."""
    info = run.classifier
    return (
        ("classifier", f"{info.name}, {len(info.labels)} labels, {info.output}"),
        ("weights", f"SHA-256 {info.fingerprint}"),
        ("precision", f"{info.precision} on {info.device}; averaged gradients: {info.averaging_precision}"),
        ("versions", ", ".join(f"{name} {value}" for name, value in run.versions.items())),
        ("recipe", to_toml(run.recipe)),
    )
