"""The page of an archive: what its tables say, in one file that holds everything it shows and runs no script."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unveil import __version__
from unveil.atomic import written_result
from unveil.batch.places import PLACES_SIDE
from unveil.batch.summary.columns import VERDICTS
from unveil.batch.summary.concentration import MIN_IMAGES, MIN_RATIO, ConcentratedPlace
from unveil.batch.summary.groups import AlikeGroup
from unveil.batch.summary.label_rows import LabelSummary
from unveil.batch.summary.pictures import ExamplePicture
from unveil.batch.summary.summarizing import ArchiveSummary
from unveil.batch.summary.wording import format_count, format_p, in_percent, place_sentence
from unveil.report.pages import check_page_name, render_still_page
from unveil.report.places import data_address, heat_picture
from unveil.report.tables import GENERAL_LIMITS

MOST_LABELS, MOST_IMAGES, MOST_SHARED = 100, 30, 12
KINDS = (*VERDICTS, "untested")
STYLES = ("report.css", "archive.css")


def save_summary(
    summary: ArchiveSummary,
    out: str | Path,
    *,
    title: str = "An archive",
    pictures: Mapping[int, ExamplePicture] | None = None,
) -> Path:
    """Write the page of an archive.

    Args:
        summary: What it says.
        out: The file to write, which ends with `.html`.
        title: The title, such as the name of the data set.
        pictures: Small pictures of the examples of places, see `example_pictures`; None for their names alone.

    Returns the page. Raises `RecordError` for another ending, and where nothing can be written.

    Example:
        >>> page = save_summary(summary, "chest.html")  # doctest: +SKIP
    """
    path = check_page_name(out)
    page = render_still_page(
        "archive.html",
        styles=STYLES,
        title=title,
        version=__version__,
        **_Content(summary, {} if pictures is None else pictures).values(),
    )
    with written_result(path) as part:
        part.write_text(page, encoding="utf-8")
    return path


class _Content:
    """The values of the template."""

    def __init__(self, summary: ArchiveSummary, pictures: Mapping[int, ExamplePicture]) -> None:
        self._summary, self._pictures = summary, pictures
        self._maps = {row.label: row for row in summary.labels}

    def values(self) -> dict[str, Any]:
        summary = self._summary
        shared = [place for place in summary.places if not place.is_own][:MOST_SHARED]
        with_regions = summary.images - summary.without_regions
        shown = summary.suspicious[:MOST_IMAGES]
        return {
            "lead": _lead(summary),
            "counts": _counts(summary),
            "own": [self._place(place) for place in summary.shortcuts],
            "shared": [self._place(place) for place in shared],
            "shared_words": f"{format_count(len(shared), 'place')} where the regions of several labels lie",
            "nothing": _no_places(summary),
            "labels": [_label(row) for row in summary.labels[:MOST_LABELS]],
            "other_labels": max(0, len(summary.labels) - MOST_LABELS),
            "scale": heat_picture(np.linspace(0, 1, 120)[None]),
            "groups": [_group(group) for group in summary.groups],
            "suspicious": shown,
            "other_suspicious": f"{with_regions:,}" if with_regions > len(shown) else "",
            "some_later": any(row.later for row in shown),
            "kinds": [kind for kind in KINDS if any(getattr(row, kind) for row in shown)],
            "limits": _limits(summary),
        }

    def _place(self, place: ConcentratedPlace) -> dict[str, Any]:
        top, left, bottom, right = (PLACES_SIDE * side for side in place.box)
        rows: list[tuple[str, float | None, str]] = [
            (f"regions of {place.label}", place.share, "own"),
            ("… in images with the label", place.share_if_true, ""),
            ("… in images without it", place.share_if_false, ""),
            ("regions of other labels", place.others_share, ""),
            ("any place, on average", place.mean_share, ""),
        ]
        sentence, examples = place_sentence(place), self._examples(place)
        tests = [f"If regions lay anywhere, {format_p(place.p_value)}"]
        if place.others_p_value is not None:
            tests.append(f"if the label were like the others, {format_p(place.others_p_value)}")
        return {
            "own": place.is_own,
            "margin": place.is_own and place.is_at_margin,
            "label": place.label,
            "where": place.where,
            "box": (left, top, right - left, bottom - top),
            "picture": heat_picture(self._maps[place.label].where),
            "sentence": f"{sentence[0].upper()}{sentence[1:]}.",
            "bars": [(name, share, in_percent(share), kind) for name, share, kind in rows if share is not None],
            "test": "; ".join(tests) + ". Examples:",
            "examples": examples,
            "pictured": any(example["picture"] for example in examples),
        }

    def _examples(self, place: ConcentratedPlace) -> list[dict[str, Any]]:
        """Names of images, with a picture and the place in it where there is one."""
        top, left, bottom, right = place.box
        examples = []
        for name, item in zip(place.examples, place.example_items, strict=True):
            picture = self._pictures.get(item)
            found: dict[str, Any] = {"name": name, "picture": None}
            if picture is not None:
                height, width = picture.shape
                box = (left * width, top * height, (right - left) * width, (bottom - top) * height)
                found |= {"picture": data_address(picture.png), "width": width, "height": height, "box": box}
            examples.append(found)
        return examples


def _lead(summary: ArchiveSummary) -> str:
    labels = sum(row.regions > 0 for row in summary.labels)
    return (
        f"What the regions of {format_count(summary.images, 'image')} say of the classifier, for "
        f"{format_count(labels, 'label')}: where they fall, what may be a shortcut, and which images to look at first."
    )


def _counts(summary: ArchiveSummary) -> list[tuple[str, str, str]]:
    failed = sum(summary.failed.values())
    rows = [
        ("supported", summary.images, "images done"),
        ("artifact", failed, "failed"),
        ("untested", summary.waiting, "not done yet"),
        ("", summary.regions, "regions"),
        ("weak", summary.without_regions, "images without regions"),
    ]
    return [(kind, f"{count:,}", words) for kind, count, words in rows if count or kind in ("supported", "")]


def _no_places(summary: ArchiveSummary) -> str:
    tested = sum(row.placed >= MIN_IMAGES for row in summary.labels)
    if not tested:
        return f"Too few images to say more: a label is tested from {MIN_IMAGES} images with regions on."
    few = sum(0 < row.placed < MIN_IMAGES for row in summary.labels)
    left_out = f" {format_count(few, 'label')} with fewer than {MIN_IMAGES} images weren't tested." if few else ""
    return (
        f"{format_count(tested, 'label')} were tested for places that their regions cover at least {MIN_RATIO:.0f} "
        f"times as often as places do on average, and more often than the regions of other labels.{left_out}"
    )


def _label(row: LabelSummary) -> dict[str, Any]:
    unsupported = row.unsupported_first
    return {
        "label": row.label,
        "predicted": f"{row.predicted:,}",
        "images": f"{row.images:,}",
        "regions": f"{row.regions:,}",
        "unsupported": "–" if unsupported is None else in_percent(unsupported),
        "unsupported_share": unsupported,
        "later": f"{row.later:,}",
        "drop": "–" if row.mean_drop is None else f"{row.mean_drop:+z.2f}",
        "picture": heat_picture(row.where) if row.placed else "",
        "most": f"at most {in_percent(float(row.where.max()))}",
        "box": None,
    }


def _group(group: AlikeGroup) -> dict[str, Any]:
    return {
        "label": group.label,
        "verdict": group.verdict,
        "words": f"{format_count(group.size, 'image')}, {in_percent(group.share)} of those compared",
        "picture": heat_picture(group.where),
        "box": None,
        "examples": group.examples,
    }


def _limits(summary: ArchiveSummary) -> list[str]:
    lines = []
    if summary.failed:
        kinds = "; ".join(f"{kind} ({count:,})" for kind, count in summary.failed.items())
        lines.append(f"{format_count(sum(summary.failed.values()), 'image')} failed: {kinds}.")
    if summary.waiting:
        lines.append(f"{format_count(summary.waiting, 'image')} of the archive aren't done yet and are left out.")
    if summary.without_regions:
        lines.append(f"No region was found in {summary.without_regions:,} of {summary.images:,} images.")
    lines.append(
        f"Places are looked for on a grid of 16 x 16 cells, for labels with at least {MIN_IMAGES} images; a shortcut "
        "without a fixed place, such as a color or a device that moves, isn't seen here."
    )
    lines.append("Left and right are those of the picture as it is shown.")
    return [*lines, GENERAL_LIMITS[0]]
