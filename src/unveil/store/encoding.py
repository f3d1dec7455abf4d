"""From a run to plain tables and arrays; `decoding` is the way back."""

from typing import Any

import numpy as np

from unveil.images.placement import Placement
from unveil.masks import Mask
from unveil.records.run import ClassifierInfo, Region, Round, Run, Source, to_half
from unveil.store.cards import encode_cards
from unveil.store.manifest import FORMAT, VERSION

Arrays = dict[str, np.ndarray]


def encode(run: Run) -> tuple[dict, Arrays]:
    """The manifest without its seal, and the arrays by their names."""
    arrays: Arrays = {"first": _logits(run.first.logits)}
    rounds = [_round(one, f"round/{number}", arrays) for number, one in enumerate(run.rounds, 1)]
    for number, track in enumerate(run.stops, 1):
        arrays[f"track/{number}/final"] = np.asarray(run.final_images[track], dtype=np.uint8)
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "source": _source(run.source),
        "classifier": _asked(run.classifier),
        "recipe": run.recipe,
        "seed": int(run.seed),
        "seconds": float(run.seconds),
        "versions": dict(run.versions),
        "stops": [{"track": track, "kind": str(stop.kind), "text": stop.text} for track, stop in run.stops.items()],
        "rounds": rounds,
        "trust": None if run.trust is None else encode_cards(run.trust),
    }
    return manifest, arrays


def _source(source: Source) -> dict:
    return {
        "name": source.name,
        "sha256": source.sha256,
        "channels": source.channels,
        "geometry": source.geometry.as_dict(),
        "spacing_mm": None if source.spacing_mm is None else list(source.spacing_mm),
        "value_range": None if source.value_range is None else [float(value) for value in source.value_range],
        "placement": None if source.placement is None else _placement(source.placement),
    }


def _placement(placement: Placement) -> dict:
    return {
        "affine": [list(row) for row in placement.affine],
        "axes": placement.axes,
        "stored": placement.stored,
    }


def _asked(asked: ClassifierInfo) -> dict:
    return {
        "name": asked.name,
        "fingerprint": asked.fingerprint,
        "labels": list(asked.labels),
        "output": str(asked.output),
        "device": asked.device,
        "precision": asked.precision,
    }


def _round(one: Round, name: str, arrays: Arrays) -> dict:
    arrays[f"{name}/before"] = _logits(one.before.logits)
    arrays[f"{name}/after"] = _logits(one.after.logits)
    arrays[f"{name}/image"] = np.asarray(one.image, dtype=np.uint8)
    maps = []
    for number, found in enumerate(one.maps, 1):
        arrays[f"{name}/map/{number}"], scale = to_half(found.saliency)
        maps.append({"target": found.target, "scale": scale, "reason": found.reason})
    return {
        "index": one.index,
        "track": one.track,
        "rectifiers": one.rectifiers,
        "erased": _outline(one.erased),
        "erased_after": _outline(one.erased_after),
        "maps": maps,
        "regions": [_region(region) for region in one.regions],
    }


def _region(region: Region) -> dict:
    numbers = (
        "area_mm2",
        "volume_mm3",
        "score_before",
        "score_after",
        "probability_before",
        "probability_after",
        "stability",
        "revealed",
        "rim_share",
    )
    return {
        "target": region.target,
        **{name: _number(getattr(region, name)) for name in numbers},
        "mask": _outline(region.mask),
        "model_mask": _outline(region.model_mask),
    }


def _outline(mask: Mask) -> dict:
    return {"shape": list(mask.shape), "runs": list(mask.runs)}


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _logits(logits: np.ndarray) -> np.ndarray:
    return np.asarray(logits, dtype=np.float64)
