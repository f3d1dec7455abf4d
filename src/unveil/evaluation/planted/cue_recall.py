"""Cues of planted scenes against the regions of a run: cues found by each round, and false regions."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from unveil.masks import union
from unveil.planted import Cue, Scene
from unveil.records import Run

Inside = Bool[np.ndarray, "h w"]
FOUND_SHARE = 0.5  # a cue is found once regions of its label cover at least this share of it
FALSE_SHARE = 0.1  # a region is false if less than this share of it lies on cues of its label


@dataclass(frozen=True)
class CueTally:
    """Counts over scenes; tallies of several scenes add up.

    Attributes:
        scenes: The number of scenes.
        cues: The number of cues of labels that the classifier predicted at first, since runs don't explain other
            labels.
        cues_missed_by_classifier: The number of cues of other labels.
        found: The number of cues found after round 1, 2, …
        regions: The number of regions.
        false_regions: The number of regions that don't lie on cues of their label.
        empty_scenes: The number of scenes without cues.
        empty_scenes_with_regions: The number of those with a region.
    """

    scenes: int = 0
    cues: int = 0
    cues_missed_by_classifier: int = 0
    found: tuple[int, ...] = ()
    regions: int = 0
    false_regions: int = 0
    empty_scenes: int = 0
    empty_scenes_with_regions: int = 0

    def __add__(self, other: "CueTally") -> "CueTally":
        """Counts of both; a run that ended early keeps its count of found cues in later rounds."""
        rounds = max(len(self.found), len(other.found))
        found = tuple(a + b for a, b in zip(_extended(self.found, rounds), _extended(other.found, rounds), strict=True))
        sums = {name: getattr(self, name) + getattr(other, name) for name in _COUNTS}
        return CueTally(found=found, **sums)

    def recall(self, rounds: int) -> float | None:
        """Share of the cues found after `rounds` rounds: found / cues. None without cues."""
        return _extended(self.found, max(rounds, len(self.found)))[rounds - 1] / self.cues if self.cues else None

    @property
    def false_region_rate(self) -> float | None:
        """false regions / regions. None without regions."""
        return self.false_regions / self.regions if self.regions else None


_COUNTS = (
    "scenes",
    "cues",
    "cues_missed_by_classifier",
    "regions",
    "false_regions",
    "empty_scenes",
    "empty_scenes_with_regions",
)


def count_cues(run: Run, scene: Scene, rounds: int) -> CueTally:
    """Count one scene's run over a fixed number of rounds. The run must be on the scene's own pixels."""
    predicted = {run.classifier.labels[index] for index in run.first.predicted()}
    cues = [cue for cue in scene.cues if cue.label in predicted]
    found = tuple(
        sum(int(is_found(cue.inside, _covered(run, cue, index))) for cue in cues) for index in range(1, rounds + 1)
    )
    false = sum(int(is_false(region.mask.to_array(), scene.inside(region.target))) for region in run.regions)
    empty = not scene.cues
    return CueTally(
        scenes=1,
        cues=len(cues),
        cues_missed_by_classifier=len(scene.cues) - len(cues),
        found=found,
        regions=len(run.regions),
        false_regions=false,
        empty_scenes=int(empty),
        empty_scenes_with_regions=int(empty and bool(run.regions)),
    )


def _covered(run: Run, cue: Cue, rounds: int) -> Inside:
    """The pixels that the regions of the cue's label cover after `rounds` rounds."""
    regions = (region for done in run.rounds if done.index <= rounds for region in done.regions)
    return union((region.mask.to_array() for region in regions if region.target == cue.label), cue.inside.shape)


def is_found(cue: Inside, covered: Inside) -> bool:
    """True if regions of its label cover at least `FOUND_SHARE` of the cue."""
    return _share(cue, covered) >= FOUND_SHARE


def is_false(region: Inside, on_cues: Inside) -> bool:
    """True if less than `FALSE_SHARE` of the region lies on cues of its label."""
    return _share(region, on_cues) < FALSE_SHARE


def _share(of: Inside, within: Inside) -> float:
    """|of ∩ within| / |of|."""
    return float(np.count_nonzero(of & within) / max(1, np.count_nonzero(of)))


def _extended(found: tuple[int, ...], rounds: int) -> tuple[int, ...]:
    last = found[-1] if found else 0
    return found + (last,) * (rounds - len(found))
