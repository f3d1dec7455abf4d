"""The verdict of a trust card, `supported`, `weak` or `artifact`, and its reason in words.

`benchmarks/trust.py` measures on planted scenes how often the verdicts are right.
"""

from collections.abc import Mapping

from unveil.records import SHOWN_SURELY, LabelCard, Region, Verdict
from unveil.texts import format_multiple
from unveil.trust.erasure import BoundaryShare, FillAgreement
from unveil.trust.placement import PlacementResult

MIN_FILL_AGREEMENT = 0.5  # smallest over largest drop among all fills
NEARLY_ALL = 0.9  # of a drop: an edge keeps all of it or more with the boundary alone, since a ring has two edges


def judge_by_label(region: Region, cards: Mapping[int, LabelCard], *, follows: bool) -> tuple[Verdict, str] | None:
    """The verdict and its reason where the label check decides; None where it doesn't, or wasn't made.

    - `supported`: shown alone, the region raises the probability of its target by at least `SHOWN_SURELY`, and erasing
      it lowers the score: it is sufficient. If the targets of the run follow the predictions (`follows`), another label
      that is shown so surely counts as well; the region then belongs to that label, whose score the drop isn't.
    - `artifact`: the region shows nothing, and its target, which was predicted in a later round of such a run, is shown
      by no region (`cards`: the label cards of the run by class index).
    """
    index = region.target_score.class_index
    if region.shown is None or index is None:
        return None
    target = next((label for label in region.shown if label.class_index == index), None)
    label = target or (region.shown[0] if follows and region.shown else None)
    if label is not None and label.gain >= SHOWN_SURELY and (region.drop > 0 or target is None):
        other = "" if target else f", and not {region.target}"
        return Verdict.SUPPORTED, f"shown alone, it is called {label.name}{other}: {label.gain:+.0%}"
    card = cards.get(index)
    if follows and not region.shown and card is not None and card.verdict is Verdict.ARTIFACT:
        return Verdict.ARTIFACT, f"{region.target} is {card.reason}"
    return None


def judge(
    region: Region,
    placement: PlacementResult,
    q_value: float | None,
    alpha: float,
    fills: FillAgreement | None,
    boundary: BoundaryShare | None,
) -> tuple[Verdict, str]:
    """The verdict and its reason.

    - `supported`: the region lowers the score, significantly more than its shape elsewhere (q ≤ `alpha`); other fills
      agree; and the drop comes from the inside, not from the edge that erasing makes.
    - `artifact`: at least one of these is missing, and the region lies along the rim of what was erased before, or
      nearly all of a significant drop remains with the boundary alone.
    - `weak`: all others.

    The drop comes from the edge if, with the boundary alone erased, the share that remains is closer to 1 than to the
    boundary's share of the area.
    """
    doubt = _doubt(region, placement, q_value, alpha, fills)
    edge = boundary is not None and boundary.drop_share >= (1 + boundary.area_share) / 2
    if not doubt and not edge:
        agree = "" if fills is None else f", and other fills agree ({fills.ratio:.0%})"
        return Verdict.SUPPORTED, f"{_comparison(placement)}{agree}"
    if doubt and region.is_rim:
        rim = f"{region.rim_share:.0%} of its saliency lies along the rim of what was erased before"
        return Verdict.ARTIFACT, f"{rim}; {doubt}"
    if boundary is None or not edge:
        return Verdict.WEAK, doubt
    remains = _remainder(boundary.drop_share)
    if doubt and q_value is not None and q_value <= alpha and boundary.drop_share >= NEARLY_ALL:
        return Verdict.ARTIFACT, f"{remains}; {doubt}"
    return Verdict.WEAK, f"{remains}; {doubt}" if doubt else remains


def _doubt(
    region: Region, placement: PlacementResult, q_value: float | None, alpha: float, fills: FillAgreement | None
) -> str:
    """Why the drop itself is in doubt; empty if it isn't."""
    if region.drop <= 0:
        return "erasing it doesn't lower the score"
    if placement.p_value is None or q_value is None:
        return "its shape fits nowhere else in the image, so there is nothing to compare its drop with"
    if q_value > alpha:
        if placement.exceeding == 0:
            count = placement.placements
            fits = f"its shape fits only {count} other place{'s' * (count != 1)}"
            return f"{fits}, too few to show that its drop is unusual (q = {q_value:.2f})"
        return f"{_comparison(placement)} (q = {q_value:.2f})"
    if fills is not None and fills.ratio < MIN_FILL_AGREEMENT:
        drops = ", ".join(f"{drop:+z.2f}" for drop in fills.drops)
        return f"its drop depends on the fill: {region.drop:+z.2f} with the run's own, {drops} with others"
    return ""


def _remainder(share: float) -> str:
    """How much of the drop is left with the boundary alone erased; as a multiple where it is more than all of it."""
    multiple = format_multiple(share)
    if multiple:
        return f"erasing only its boundary lowers the score {multiple} times as much as erasing all of it"
    return f"{share:.0%} of its drop remains when only its boundary is erased"


def _comparison(placement: PlacementResult) -> str:
    if placement.exceeding == 0:
        return f"its drop is larger than at all {placement.placements} other places tried"
    return f"{placement.exceeding} of {placement.placements} other places lower the score as much"
