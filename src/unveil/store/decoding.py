"""From plain tables and arrays to a run. Everything that comes from the files is checked before it is used."""

import math

import numpy as np

from unveil.errors import ImageError, RecordError
from unveil.images.geometry import Geometry
from unveil.images.placement import Placement
from unveil.masks import Mask
from unveil.predictions import PROBE_LOGITS, Output, Prediction, ProbeOutput
from unveil.records import ClassifierInfo, Region, Round, Run, Source, TargetMap, from_half
from unveil.stopping import StopKind, StopReason
from unveil.store.arrays import Arrays
from unveil.store.tables import Table, damaged
from unveil.store.trust import decode_cards, decode_target
from unveil.targets import TargetScore


def decode(manifest: Table, arrays: Arrays) -> Run:
    """The run. Raises `RecordError` that names the key or the array that isn't as it should be."""
    source, classifier, stops = (
        _source(manifest.table("source")),
        _classifier(manifest.table("classifier")),
        _stops(manifest),
    )
    grid = source.geometry.model_shape
    finals = {
        track: arrays.take(f"track/{number}/final", np.uint8, (None, *grid)) for number, track in enumerate(stops, 1)
    }
    reader = _RoundReader(arrays, source.geometry, classifier)
    rounds = tuple(reader.round(table, f"round/{number}") for number, table in enumerate(manifest.tables("rounds"), 1))
    for number, round_ in enumerate(rounds):
        if round_.track not in stops:
            raise damaged(
                f"'rounds[{number}].track' in run.json to be one of the tracks in 'stops'", repr(round_.track)
            )
    regions = sum(len(round_.regions) for round_ in rounds)
    return Run(
        source=source,
        classifier=classifier,
        recipe=manifest.plain("recipe"),
        seed=manifest.any_whole("seed"),
        rounds=rounds,
        first=reader.prediction("first"),
        stops=stops,
        versions=manifest.text_table("versions"),
        seconds=manifest.number("seconds"),
        final_images=finals,
        trust=decode_cards(manifest.table("trust"), regions, len(classifier.labels)) if manifest.has("trust") else None,
    )


def check_head(manifest: Table) -> None:
    """Check everything but rounds and arrays. Raises `RecordError`."""
    _source(manifest.table("source"))
    _classifier(manifest.table("classifier"))
    _stops(manifest)
    manifest.plain("recipe")
    manifest.any_whole("seed")
    manifest.number("seconds")
    manifest.text_table("versions")
    manifest.tables("rounds")
    manifest.table("arrays").text("sha256")
    manifest.table("arrays").whole("bytes")


def _source(table: Table) -> Source:
    geometry = _geometry(table.table("geometry"))
    spacing = table.numbers_or_none("spacing_mm")
    if spacing is not None and len(spacing) != len(geometry.source_shape):
        raise damaged(f"{table.at('spacing_mm')!r} in run.json to have one number per axis", f"{len(spacing)}")
    value_range = table.numbers_or_none("value_range") if table.has("value_range") else None
    if value_range is not None and len(value_range) != 2:
        raise damaged(f"{table.at('value_range')!r} in run.json to have two numbers", f"{len(value_range)}")
    placement = _placement(table.table("placement")) if table.has("placement") else None
    name, sha256, channels = table.text("name"), table.text("sha256"), table.whole("channels", 1)
    return Source(name, sha256, channels, geometry, spacing, value_range, placement)


def _placement(table: Table) -> Placement:
    try:
        return Placement(table.rows("affine"), table.text("axes"), table.text("stored"))
    except ImageError as error:
        raise damaged(f"{table.place!r} in run.json to be {error.expected}", error.got) from error


def _geometry(table: Table) -> Geometry:
    shapes = table.wholes("source_shape", 1), table.wholes("model_shape", 1)
    scale, offset = table.numbers("scale"), table.numbers("offset")
    if not scale:
        raise damaged(f"{table.at('scale')!r} in run.json to have one number per axis", "an empty list")
    try:
        return Geometry(*shapes, scale, offset)
    except ImageError as error:
        raise damaged(f"{table.place!r} in run.json to be {error.expected}", error.got) from error


def _classifier(table: Table) -> ClassifierInfo:
    labels = table.texts("labels")
    if not labels:
        raise damaged(f"{table.at('labels')!r} in run.json to have at least one label", "an empty list")
    return ClassifierInfo(
        table.text("name"),
        table.text("fingerprint"),
        labels,
        table.one_of("output", Output),
        table.text("device"),
        table.text("precision"),
        table.text("averaging_precision"),
        table.plain("preprocessing") if table.has("preprocessing") else None,
        _probe(table.table("probe"), len(labels)) if table.has("probe") else None,
    )


def _probe(table: Table, labels: int) -> ProbeOutput:
    logits = table.numbers("logits")
    if len(logits) != min(labels, PROBE_LOGITS):
        raise damaged(
            f"{table.at('logits')!r} in run.json to have {min(labels, PROBE_LOGITS)} numbers", f"{len(logits)}"
        )
    return ProbeOutput(logits, table.number("norm"))


def _stops(manifest: Table) -> dict[str | None, StopReason]:
    tables = manifest.tables("stops")
    stops = {
        table.text_or_none("track"): StopReason(table.one_of("kind", StopKind), table.text("text")) for table in tables
    }
    if not stops or len(stops) != len(tables):
        raise damaged(
            "'stops' in run.json to have one entry per track", f"{len(tables)} entries for {len(stops)} tracks"
        )
    return stops


class _RoundReader:
    """Reads rounds whose arrays and masks must fit the run's grids and labels."""

    def __init__(self, arrays: Arrays, geometry: Geometry, classifier: ClassifierInfo) -> None:
        self.arrays, self.classifier = arrays, classifier
        self.grid, self.source = geometry.model_shape, geometry.source_shape

    def round(self, table: Table, name: str) -> Round:
        return Round(
            index=table.whole("index", 1),
            track=table.text_or_none("track"),
            before=self.prediction(f"{name}/before"),
            after=self.prediction(f"{name}/after"),
            maps=tuple(self.map(one, f"{name}/map/{number}") for number, one in enumerate(table.tables("maps"), 1)),
            regions=tuple(self.region(one) for one in table.tables("regions")),
            erased=_mask(table.table("erased"), self.grid),
            erased_after=_mask(table.table("erased_after"), self.grid),
            image=self.arrays.take(f"{name}/image", np.uint8, (None, *self.grid)),
            rectifiers=table.whole_or_none("rectifiers"),
        )

    def prediction(self, name: str) -> Prediction:
        logits = self.arrays.take(name, np.float64, (len(self.classifier.labels),))
        if not np.isfinite(logits).all():
            raise damaged(f"finite logits in the array {name!r}", "NaN or infinity")
        return Prediction(logits, self.classifier.output)

    def target(self, table: Table) -> TargetScore:
        return decode_target(table.table("target"), len(self.classifier.labels))

    def map(self, table: Table, name: str) -> TargetMap:
        half, scale = self.arrays.take(name, np.float16, self.grid), table.number("scale")
        # Only a power of two keeps every bit; this also keeps the product within float32.
        if not 2.0**-100 <= scale <= 2.0**128 or math.frexp(scale)[0] != 0.5:
            raise damaged(f"{table.at('scale')!r} in run.json to be a power of two from 2^-100 to 2^128", f"{scale}")
        return TargetMap(self.target(table), from_half(half, scale), table.text_or_none("reason"))

    def region(self, table: Table) -> Region:
        return Region(
            target_score=self.target(table),
            mask=_mask(table.table("mask"), self.source),
            model_mask=_mask(table.table("model_mask"), self.grid),
            area_mm2=table.number_or_none("area_mm2"),
            score_before=table.number("score_before"),
            score_after=table.number("score_after"),
            probability_before=table.number_or_none("probability_before"),
            probability_after=table.number_or_none("probability_after"),
            stability=table.number_or_none("stability"),
            revealed=table.number("revealed"),
            rim_share=table.number("rim_share"),
            volume_mm3=table.number_or_none("volume_mm3") if table.has("volume_mm3") else None,
        )


def _mask(table: Table, shape: tuple[int, ...]) -> Mask:
    found, runs = table.wholes("shape", 1), table.wholes("runs")
    if found != shape:
        raise damaged(f"{table.at('shape')!r} in run.json to be {list(shape)}", f"{list(found)}")
    try:
        return Mask(found, runs)
    except RecordError as error:
        raise damaged(f"{table.at('runs')!r} in run.json to be {error.expected}", error.got) from error
