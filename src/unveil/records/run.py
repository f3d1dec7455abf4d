"""What a run found: frozen records of regions, rounds and the run. Nothing here needs torch or the model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float16, Float32, UInt8

from unveil.images.geometry import Geometry
from unveil.images.placement import Placement
from unveil.masks import Box, Mask
from unveil.predictions import Output, Prediction
from unveil.records.trust import TrustCards
from unveil.stopping import StopReason

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # noqa: TID251 (a type only)


def to_half(values: Float[np.ndarray, "*grid"]) -> tuple[Float16[np.ndarray, "*grid"], float]:
    """A map as half floats and their scale, a power of two: `values ≈ half · scale`, with |half| <= 1.

    Gradients can be far below what a half float holds, so they are scaled first. Exact for values made by `from_half`.
    """
    wide = np.asarray(values, dtype=np.float64)
    peak = float(np.abs(wide[np.isfinite(wide)]).max(initial=0.0))
    mantissa, exponent = math.frexp(peak)
    # In (½, 1], not [½, 1): a peak that is rounded up to 1 must find the same scale again.
    scale = 2.0 ** min(max(exponent - (mantissa == 0.5), -100), 128)
    with np.errstate(over="ignore"):
        return (wide / scale).astype(np.float16), scale


def from_half(half: Float16[np.ndarray, "*grid"], scale: float) -> Float32[np.ndarray, "*grid"]:
    """The map `half · scale` in float32."""
    with np.errstate(over="ignore"):
        return (half.astype(np.float64) * scale).astype(np.float32)


@dataclass(frozen=True)
class Region:
    """One region of interest, found in one round for one target.

    `mask` is on the source's pixels (voxels of a volume), `model_mask` on the model's grid, without what earlier
    rounds had erased. `area_mm2` is its size in an image, `volume_mm3` in a volume, where the spacing is known.
    Scores are the target's value (a logit, or a difference of logits) with everything of the earlier rounds erased:
    `score_before`, and `score_after` erasing this region alone as well. Probabilities are None where the target isn't
    one class.

    - `stability`: IoU of this region as found from the even and from the odd noise samples alone; None without noise.
    - `revealed`: share of the region that a first map cut at the same total area would have missed: 1 wholly hidden at
      first, 0 wholly visible.
    - `rim_share`: share of the region's saliency that lies within `RIM_PX` grid px of what was already erased. Rims of erased
      areas light up whatever the image, so a region above one half is likely an artifact.
    """

    target: str
    mask: Mask
    model_mask: Mask
    area_mm2: float | None
    score_before: float
    score_after: float
    probability_before: float | None
    probability_after: float | None
    stability: float | None
    revealed: float
    rim_share: float
    volume_mm3: float | None = None

    @property
    def area_px(self) -> int:
        """Number of pixels of the source, or of voxels in a volume."""
        return self.mask.area_px

    @property
    def box(self) -> Box | None:
        """The smallest upright box in the source; None if the region falls between the source's pixels."""
        return self.mask.box

    @property
    def drop(self) -> float:
        """Score before minus score after: what erasing this region alone took away, in logits."""
        return self.score_before - self.score_after

    @property
    def probability_drop(self) -> float | None:
        """Probability before minus probability after."""
        if self.probability_before is None or self.probability_after is None:
            return None
        return self.probability_before - self.probability_after

    @property
    def is_rim(self) -> bool:
        """True if more than half of the region's saliency lies at the rim of what was already erased."""
        return self.rim_share > 0.5


@dataclass(frozen=True)
class TargetMap:
    """One target's saliency in one round: the map on the model's grid, and why it gave no region, if so.

    The map is float32, rounded to the 11 significant bits that a record keeps: saving and loading changes nothing more.
    """

    target: str
    saliency: Float32[np.ndarray, "*grid"] = field(repr=False, compare=False)
    reason: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "saliency", from_half(*to_half(self.saliency)))


@dataclass(frozen=True)
class Round:
    """One pass: what the classifier saw and said, where its evidence was, and what erasing that did.

    `before` is the prediction for `image` (what the classifier was shown: 8 bit, on the model's grid), `after` the one
    with this round's regions erased too. `erased` and `erased_after` are on the model's grid.
    """

    index: int
    track: str | None
    before: Prediction = field(compare=False)
    after: Prediction = field(compare=False)
    maps: tuple[TargetMap, ...]
    regions: tuple[Region, ...]
    erased: Mask
    erased_after: Mask
    image: UInt8[np.ndarray, c * grid] = field(repr=False, compare=False)
    rectifiers: int | None = None

    @property
    def coverage(self) -> float:
        """Share of the grid erased once this round is done."""
        return self.erased_after.area_px / max(1, int(np.prod(self.erased_after.shape)))


@dataclass(frozen=True)
class Source:
    """The image a run was made of: name, content hash, and the way between its pixels, the model's grid and mm.

    `value_range`: the original values that became 0 and 1; None in records of version 0.1.0.
    """

    name: str
    sha256: str
    channels: int
    geometry: Geometry
    spacing_mm: tuple[float, ...] | None = None
    value_range: tuple[float, float] | None = None
    placement: Placement | None = None


@dataclass(frozen=True)
class ClassifierInfo:
    """The classifier that was asked: its name, the hash of its weights, labels, output, device and precision."""

    name: str
    fingerprint: str
    labels: tuple[str, ...] = field(repr=False)
    output: Output
    device: str
    precision: str


@dataclass(frozen=True, repr=False)
class Run:
    """All rounds of one image, with everything that made them.

    `trust`: a card for every region, in the order of `regions`; None where they were left out.
    """

    source: Source
    classifier: ClassifierInfo
    recipe: dict
    seed: int
    rounds: tuple[Round, ...]
    first: Prediction = field(compare=False)
    stops: dict[str | None, StopReason]
    versions: dict[str, str]
    seconds: float = field(compare=False)
    final_images: dict[str | None, UInt8[np.ndarray, c * grid]] = field(repr=False, compare=False)
    trust: TrustCards | None = None

    def __repr__(self) -> str:
        """A line, for prompts and notebooks: a record of 1000 labels is long."""
        regions, rounds = len(self.regions), len(self.rounds)
        asked = f"{self.source.name} by {self.classifier.name}"
        return f"<Run of {asked}: {regions} regions in {rounds} rounds; stopped: {self.stop.text}>"

    @property
    def stop(self) -> StopReason:
        """Why the run ended; with separate tracks, why the first of them did."""
        return next(iter(self.stops.values()))

    @property
    def tracks(self) -> tuple[str | None, ...]:
        """Names of the tracks: `(None,)` for a joint run, else the targets of the first round."""
        return tuple(self.stops)

    @property
    def regions(self) -> tuple[Region, ...]:
        """All regions, round by round."""
        return tuple(region for one in self.rounds for region in one.regions)

    @cached_property
    def union(self) -> Mask:
        """All regions together, on the source's pixels."""
        result = Mask.empty(self.source.geometry.source_shape)
        for region in self.regions:
            result = result | region.mask
        return result

    def of_track(self, track: str | None) -> tuple[Round, ...]:
        """The rounds of one track, in their order."""
        return tuple(one for one in self.rounds if one.track == track)

    def appeared(self, one: Round) -> tuple[str, ...]:
        """Labels predicted after a round that weren't predicted in any earlier state of its track."""
        earlier = [self.first, *(past.after for past in self.of_track(one.track) if past.index < one.index)]
        seen = {index for prediction in earlier for index in prediction.predicted()}
        return self._names(index for index in one.after.predicted() if index not in seen)

    def disappeared(self, one: Round) -> tuple[str, ...]:
        """Labels predicted before a round and not after it."""
        after = set(one.after.predicted())
        return self._names(index for index in one.before.predicted() if index not in after)

    def figure(self, path: str | Path | None = None, track: str | None = None) -> Figure:
        """One column a round: image, saliency, regions, leading labels; of a volume, three slices through each round's
        strongest region. Also written to `path` (.png, .svg, .pdf)."""
        from unveil.render import draw_run, write_figure  # noqa: PLC0415 (a second of imports)

        figure = draw_run(self, track if track is not None else self.tracks[0])
        if path is not None:
            write_figure(figure, Path(path))
        return figure

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the record as a folder; see docs/record-format.md. Raises `RecordError`; leaves nothing
        half-written."""
        from unveil.store import save_run  # noqa: PLC0415

        return save_run(self, Path(folder), overwrite=overwrite)

    def _names(self, indices) -> tuple[str, ...]:
        return tuple(self.classifier.labels[index] for index in indices)
