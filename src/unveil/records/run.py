"""Records of what a run found: regions, rounds, the run. Nothing here needs torch or the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, UInt8

from unveil.errors import RecordError
from unveil.images.geometry import Geometry
from unveil.images.placement import Placement
from unveil.images.preview import Preview
from unveil.masks import Mask
from unveil.predictions import Output, Prediction, ProbeOutput
from unveil.records.equality import records_equal
from unveil.records.half_floats import from_half, to_half
from unveil.records.html import run_as_html
from unveil.records.labels import LabelCard, make_label_cards
from unveil.records.region import Region
from unveil.records.trust import TrustCard, TrustCards, Verdict
from unveil.stopping import StopReason
from unveil.targets import TargetScore, class_score

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # noqa: TID251 (a type only)
    from pandas import DataFrame  # noqa: TID251 (a type only)

    from unveil.images import Image
    from unveil.notebook.page import RunPage
    from unveil.notebook.widget import RunWidget


@dataclass(frozen=True, eq=False)
class TargetMap:
    """The saliency map of one target in one round, on the model's grid, and why it gave no region if it didn't.

    The map is float32, rounded to the 11 significant bits that a record keeps, so that saving and loading changes
    nothing more.
    """

    target_score: TargetScore
    saliency: Float32[np.ndarray, "*grid"] = field(repr=False)
    reason: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "saliency", from_half(*to_half(self.saliency)))

    def __eq__(self, other: object) -> bool:
        """True for equal targets, reasons and maps, bit for bit."""
        return records_equal(self, other) if isinstance(other, TargetMap) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    @property
    def target(self) -> str:
        """Name of the target."""
        return self.target_score.name


@dataclass(frozen=True, eq=False)
class Round:
    """One pass: the predictions before and after, a saliency map per target, and the regions that were erased.

    `before` is the prediction for `image` (the masked image at the start of the round: 8 bits, on the model's grid),
    `after` the prediction with this round's regions erased too. `erased` and `erased_after` are on the model's grid.
    `rectifiers`: number of rectifiers that the backward rule was applied to; None for methods without one.
    """

    index: int
    track: str | None
    before: Prediction
    after: Prediction
    maps: tuple[TargetMap, ...]
    regions: tuple[Region, ...]
    erased: Mask
    erased_after: Mask
    image: UInt8[np.ndarray, c * grid] = field(repr=False)
    rectifiers: int | None = None

    def __eq__(self, other: object) -> bool:
        """True for equal values in all fields; logits, maps and images bit for bit."""
        return records_equal(self, other) if isinstance(other, Round) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    @property
    def coverage(self) -> float:
        """Share of the grid erased once this round is done."""
        return self.erased_after.area_px / max(1, int(np.prod(self.erased_after.shape)))


@dataclass(frozen=True)
class Source:
    """The image of a run: name, SHA-256 of its content, and the geometry between its pixels, the model's grid and mm.

    `value_range`: the original values that became 0 and 1; None where that isn't known.
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
    """The classifier of a run: name, SHA-256 of its weights, labels, meaning of its output, device and precision.

    - `averaging_precision`: the precision of gradients that are averaged over noise, and of predictions that are only
      compared with each other, and why.
    - `preprocessing`: all settings of `Preprocessing` as plain values; None in records of format 1.
    - `probe`: the output for one fixed synthetic image; None in records of format 1, and where there was none.
    """

    name: str
    fingerprint: str
    labels: tuple[str, ...] = field(repr=False)
    output: Output
    device: str
    precision: str
    averaging_precision: str
    preprocessing: dict | None = field(default=None, hash=False)
    probe: ProbeOutput | None = None


@dataclass(frozen=True, repr=False, eq=False)
class Run:
    """All rounds of one image, with everything that produced them.

    `first`: the prediction before anything was erased. `stops`: for each track, why it ended. `final_images`: for each
    track, the image with everything erased (8 bits, on the model's grid). `trust`: a trust card per region, in the
    order of `regions`; None where they were left out. `seconds`: how long the run took. `preview`: the source's pixels
    for people to look at; None where none was made.

    Two runs are equal if all their values but `seconds` and `preview` are, including logits, maps and images, bit for
    bit.
    """

    source: Source
    classifier: ClassifierInfo
    recipe: dict
    seed: int
    rounds: tuple[Round, ...]
    first: Prediction
    stops: dict[str | None, StopReason]
    versions: dict[str, str]
    seconds: float
    final_images: dict[str | None, UInt8[np.ndarray, c * grid]] = field(repr=False)
    trust: TrustCards | None = None
    preview: Preview | None = None

    def __eq__(self, other: object) -> bool:
        """True for equal values in all fields but `seconds` and `preview`."""
        return records_equal(self, other, skip=("seconds", "preview")) if isinstance(other, Run) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """One line, for prompts and notebooks: a record of 1000 labels is long."""
        regions, rounds = len(self.regions), len(self.rounds)
        subject = f"{self.source.name} by {self.classifier.name}"
        return f"<Run of {subject}: {regions} regions in {rounds} rounds; stopped: {self.stop.text}>"

    def _repr_html_(self) -> str:
        """Tables, for what shows neither widgets nor pictures."""
        return run_as_html(self)

    def _ipython_display_(self) -> None:
        """The viewer and a picture in a notebook; see docs/notebooks.md. A console prints the `repr`."""
        from unveil.notebook import display_run  # noqa: PLC0415 (a second of imports)

        display_run(self)

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
        return tuple(region for round_ in self.rounds for region in round_.regions)

    def card(self, region: Region) -> TrustCard | None:
        """The trust card of one of this run's regions; None if the run was made without trust cards.

        Raises `RecordError` for a region that isn't one of `regions`.
        """
        # The same object first: two tracks may have found equal regions.
        places = [index for index, own in enumerate(self.regions) if own is region]
        places = places or [index for index, own in enumerate(self.regions) if own == region]
        if not places:
            raise RecordError("a region of this run", repr(region), "take it from run.regions")
        return None if self.trust is None else self.trust.cards[places[0]]

    @property
    def verdicts(self) -> tuple[Verdict | None, ...]:
        """The verdict on each region, in the order of `regions`; None for each in a run without trust cards."""
        return (None,) * len(self.regions) if self.trust is None else tuple(card.verdict for card in self.trust.cards)

    @cached_property
    def labels(self) -> tuple[LabelCard, ...]:
        """A card with a verdict for each label that appeared, in the order of their rounds; empty for runs without a
        label check."""
        return make_label_cards(self.rounds, self.first)

    @cached_property
    def union(self) -> Mask:
        """All regions together, on the source's pixels."""
        result = Mask.empty(self.source.geometry.source_shape)
        for region in self.regions:
            result = result | region.mask
        return result

    def of_track(self, track: str | None) -> tuple[Round, ...]:
        """The rounds of one track, in their order."""
        return tuple(round_ for round_ in self.rounds if round_.track == track)

    def appeared(self, round_: Round) -> tuple[str, ...]:
        """Labels predicted after a round that weren't predicted in any earlier state of its track."""
        earlier = [self.first, *(past.after for past in self.of_track(round_.track) if past.index < round_.index)]
        known = {index for prediction in earlier for index in prediction.predicted()}
        return self._names(index for index in round_.after.predicted() if index not in known)

    def disappeared(self, round_: Round) -> tuple[str, ...]:
        """Labels predicted before a round and not after it."""
        after = set(round_.after.predicted())
        return self._names(index for index in round_.before.predicted() if index not in after)

    def figure(self, path: str | Path | None = None, track: str | None = None) -> Figure:
        """One column per round: image, saliency, regions, leading labels. A volume is drawn as three slices
        through each round's strongest region. Also written to `path` (.png, .svg, .pdf)."""
        from unveil.render import draw_run, write_figure  # noqa: PLC0415 (a second of imports)

        figure = draw_run(self, track if track is not None else self.tracks[0])
        if path is not None:
            write_figure(figure, Path(path))
        return figure

    def show(
        self, *, static: bool = False, image: str | Path | Image | None = None, compare: Run | None = None
    ) -> RunWidget | RunPage:
        """The interactive viewer, for notebooks; a run that ends a cell shows itself in the same way.

        Args:
            static: Whether to make a page that works without a kernel and without widgets, in place of a widget.
            image: The image of the run, which the viewer then shows at up to 2048 px; None for the run's own preview.
            compare: A second run, which is shown beside this one; widgets only.

        Raises `MissingLibraryError` for a widget without anywidget, `ImageError` for another image than the run's, and
        `RecordError` for `compare` with `static`.
        """
        from unveil.notebook import show_run  # noqa: PLC0415 (a second of imports)

        return show_run(self, static=static, image=image, compare=compare)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the record as a folder; see docs/record-format.md. Raises `RecordError`; leaves nothing
        half-written."""
        from unveil.store import save_run  # noqa: PLC0415

        return save_run(self, Path(folder), overwrite=overwrite)

    def to_frame(self) -> DataFrame:
        """A data frame with one row per region, and one per round and target without any; the columns are those of
        `unveil table`. Raises `MissingLibraryError` without pandas."""
        from unveil.export.frames import runs_to_frame  # noqa: PLC0415 (optional)

        return runs_to_frame([self])

    def _names(self, indices) -> tuple[str, ...]:
        return tuple(class_score(index, self.classifier.labels).name for index in indices)
