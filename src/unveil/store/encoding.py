"""From a run to plain tables and arrays; `decoding` is the way back."""

from typing import Any

import numpy as np

from unveil.images.placement import Placement
from unveil.masks import Mask
from unveil.records import ClassifierInfo, Region, Round, Run, Source, to_half
from unveil.store.manifest import FORMAT, VERSION
from unveil.store.trust import encode_cards, encode_shown, encode_target

Arrays = dict[str, np.ndarray]


def encode(run: Run) -> tuple[dict, Arrays]:
    """The manifest without its seal, and the arrays by their names."""
    arrays: Arrays = {"first": _logits(run.first.logits)}
    rounds = [_round(round_, f"round/{number}", arrays) for number, round_ in enumerate(run.rounds, 1)]
    for number, track in enumerate(run.stops, 1):
        arrays[f"track/{number}/final"] = np.asarray(run.final_images[track], dtype=np.uint8)
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "source": _source(run.source),
        "classifier": _classifier(run.classifier),
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


def _classifier(info: ClassifierInfo) -> dict:
    return {
        "name": info.name,
        "fingerprint": info.fingerprint,
        "labels": list(info.labels),
        "output": str(info.output),
        "device": info.device,
        "precision": info.precision,
        "averaging_precision": info.averaging_precision,
        "preprocessing": info.preprocessing,
        "probe": None if info.probe is None else {"logits": list(info.probe.logits), "norm": info.probe.norm},
    }


def _round(round_: Round, name: str, arrays: Arrays) -> dict:
    arrays[f"{name}/before"] = _logits(round_.before.logits)
    arrays[f"{name}/after"] = _logits(round_.after.logits)
    arrays[f"{name}/image"] = np.asarray(round_.image, dtype=np.uint8)
    maps = []
    for number, target_map in enumerate(round_.maps, 1):
        arrays[f"{name}/map/{number}"], scale = to_half(target_map.saliency)
        target = encode_target(target_map.target_score)
        maps.append({"target": target, "scale": scale, "reason": target_map.reason})
    return {
        "index": round_.index,
        "track": round_.track,
        "rectifiers": round_.rectifiers,
        "erased": _mask(round_.erased),
        "erased_after": _mask(round_.erased_after),
        "maps": maps,
        "regions": [_region(region) for region in round_.regions],
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
        "box_gain",
    )
    shown = region.shown
    return {
        "target": encode_target(region.target_score),
        **{name: _number(getattr(region, name)) for name in numbers},
        "shown": None if shown is None else [encode_shown(label) for label in shown],
        "mask": _mask(region.mask),
        "model_mask": _mask(region.model_mask),
    }


def _mask(mask: Mask) -> dict:
    return {"shape": list(mask.shape), "runs": list(mask.runs)}


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _logits(logits: np.ndarray) -> np.ndarray:
    return np.asarray(logits, dtype=np.float64)
