"""The regions of a view, with all that is known of each, and how suspicious it is."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from unveil.records import Region, Round, Run, ShownLabel, TrustCard, Verdict
from unveil.view.blobs import mask_table
from unveil.view.labels import view_targets

RANK = {Verdict.SUPPORTED: 0, Verdict.WEAK: 1, Verdict.ARTIFACT: 2}


def region_suspicion(drop: float, verdict: Verdict | None) -> float:
    """How suspicious a region is, for sorting: rank + 1 / (1 + max(`drop`, 0)), in (0, 3].

    The rank is 2 for an artifact, 1 for a weak region and for one without a `verdict`, and 0 for a supported one. So
    verdicts never mix, and among regions of one verdict those with the smallest drops come first; regions that speak
    against their target (a negative drop) are at the top.

    >>> region_suspicion(3.0, Verdict.SUPPORTED), region_suspicion(0.0, Verdict.ARTIFACT)
    (0.25, 3.0)
    """
    return (1 if verdict is None else RANK[verdict]) + 1 / (1 + max(drop, 0.0))


def region_ids(run: Run) -> list[str]:
    """The ids of all regions of a `run`, in their order: `r2.1` is the first region of round 2.

    With separate tracks, `t3r2.1` is that of the third track. Ids are unique, and the same whenever a view is made.
    """
    return name_region_ids(run.tracks, [(round_.track, round_.index, len(round_.regions)) for round_ in run.rounds])


def name_region_ids(tracks: Sequence[str | None], rounds: Iterable[tuple[str | None, int, int]]) -> list[str]:
    """The ids of all regions of a run with these `tracks`; each of its `rounds` is given as its track, its number in
    the track, and the number of its regions.

    >>> name_region_ids([None], [(None, 1, 2)]), name_region_ids(["a", "b"], [("b", 1, 1)])
    (['r1.1', 'r1.2'], ['t2r1.1'])
    """
    names = []
    for track, index, regions in rounds:
        prefix = f"t{list(tracks).index(track) + 1}" if len(tracks) > 1 else ""
        names += [f"{prefix}r{index}.{number}" for number in range(1, regions + 1)]
    return names


def region_tables(run: Run) -> list[dict]:
    """One table per region, in the order of `Run.regions`."""
    places = [(round_, region) for round_ in run.rounds for region in round_.regions]
    cards = [None] * len(places) if run.trust is None else run.trust.cards
    targets = {score: number for number, score in enumerate(view_targets(run))}
    return [
        {
            "id": name,
            "number": number,
            "target": targets.get(region.target_score, 0),
            **_place(run, round_),
            **_measures(region),
            **_verdict(region, card),
        }
        for number, (name, (round_, region), card) in enumerate(
            zip(region_ids(run), places, cards, strict=True), start=1
        )
    ]


def _place(run: Run, round_: Round) -> dict:
    return {"track": list(run.tracks).index(round_.track), "round": round_.index}


def _measures(region: Region) -> dict:
    box = region.box
    shown, other = region.shown, region.other_label
    numbers = ("area_mm2", "volume_mm3", "drop", "score_before", "score_after", "probability_before")
    more = ("probability_after", "stability", "revealed", "rim_share", "box_gain")
    values = {name: getattr(region, name) for name in (*numbers, *more)}
    return {
        **{name: None if value is None else float(value) for name, value in values.items()},
        "area_px": int(region.area_px),
        "box": None if box is None else {"start": list(map(int, box.start)), "stop": list(map(int, box.stop))},
        "shown": None if shown is None else [_shown(label) for label in shown],
        "other_label": None if other is None else _shown(other),
        "opposes": bool(region.drop < 0),
        "mask": mask_table(region.mask),
        "model_mask": mask_table(region.model_mask),
    }


def _shown(label: ShownLabel) -> dict:
    return {"class_index": int(label.class_index), "name": label.name, "gain": float(label.gain)}


def _verdict(region: Region, card: TrustCard | None) -> dict:
    verdict = None if card is None else card.verdict
    return {
        "suspicion": region_suspicion(region.drop, verdict),
        "trust": None if card is None else {**asdict(card), "verdict": str(card.verdict)},
    }
