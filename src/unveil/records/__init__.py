"""Records: what a run found, and how far it can be trusted. Nothing here needs torch or the model."""

from unveil.records.half_floats import from_half, to_half
from unveil.records.run import ClassifierInfo, Region, Round, Run, Source, TargetMap
from unveil.records.trust import ShapleyGame, TrustCard, TrustCards, Verdict

__all__ = [
    "ClassifierInfo",
    "Region",
    "Round",
    "Run",
    "ShapleyGame",
    "Source",
    "TargetMap",
    "TrustCard",
    "TrustCards",
    "Verdict",
    "from_half",
    "to_half",
]
