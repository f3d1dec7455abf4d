"""Views: everything that a viewer shows of a run, as one JSON document. The format is specified in docs/view-format.md.

Making one needs neither torch nor the model nor the image.
"""

import json
import shlex
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

import numpy as np

from unveil.errors import RecordError
from unveil.images.preview import Preview
from unveil.records import Round, Run
from unveil.view.blobs import PNG, gzip_blob, image_blob, make_blob, map_blob, mask_table
from unveil.view.labels import (
    choose_view_labels,
    label_tables,
    labels_worth_showing,
    target_tables,
    track_tables,
    view_targets,
)
from unveil.view.regions import name_region_ids, region_ids, region_suspicion, region_tables

__all__ = [
    "ESCAPES",
    "VIEW_FORMAT",
    "VIEW_VERSION",
    "View",
    "labels_worth_showing",
    "make_view",
    "name_region_ids",
    "region_ids",
    "region_suspicion",
    "view_schema",
    "viewer_code",
]

VIEW_FORMAT, VIEW_VERSION = "unveil view", 1
MAX_VIEW_BYTES = 1 << 27  # a browser reads this much; a run of an image has about 1 MB
MAX_VIEW_VALUES = 1 << 28  # pixels of all maps and images
MAX_VIEW_REGIONS = 5000
# Text in HTML must not end the element that it is in, whatever element that is.
ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"}


@dataclass(frozen=True)
class View:
    """What a viewer shows of one run.

    Attributes:
        document: The content as plain values, see docs/view-format.md.
    """

    document: dict = field(repr=False)

    def to_json(self) -> str:
        """The document as JSON text: ASCII only, without `<`, `>` and `&`, so it can stand in any element of a page."""
        return json.dumps(self.document, allow_nan=False, separators=(",", ":")).translate(ESCAPES)

    def to_bytes(self) -> bytes:
        """The same as bytes."""
        return self.to_json().encode("ascii")


def make_view(run: Run, *, anonymous: bool = False, preview: Preview | None = None) -> View:
    """Make the view of a run.

    Args:
        run: The run.
        anonymous: Whether the name of the image is replaced by the first 12 digits of its hash.
        preview: The source's pixels; None for the run's own preview. Without any, the viewer shows the image on the
            model's grid.

    Raises `RecordError` for a run that is too large for a viewer.
    """
    _check_size(run)
    name = run.source.sha256[:12] if anonymous else run.source.name
    indices = choose_view_labels(run)
    targets = {score: number for number, score in enumerate(view_targets(run))}
    document = {
        "format": VIEW_FORMAT,
        "version": VIEW_VERSION,
        "anonymous": anonymous,
        "source": _source(run, name),
        "classifier": _classifier(run),
        "recipe": run.recipe,
        "seed": int(run.seed),
        "seconds": float(run.seconds),
        "versions": dict(run.versions),
        "command": _command(run, name),
        "targets": target_tables(run),
        "labels": label_tables(run, indices),
        "tracks": [
            {**table, "final": image_blob(run.final_images[track])}
            for table, track in zip(track_tables(run, indices), run.tracks, strict=True)
        ],
        "rounds": [_round(run, round_, targets) for round_ in run.rounds],
        "regions": region_tables(run),
        "preview": deepcopy(_preview(run.preview if preview is None else preview)),
    }
    view = View(document)
    if (size := len(view.to_json())) > MAX_VIEW_BYTES:
        raise _too_large(f"a view of at most {MAX_VIEW_BYTES >> 20} MB", f"{size >> 20} MB")
    return view


def view_schema() -> dict:
    """The JSON schema of the documents, draft 2020-12."""
    return json.loads(files("unveil.view").joinpath("schema.json").read_text(encoding="utf-8"))


def viewer_code() -> str:
    """The ES module that draws views in a browser, ASCII. It may stand in a page's `<script type="module">`.

    It exports `render({model, el})` as anywidget expects it: `model.get("view")` is the text of a view, and
    `model.get("compare")` that of a second one, or nothing; `model.get("theme")` may be light or dark. Where the module
    stands in a page and can't be imported, the same function is `globalThis[Symbol.for("unveil.viewer")].render`. It
    returns a function that removes what was drawn.
    """
    return files("unveil.view").joinpath("static", "viewer.js").read_text(encoding="ascii")


def _check_size(run: Run) -> None:
    count = len(run.regions)
    if count > MAX_VIEW_REGIONS:
        raise _too_large(f"at most {MAX_VIEW_REGIONS} regions", str(count))
    values = sum(one.image.size + sum(one_map.saliency.size for one_map in one.maps) for one in run.rounds)
    if values > MAX_VIEW_VALUES:
        raise _too_large(f"at most {MAX_VIEW_VALUES} pixels in all maps and images", str(values))


def _too_large(expected: str, got: str) -> RecordError:
    return RecordError(expected, got, "use fewer rounds or targets, or read the record itself")


def _source(run: Run, name: str) -> dict:
    source = run.source
    geometry = source.geometry
    return {
        "name": name,
        "sha256": source.sha256,
        "channels": int(source.channels),
        "shape": list(geometry.source_shape),
        "geometry": geometry.as_dict(),
        "spacing_mm": None if source.spacing_mm is None else [float(value) for value in source.spacing_mm],
        "value_range": None if source.value_range is None else [float(value) for value in source.value_range],
        "axes": None if source.placement is None else source.placement.axes,
        "affine": None if source.placement is None else [list(row) for row in source.placement.affine],
    }


def _classifier(run: Run) -> dict:
    info = run.classifier
    return {
        "name": info.name,
        "fingerprint": info.fingerprint,
        "output": str(info.output),
        "labels": len(info.labels),
        "device": info.device,
        "precision": info.precision,
    }


def _command(run: Run, name: str) -> str | None:
    """The command that repeats the run, with the recipe of the record as a file; None for a model of one's own.

    A record doesn't say where weights came from, only what they are, so these have to be named again.
    """
    source, _, model = run.classifier.name.partition("/")
    if source not in ("planted", "torchvision", "timm", "huggingface") or not model:
        return None
    words = ["unveil", "run", name, "--model", run.classifier.name, "--recipe", "recipe.toml", "--seed", str(run.seed)]
    return shlex.join(words)


def _round(run: Run, round_: Round, targets: dict) -> dict:
    return {
        "track": list(run.tracks).index(round_.track),
        "index": round_.index,
        "coverage": float(round_.coverage),
        "image": image_blob(round_.image),
        "erased": mask_table(round_.erased),
        "erased_after": mask_table(round_.erased_after),
        "maps": [_map(one.saliency, targets[one.target_score], one.reason) for one in round_.maps],
    }


def _map(saliency: np.ndarray, target: int, reason: str | None) -> dict:
    blob, limit, maximum = map_blob(saliency)
    return {"target": target, "reason": reason, "limit": limit, "maximum": maximum, "map": blob}


# The same for all rounds of a run that is watched: compressing 16 bits takes half a second.
@lru_cache(maxsize=2)
def _preview(preview: Preview | None) -> dict | None:
    """8 bits as they are; 16 bits as numbers, because browsers round PNG to 8, with a window for the first look."""
    if preview is None:
        return None
    if preview.bits == 8:
        shape = (*preview.shape, 3)[: 2 if preview.channels == 1 else 3]
        return {"image": make_blob(PNG, preview.png, np.empty(shape, dtype=np.uint8)), "window": None}
    pixels = preview.to_array()
    low, high = (float(value) for value in np.quantile(pixels, (0.001, 0.999)))
    return {"image": gzip_blob(pixels), "window": [low, high] if high > low else [0.0, 65535.0]}
