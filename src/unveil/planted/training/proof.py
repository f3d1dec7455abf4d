"""Proof of what the demo's network relies on: scenes outside the training set, with some cues left out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from torch import nn

from unveil.planted.networks.demo import logits_of
from unveil.planted.scenes.designs import LABELS
from unveil.planted.scenes.scene import Scene, draw_scene

PROOF_SEEDS = 500_000
SCENES = 500
WILSON_Z = 1.96


@dataclass
class SuccessCount:
    """How often a statement `held`, out of the number of trials `tried`."""

    held: int = 0
    tried: int = 0

    def add(self, held: bool) -> None:
        """Add one trial."""
        self.held += bool(held)
        self.tried += 1

    def as_dict(self) -> dict:
        """Rate with its 95 % Wilson interval."""
        low, high = wilson(self.held, self.tried)
        return {
            "rate": round(self.held / max(1, self.tried), 4),
            "low": round(low, 4),
            "high": round(high, 4),
            "n": self.tried,
        }


def wilson(held: int, tried: int) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927): (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)."""
    if not tried:
        return 0.0, 1.0
    p, z2 = held / tried, WILSON_Z**2
    middle = p + z2 / (2 * tried)
    half = WILSON_Z * sqrt(p * (1 - p) / tried + z2 / (4 * tried**2))
    return max(0.0, (middle - half) / (1 + z2 / tried)), min(1.0, (middle + half) / (1 + z2 / tried))


def prove(
    network: nn.Module, scenes: int = SCENES, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> dict:
    """Draw new scenes with and without their cues, and count how often predictions are those that the design implies.

    - `exact`: the labels predicted are the labels present.
    - `one_suffices`: with only one cue of a label left, the label is predicted (also listed by kind of cue).
    - `one_removed_keeps`: with one of several cues of a label removed, the label is predicted.
    - `all_removed_loses`: with all cues of a label removed, the label is not predicted.
    - `no_evidence_no_label`: with every cue of the scene removed, nothing is predicted.
    """
    counts = {
        name: SuccessCount()
        for name in ("exact", "one_suffices", "one_removed_keeps", "all_removed_loses", "no_evidence_no_label")
    }
    kinds: dict[str, SuccessCount] = {}
    for number in range(scenes):
        scene = draw_scene(PROOF_SEEDS + number)
        trials = list(_trials(scene))
        predicted = _predicted(network, [changed for _, changed, _, _ in trials])
        for (name, _, label, kind), names in zip(trials, predicted, strict=True):
            held = _holds(name, label, names, scene)
            counts[name].add(held)
            if kind:
                kinds.setdefault(f"{label} {kind}", SuccessCount()).add(held)
        on_progress(number + 1, scenes)
    return {
        "scenes": scenes,
        "first_seed": PROOF_SEEDS,
        **{name: count.as_dict() for name, count in counts.items()},
        "one_suffices_by_kind": {kind: kinds[kind].as_dict() for kind in sorted(kinds)},
    }


def _trials(scene: Scene) -> Iterator[tuple[str, Scene, str, str]]:
    """The trials of a scene: name, changed scene, label and kind of cue."""
    yield "exact", scene, "", ""
    if scene.cues:
        yield "no_evidence_no_label", scene.without(cue.index for cue in scene.cues), "", ""
    for label in scene.labels:
        cues = [cue for cue in scene.cues if cue.label == label]
        yield "all_removed_loses", scene.without(cue.index for cue in cues), label, ""
        for cue in cues:
            yield "one_suffices", scene.without(other.index for other in cues if other is not cue), label, cue.kind
            if len(cues) > 1:
                yield "one_removed_keeps", scene.without([cue.index]), label, ""


def _holds(name: str, label: str, predicted: set[str], scene: Scene) -> bool:
    if name == "exact":
        return predicted == set(scene.labels)
    if name == "no_evidence_no_label":
        return not predicted
    return (label in predicted) is (name != "all_removed_loses")


def _predicted(network: nn.Module, scenes: list[Scene]) -> list[set[str]]:
    pixels = torch.from_numpy(np.stack([scene.pixels for scene in scenes]))
    with torch.inference_mode():
        logits = logits_of(network, pixels)
    return [{LABELS[index] for index in torch.nonzero(row >= 0).flatten().tolist()} for row in logits]
