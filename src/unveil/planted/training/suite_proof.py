"""Proof of what the benchmark's networks rely on: scenes outside the training set, with some cues left out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import quantiles

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from unveil.planted.networks.demo import logits_of
from unveil.planted.scenes.scene import Scene
from unveil.planted.scenes.signs import BENCHMARK
from unveil.planted.scenes.suites import SUITES, suite_scene
from unveil.planted.training.proof import SuccessCount

PROOF_SEEDS = 600_000
SCENES_PER_SUITE = 20
MIN_DROP = 0.5  # drop in logits from which a cue counts as used


@dataclass(frozen=True, eq=False)
class Interventions:
    """The interventions on one label of one scene.

    Attributes:
        suite: The suite of the scene.
        label: The label.
        cues: The number of its cues.
        scenes: The scene itself, without each of the label's cues, with each cue alone, and without any of them.
    """

    suite: str
    label: str
    cues: int
    scenes: tuple[Scene, ...]

    @classmethod
    def on(cls, suite: str, scene: Scene, label: str) -> "Interventions":
        """All interventions for a label that is present."""
        cues = [cue.index for cue in scene.cues if cue.label == label]
        without = [scene.without([index]) for index in cues]
        alone = [scene.without(other for other in cues if other != index) for index in cues]
        return cls(suite, label, len(cues), (scene, *without, *alone, scene.without(cues)))


@dataclass
class ProofCounts:
    """Counts for one network.

    - `exact`: the labels predicted are those present.
    - `alone_predicts`: with one cue left, its label is predicted; `none_loses`: without any cue it isn't.
    - `used`: removing the only cue left lowers its label's logit by at least `MIN_DROP` (also by suite).
    - `adds`: for a label with several cues, removing any one of them lowers the logit by at least `MIN_DROP`.
    - `hidden`: for a label with several cues, removing any but the strongest changes the logit by less than 0.1.
    - `used_by_suite`: `used` by suite. `drops`: the drops counted in `adds`, in logits.
    """

    exact: SuccessCount = field(default_factory=SuccessCount)
    alone_predicts: SuccessCount = field(default_factory=SuccessCount)
    none_loses: SuccessCount = field(default_factory=SuccessCount)
    used: SuccessCount = field(default_factory=SuccessCount)
    adds: SuccessCount = field(default_factory=SuccessCount)
    hidden: SuccessCount = field(default_factory=SuccessCount)
    used_by_suite: dict[str, SuccessCount] = field(default_factory=dict)
    drops: list[float] = field(default_factory=list)

    def add_scene(self, scene: Scene, logits: Float[np.ndarray, "labels"]) -> None:
        """Count whether exactly the labels of a scene are predicted."""
        predicted = {label for label, logit in zip(BENCHMARK.labels, logits, strict=True) if logit >= 0}
        self.exact.add(predicted == set(scene.labels))

    def add(self, interventions: Interventions, logits: Float[np.ndarray, "scenes"]) -> None:
        """Count one label's interventions, given its logits in their order."""
        count = interventions.cues
        complete, without, alone, none = logits[0], logits[1 : 1 + count], logits[1 + count : 1 + 2 * count], logits[-1]
        self.none_loses.add(bool(none < 0))
        drops = complete - without
        for index in range(count):
            used = bool(alone[index] - none >= MIN_DROP)
            self.alone_predicts.add(bool(alone[index] >= 0))
            self.used.add(used)
            self.used_by_suite.setdefault(interventions.suite, SuccessCount()).add(used)
            if count > 1:
                self.adds.add(bool(drops[index] >= MIN_DROP))
                self.drops.append(float(drops[index]))
                if index != int(np.argmax(drops)):
                    self.hidden.add(bool(abs(drops[index]) < 0.1))

    def as_dict(self) -> dict:
        """Rates with their 95 % Wilson intervals, and the quartiles of the drops of `adds`."""
        names = ("exact", "alone_predicts", "none_loses", "used", "adds", "hidden")
        quartiles = [round(value, 3) for value in quantiles(self.drops)] if len(self.drops) > 1 else None
        return {
            **{name: getattr(self, name).as_dict() for name in names},
            "used_by_suite": {suite: count.as_dict() for suite, count in self.used_by_suite.items()},
            "drop_quartiles": quartiles,
        }


def prove_suite(
    networks: Mapping[str, nn.Module],
    scenes_per_suite: int = SCENES_PER_SUITE,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, ProofCounts]:
    """The proofs of several networks on the same scenes, with the same number of scenes per suite."""
    proofs = {name: ProofCounts() for name in networks}
    total = scenes_per_suite * len(SUITES)
    for number in range(total):
        suite = list(SUITES)[number % len(SUITES)]
        scene = suite_scene(suite, PROOF_SEEDS + number // len(SUITES))
        by_label = [Interventions.on(suite, scene, label) for label in scene.labels]
        drawn = [scene, *(variant for label in by_label for variant in label.scenes)]
        pixels = torch.from_numpy(np.stack([variant.pixels for variant in drawn]))
        for name, network in networks.items():
            with torch.inference_mode():
                logits = logits_of(network, pixels).numpy()
            proofs[name].add_scene(scene, logits[0])
            begin = 1
            for label in by_label:
                rows = logits[begin : begin + len(label.scenes), BENCHMARK.labels.index(label.label)]
                proofs[name].add(label, rows)
                begin += len(label.scenes)
        on_progress(number + 1, total)
    return proofs
