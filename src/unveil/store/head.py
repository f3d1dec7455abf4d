"""From plain tables to what a run is about: its image, its classifier, and why its tracks ended."""

import math

from unveil.errors import ImageError
from unveil.images.geometry import Geometry
from unveil.images.placement import Placement
from unveil.predictions import PROBE_LOGITS, Output, ProbeOutput
from unveil.records import ClassifierInfo, Source
from unveil.stopping import StopKind, StopReason
from unveil.store.tables import Table, damaged

# Of what a record may hold; beyond these, a few bytes of text would become arrays that fill the memory.
MAX_PIXELS, MAX_AXES, MAX_CHANNELS = 2**29, 3, 2**16
MAX_SCALE, MAX_SPACING_MM = 2.0**24, 1e6


def decode_source(table: Table) -> Source:
    """The image of a run. Raises `RecordError`."""
    geometry = _geometry(table.table("geometry"))
    spacing = table.numbers_or_none("spacing_mm")
    if spacing is not None and len(spacing) != len(geometry.source_shape):
        raise damaged(f"{table.at('spacing_mm')!r} in run.json to have one number per axis", f"{len(spacing)}")
    if spacing is not None and not all(0 < value <= MAX_SPACING_MM for value in spacing):
        raise damaged(f"{table.at('spacing_mm')!r} in run.json to be above 0, in mm", f"{list(spacing)}"[:60])
    value_range = table.numbers_or_none("value_range") if table.has("value_range") else None
    if value_range is not None and not (len(value_range) == 2 and value_range[0] < value_range[1]):
        raise damaged(
            f"{table.at('value_range')!r} in run.json to be two numbers, the smaller one first", f"{value_range}"[:60]
        )
    placement = _placement(table.table("placement")) if table.has("placement") else None
    name, sha256, channels = table.text("name"), table.text("sha256"), table.whole("channels", 1)
    if channels > MAX_CHANNELS:
        raise damaged(f"{table.at('channels')!r} in run.json to be at most {MAX_CHANNELS}", f"{channels}")
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
    for key, shape in zip(("source_shape", "model_shape"), shapes, strict=True):
        if len(shape) > MAX_AXES or math.prod(shape) > MAX_PIXELS:
            got = "x".join(map(str, shape))[:60]
            raise damaged(f"{table.at(key)!r} in run.json to have at most {MAX_PIXELS} pixels", got)
    if not all(1 / MAX_SCALE <= value <= MAX_SCALE for value in scale) or any(abs(x) > MAX_PIXELS for x in offset):
        got = f"scale {list(scale)}, offset {list(offset)}"[:80]
        raise damaged(f"{table.place!r} in run.json to be a geometry of pixels", got)
    try:
        return Geometry(*shapes, scale, offset)
    except ImageError as error:
        raise damaged(f"{table.place!r} in run.json to be {error.expected}", error.got) from error


def decode_classifier(table: Table) -> ClassifierInfo:
    """The classifier of a run. Raises `RecordError`."""
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
    return ProbeOutput(logits, table.number("norm", 0))


def decode_stops(manifest: Table) -> dict[str | None, StopReason]:
    """Why each track ended. Raises `RecordError`."""
    tables = manifest.tables("stops")
    stops = {
        table.text_or_none("track"): StopReason(table.one_of("kind", StopKind), table.text("text")) for table in tables
    }
    if not stops or len(stops) != len(tables):
        raise damaged(
            "'stops' in run.json to have one entry per track", f"{len(tables)} entries for {len(stops)} tracks"
        )
    return stops
