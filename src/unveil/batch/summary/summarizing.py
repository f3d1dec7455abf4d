"""The summary of an archive: everything that its tables say, as plain values."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from unveil.batch.summary.columns import ArchiveColumns
from unveil.batch.summary.concentration import ConcentratedPlace, find_places
from unveil.batch.summary.coverage import cover
from unveil.batch.summary.groups import AlikeGroup, find_groups
from unveil.batch.summary.label_rows import LabelSummary, summarize_labels
from unveil.batch.summary.suspicion import SuspiciousImage, rank_images

DECIMALS = 4  # of the maps in JSON


@dataclass(frozen=True, eq=False)
class ArchiveSummary:
    """What the tables of an archive say.

    Attributes:
        images: The number of images that are done.
        failed: How many images failed, by the kind of their error, the most frequent first.
        waiting: The number of images of the plan that aren't done yet.
        regions: The number of regions.
        without_regions: The number of images that are done and have no region.
        labels: One row per label.
        places: Concentrated places; those of one label alone first.
        groups: Groups of images that look alike, the largest first.
        suspicious: The most suspicious images first.
    """

    images: int
    failed: dict[str, int]
    waiting: int
    regions: int
    without_regions: int
    labels: tuple[LabelSummary, ...]
    places: tuple[ConcentratedPlace, ...]
    groups: tuple[AlikeGroup, ...]
    suspicious: tuple[SuspiciousImage, ...]

    @property
    def shortcuts(self) -> tuple[ConcentratedPlace, ...]:
        """The concentrated places of one label alone."""
        return tuple(place for place in self.places if place.is_own)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; maps are lists of rows, rounded to four decimals."""
        values = asdict(self)
        for place, one in zip(values["places"], self.places, strict=True):
            place["share"] = one.share
        for part in (*values["labels"], *values["groups"]):
            part["where"] = np.round(part["where"], DECIMALS).tolist()
        return values


def summarize_columns(columns: ArchiveColumns) -> ArchiveSummary:
    """The summary of an archive from its `columns`."""
    failed = columns.images.error_kinds != ""
    coverage = cover(columns.regions)
    with_regions = np.zeros(len(columns.images), bool)
    with_regions[columns.regions.image] = True
    kinds = Counter(map(str, columns.images.error_kinds[failed]))
    return ArchiveSummary(
        images=int((~failed).sum()),
        failed=dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0]))),
        waiting=columns.waiting,
        regions=len(columns.regions),
        without_regions=int((~failed & ~with_regions).sum()),
        labels=summarize_labels(columns, coverage),
        places=find_places(columns, coverage),
        groups=find_groups(columns),
        suspicious=rank_images(columns),
    )
