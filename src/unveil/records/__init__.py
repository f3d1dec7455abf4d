"""Records: what a run found, and how far it can be trusted. Nothing here needs torch or the model."""

from unveil.records.half_floats import from_half, to_half
from unveil.records.labels import SHOWN_SURELY, LabelCard, ShownLabel, make_label_cards
from unveil.records.region import Region
from unveil.records.run import ClassifierInfo, Round, Run, Source, TargetMap
from unveil.records.trust import ShapleyGame, TrustCard, TrustCards, Verdict

__all__ = [
    "SHOWN_SURELY",
    "ClassifierInfo",
    "LabelCard",
    "Region",
    "Round",
    "Run",
    "ShapleyGame",
    "ShownLabel",
    "Source",
    "TargetMap",
    "TrustCard",
    "TrustCards",
    "Verdict",
    "from_half",
    "make_label_cards",
    "to_half",
]
