"""From plain tables and arrays to a run. Everything that comes from the files is checked before it is used."""

import math

import numpy as np

from unveil.errors import RecordError
from unveil.masks import Mask
from unveil.predictions import Prediction
from unveil.records import ClassifierInfo, Region, Round, Run, ShownLabel, Source, TargetMap, from_half
from unveil.store.arrays import ARRAYS, Arrays
from unveil.store.head import decode_classifier, decode_source, decode_stops
from unveil.store.tables import Table, damaged
from unveil.store.trust import decode_cards, decode_shown, decode_target
from unveil.targets import TargetScore


def decode(manifest: Table, arrays: Arrays) -> Run:
    """The run. Raises `RecordError` that names the key or the array that isn't as it should be."""
    source, classifier, stops = (
        decode_source(manifest.table("source")),
        decode_classifier(manifest.table("classifier")),
        decode_stops(manifest),
    )
    grid = source.geometry.model_shape
    finals = {
        track: arrays.take(f"track/{number}/final", np.uint8, (None, *grid)) for number, track in enumerate(stops, 1)
    }
    channels = {len(final) for final in finals.values()}
    mean = (classifier.preprocessing or {}).get("mean")
    if len(channels) != 1 or 0 in channels or (isinstance(mean, list) and channels != {len(mean)}):
        expected = f"{len(mean)} channels" if isinstance(mean, list) else "one number of channels"
        raise damaged(f"final images in {ARRAYS} to have {expected}", ", ".join(map(str, sorted(channels))))
    reader = _RoundReader(arrays, source, classifier, channels.pop())
    rounds = tuple(reader.round(table, f"round/{number}") for number, table in enumerate(manifest.tables("rounds"), 1))
    done = dict.fromkeys(stops, 0)
    for number, round_ in enumerate(rounds):
        if round_.track not in done:
            raise damaged(
                f"'rounds[{number}].track' in run.json to be one of the tracks in 'stops'", repr(round_.track)
            )
        done[round_.track] += 1
        if round_.index != done[round_.track]:
            expected = f"'rounds[{number}].index' in run.json to be {done[round_.track]}"
            raise damaged(expected, f"{round_.index}")
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
        seconds=manifest.number("seconds", 0),
        final_images=finals,
        trust=decode_cards(manifest.table("trust"), regions, len(classifier.labels)) if manifest.has("trust") else None,
    )


def check_head(manifest: Table) -> None:
    """Check everything but rounds and arrays. Raises `RecordError`."""
    decode_source(manifest.table("source"))
    decode_classifier(manifest.table("classifier"))
    decode_stops(manifest)
    manifest.plain("recipe")
    manifest.any_whole("seed")
    manifest.number("seconds", 0)
    manifest.text_table("versions")
    manifest.tables("rounds")
    manifest.table("arrays").text("sha256")
    manifest.table("arrays").whole("bytes")


class _RoundReader:
    """Reads rounds whose arrays and masks must fit the run's grids and labels."""

    def __init__(self, arrays: Arrays, source: Source, classifier: ClassifierInfo, channels: int) -> None:
        self.arrays, self.classifier, self.channels = arrays, classifier, channels
        self.grid, self.source, self.spacing = (
            source.geometry.model_shape,
            source.geometry.source_shape,
            source.spacing_mm,
        )

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
            image=self.arrays.take(f"{name}/image", np.uint8, (self.channels, *self.grid)),
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
        mask = _mask(table.table("mask"), self.source)
        return Region(
            target_score=self.target(table),
            mask=mask,
            model_mask=_mask(table.table("model_mask"), self.grid),
            area_mm2=self.size(table, "area_mm2", mask),
            score_before=table.number("score_before"),
            score_after=table.number("score_after"),
            probability_before=table.share_or_none("probability_before"),
            probability_after=table.share_or_none("probability_after"),
            stability=table.share_or_none("stability"),
            revealed=table.share("revealed"),
            rim_share=table.share("rim_share"),
            volume_mm3=self.size(table, "volume_mm3", mask) if table.has("volume_mm3") else None,
            shown=self.shown(table) if table.has("shown") else None,
            box_gain=table.number_or_none("box_gain", -1, 1) if table.has("box_gain") else None,
        )

    def shown(self, table: Table) -> tuple[ShownLabel, ...]:
        """The labels that a region shows."""
        return tuple(decode_shown(one, len(self.classifier.labels)) for one in table.tables("shown"))

    def size(self, table: Table, key: str, mask: Mask) -> float | None:
        """An area or a volume: the number of pixels times the size of one."""
        size = table.number_or_none(key, 0)
        if size is not None:
            expected = mask.area_px * math.prod(self.spacing or ())
            if self.spacing is None or not math.isclose(size, expected, rel_tol=1e-6, abs_tol=1e-9):
                raise damaged(f"{table.at(key)!r} in run.json to be the size of its mask", f"{size}")
        return size


def _mask(table: Table, shape: tuple[int, ...]) -> Mask:
    found, runs = table.wholes("shape", 1), table.wholes("runs")
    if found != shape:
        raise damaged(f"{table.at('shape')!r} in run.json to be {list(shape)}", f"{list(found)}")
    try:
        return Mask(found, runs)
    except RecordError as error:
        raise damaged(f"{table.at('runs')!r} in run.json to be {error.expected}", error.got) from error
