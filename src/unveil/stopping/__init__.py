"""When a run ends, and why it ended."""

from unveil.stopping.base import MAX_PLACEMENTS, AnyOf, MaxRounds, Stop, StopKind, StopReason, StopState
from unveil.stopping.conditions import (
    CoverageAbove,
    Explained,
    NothingShown,
    NotPredicted,
    NotSignificant,
    ScoreBelow,
    TargetLost,
)

__all__ = [
    "MAX_PLACEMENTS",
    "AnyOf",
    "CoverageAbove",
    "Explained",
    "MaxRounds",
    "NotPredicted",
    "NotSignificant",
    "NothingShown",
    "ScoreBelow",
    "Stop",
    "StopKind",
    "StopReason",
    "StopState",
    "TargetLost",
]
