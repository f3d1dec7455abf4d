"""An archive: the runs of many images as tables, made by many workers, with nothing lost when one of them is killed.

`open_archive` plans a folder or finds what is left of it, `unveil.batch.work.work` makes one shard, and `Archive` says
what is missing. Opening an archive needs neither torch nor the model. The format is specified in docs/record-format.md.
"""

from unveil.batch.archive import Archive, read_archive
from unveil.batch.base import Outcome
from unveil.batch.model_spec import ModelSpec
from unveil.batch.opening import open_archive
from unveil.batch.plan import BatchPlan, read_plan
from unveil.batch.planning import asked_for, make_plan, recall_plan

__all__ = [
    "Archive",
    "BatchPlan",
    "ModelSpec",
    "Outcome",
    "asked_for",
    "make_plan",
    "open_archive",
    "read_archive",
    "read_plan",
    "recall_plan",
]
