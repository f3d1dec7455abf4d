"""What the tables of an archive say: per label where regions fall, places that look like shortcuts, groups of images
that look alike, and the most suspicious images; as values, and as a page. Neither torch nor the model is needed."""

from unveil.batch.summary.columns import ArchiveColumns
from unveil.batch.summary.concentration import ConcentratedPlace
from unveil.batch.summary.groups import AlikeGroup
from unveil.batch.summary.label_rows import LabelSummary
from unveil.batch.summary.page import save_summary
from unveil.batch.summary.pictures import ExamplePicture, example_pictures
from unveil.batch.summary.reading import read_columns, summarize_archive
from unveil.batch.summary.summarizing import ArchiveSummary, summarize_columns
from unveil.batch.summary.suspicion import SuspiciousImage

__all__ = [
    "AlikeGroup",
    "ArchiveColumns",
    "ArchiveSummary",
    "ConcentratedPlace",
    "ExamplePicture",
    "LabelSummary",
    "SuspiciousImage",
    "example_pictures",
    "read_columns",
    "save_summary",
    "summarize_archive",
    "summarize_columns",
]
