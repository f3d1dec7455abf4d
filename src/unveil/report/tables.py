"""What a report says of one run, as texts: the answer, tables, settings and limits."""

from dataclasses import dataclass
from typing import Any

from unveil.records import Run, Verdict
from unveil.view import View, region_suspicion


@dataclass(frozen=True)
class RunRow:
    """One run in the index of a report.

    Attributes:
        id: The id of the run in the page.
        name: The name of the image.
        first: The label that is predicted for the whole image, with its probability.
        rounds: The number of rounds.
        supported: The number of supported regions.
        weak: The number of weak regions.
        artifact: The number of artifacts.
        untested: The number of regions without a trust card.
        labels: The labels that were searched for or shown.
        suspicion: The mean of `region_suspicion` over the regions; 0 without regions.
    """

    id: str
    name: str
    first: str
    rounds: int
    supported: int
    weak: int
    artifact: int
    untested: int
    labels: tuple[str, ...]
    suspicion: float


def make_row(run: Run, name: str) -> RunRow:
    """The row of a run whose id in the page is `name`."""
    verdicts = run.verdicts
    scores = [region_suspicion(region.drop, one) for region, one in zip(run.regions, verdicts, strict=True)]
    shown = [label.name for region in run.regions for label in region.shown or ()]
    searched = [one.target for round_ in run.rounds for one in round_.maps]
    return RunRow(
        id=name,
        name=run.source.name,
        first=", ".join(f"{name} {share:.0%}" for name, share in _predicted(run)) or "nothing",
        rounds=len(run.rounds),
        supported=sum(one is Verdict.SUPPORTED for one in verdicts),
        weak=sum(one is Verdict.WEAK for one in verdicts),
        artifact=sum(one is Verdict.ARTIFACT for one in verdicts),
        untested=sum(one is None for one in verdicts),
        labels=tuple(dict.fromkeys(searched + shown)),
        suspicion=round(sum(scores) / len(scores), 4) if scores else 0.0,
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
        "settings": _settings(run),
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


def _predicted(run: Run) -> list[tuple[str, float]]:
    """The labels that are predicted for the whole image, at most three, with their probabilities."""
    chosen = [int(index) for index in run.first.leading(3) if index in set(run.first.predicted())]
    return [(run.classifier.labels[index], float(run.first.probabilities[index])) for index in chosen]


def _answer(run: Run) -> str:
    """What the run found, in two sentences."""
    labels = " and ".join(f"{name} ({share:.0%})" for name, share in _predicted(run))
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
        "A region is what this classifier relies on, not what is true: a supported region can be a shortcut.",
        *([] if run.trust else ["The regions weren't tested: the run was made without trust cards."]),
    ]


def _settings(run: Run) -> list[tuple[str, str]]:
    info, versions = run.classifier, run.versions
    return [
        ("image", f"{run.source.name}, SHA-256 of its pixels {run.source.sha256}"),
        ("classifier", f"{info.name}, {len(info.labels)} labels, {info.output}"),
        ("weights", f"SHA-256 {info.fingerprint}"),
        ("precision", f"{info.precision} on {info.device}; averaged gradients: {info.averaging_precision}"),
        ("seed", str(run.seed)),
        ("duration", f"{run.seconds:.1f} s"),
        ("versions", ", ".join(f"{name} {value}" for name, value in versions.items())),
    ]
