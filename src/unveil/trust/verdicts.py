"""What a card comes to: `supported`, `weak` or `artifact`, and the reason in words.

The levels are a first choice: `benchmarks/trust.py` measures how often they are right on planted scenes.
"""

from unveil.records.run import Region
from unveil.records.trust import Verdict
from unveil.trust.erasure import BoundaryShare, FillAgreement
from unveil.trust.placement import PlacementResult

LEAST_AGREEMENT = 0.5  # of the smallest drop with the largest, over all fills
WHOLE = 0.9  # of a drop: an edge leaves all of it or more with the border alone, since a ring has two edges


def judge(
    region: Region,
    null: PlacementResult,
    q: float | None,
    alpha: float,
    agreement: FillAgreement,
    border: BoundaryShare | None,
) -> tuple[Verdict, str]:
    """The verdict and its reason.

    `supported`: the drop is more than that of the same shape elsewhere, other fills agree, and it comes from the
    inside: with only the region's rim erased, what stays of it is nearer to the rim's share of the area than to all.
    `artifact`: the drop itself is in doubt, and the region lies at the rim of what was erased before, or nearly all of
    its drop stays with its border alone. `weak`: all others.
    """
    lacks = _lacking(region, null, q, alpha, agreement)
    edge = border is not None and border.stays >= (1 + border.area) / 2
    if not lacks and not edge:
        return Verdict.SUPPORTED, f"{_comparison(null)}, and other fills agree ({agreement.least:.0%})"
    if lacks and region.is_rim:
        return (
            Verdict.ARTIFACT,
            f"{region.rim_share:.0%} of its saliency traces the rim of what was erased before; {lacks}",
        )
    if border is None or not edge:
        return Verdict.WEAK, lacks
    stays = f"{border.stays:.0%} of its drop stays when only its border is erased"
    if lacks and q is not None and q <= alpha and border.stays >= WHOLE:
        return Verdict.ARTIFACT, f"{stays}, and {lacks}"
    return Verdict.WEAK, f"{stays}; {lacks}" if lacks else stays


def _lacking(region: Region, null: PlacementResult, q: float | None, alpha: float, agreement: FillAgreement) -> str:
    """What speaks against the drop itself; empty if nothing does."""
    if region.drop <= 0:
        return "erasing it doesn't lower the score"
    if null.p_value is None or q is None:
        return "its shape fits nowhere else, so there is nothing to compare it with"
    if q > alpha:
        return f"{_comparison(null)} (q = {q:.2f})"
    if agreement.least < LEAST_AGREEMENT:
        drops = ", ".join(f"{drop:+z.2f}" for drop in agreement.drops)
        return f"its drop depends on the fill: {region.drop:+z.2f}, with others {drops}"
    return ""


def _comparison(null: PlacementResult) -> str:
    beyond = round((null.p_value or 0) * (1 + null.placements)) - 1
    if beyond == 0:
        return f"no place of {null.placements} takes as much"
    return f"{beyond} of {null.placements} other places take{'s' * (beyond == 1)} as much"
