"""Sufficient input subsets (Carter, Mueller, Jain & Gifford, AISTATS 2019), and by batched gradients (Carter, Jain,
Mueller & Gifford, NeurIPS 2021), written from the papers.

A subset S of features suffices if f(x_S) ≥ τ, f being the label's probability with all other features hidden.
BackSelect hides, one by one, the feature that is missed least; FindSIS takes features back from the end of that order
until τ is reached; the collection repeats that on what is left, and ends when the rest no longer suffices: f(x_rest) <
τ.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from asking import Answer, MaskedImage, Rival, Score, answer
from jaxtyping import Bool, Float
from patches import Patches
from torch import Tensor

from unveil.classifiers import Classifier

Order = list[int]
Selecting = Callable[[Bool[np.ndarray, "features"]], Order]


def back_select(score: Score, among: Bool[np.ndarray, "features"]) -> Order:
    """Features in the order in which they are hidden: always i = argmax f(x_{S∖i}), the first of equals.

    Asks about p(p + 1)/2 images for p features.
    """
    left, order = among.copy(), []
    while left.any():
        candidates = np.flatnonzero(left)
        without = np.repeat(left[None], len(candidates), axis=0)
        without[np.arange(len(candidates)), candidates] = False
        missed_least = int(candidates[np.argmax(score(without))])
        left[missed_least] = False
        order.append(missed_least)
    return order


def find_sis(
    score: Score, order: Order, features: int, threshold: float, step: int = 1
) -> Bool[np.ndarray, "features"] | None:
    """Features from the end of the order, `step` at a time, until f(x_S) ≥ τ; None if all of them don't suffice."""
    subset = np.zeros(features, bool)
    backwards = order[::-1]
    for start in range(0, len(order) + step, step):
        if score(subset[None])[0] >= threshold:
            return subset
        subset[backwards[start : start + step]] = True
    return None


def sis_collection(
    score: Score, select: Selecting, features: int, threshold: float, step: int = 1, most: int | None = None
) -> list[Bool[np.ndarray, "features"]]:
    """Disjoint sufficient subsets, in the order in which they are found; at most `most` of them.

    Ends by the paper's rule, f(x_rest) < τ, which holds at once where the label's probability is below τ.
    """
    rest, found = np.ones(features, bool), []
    while (most is None or len(found) < most) and score(rest[None])[0] >= threshold:
        subset = find_sis(score, select(rest), features, threshold, step)
        if subset is None or not subset.any():
            break
        found.append(subset)
        rest &= ~subset
    return found


def back_select_by_gradient(masked: MaskedImage, among: Bool[np.ndarray, "pixels"], step: int) -> Order:
    """As `back_select` for pixels, but hides the `step` pixels with the smallest ∂f/∂kept at once.

    Asks for p/step gradients. Of equal gradients the pixel that comes first is hidden first (the authors add noise of
    1e-12 for that). The logarithm of the odds gives the same order as f.
    """
    kept, order = torch.tensor(among.reshape(masked.shape), device=masked.pixels.device), []
    while kept.any():
        cover = kept[None, None].to(masked.pixels).requires_grad_()
        with torch.enable_grad():
            odds = masked.log_odds(masked.blend(cover)).sum()
            (gradient,) = torch.autograd.grad(odds, cover)
        values = torch.where(kept, gradient[0, 0], torch.inf).flatten()
        hidden = torch.argsort(values, stable=True)[: min(step, int(kept.sum()))]
        kept.view(-1)[hidden] = False
        order.extend(hidden.tolist())
    return order


@dataclass(frozen=True)
class SufficientSubsets(Rival):
    """The 2019 procedure with patches as features: `cells` a side (as attention graphs have them), τ = `share` of the
    whole image's probability.

    The paper's features are the 784 pixels of a digit, which take p²/2 = 307 000 images; a patch grid is what makes it
    payable here.
    """

    name: ClassVar[str] = "sis"
    cells: int = 7
    share: float = 0.9
    most: int | None = None

    def find(self, pixels: Float[Tensor, "c h w"], classifier: Classifier, label_index: int) -> Answer:
        """The collection, in the order in which it is found."""
        return answer(self._search, pixels, classifier, label_index)

    def _search(self, masked: MaskedImage) -> list[Bool[np.ndarray, "h w"]]:
        patches = Patches(self.cells, masked.shape)
        score = patches.score(masked)

        def select(among: Bool[np.ndarray, "features"]) -> Order:
            return back_select(score, among)

        found = sis_collection(score, select, patches.count, self.share * masked.whole, most=self.most)
        return [patches.inside(subset[None])[0] for subset in found]


@dataclass(frozen=True)
class GradientSubsets(Rival):
    """The 2021 procedure on pixels: `step_px` at a time, in selecting and in taking back (the paper: 100), τ = `share`
    of the whole image's probability (the paper: 0.9)."""

    name: ClassVar[str] = "sis-gradient"
    step_px: int = 100
    share: float = 0.9
    most: int | None = 20

    def find(self, pixels: Float[Tensor, "c h w"], classifier: Classifier, label_index: int) -> Answer:
        """The collection, in the order in which it is found."""
        return answer(self._search, pixels, classifier, label_index)

    def _search(self, masked: MaskedImage) -> list[Bool[np.ndarray, "h w"]]:
        count = masked.shape[0] * masked.shape[1]

        def score(kept: Bool[np.ndarray, "n features"]) -> Float[np.ndarray, "n"]:
            return masked.probabilities(kept.reshape(-1, *masked.shape))

        def select(among: Bool[np.ndarray, "features"]) -> Order:
            return back_select_by_gradient(masked, among, self.step_px)

        found = sis_collection(score, select, count, self.share * masked.whole, self.step_px, self.most)
        return [subset.reshape(masked.shape) for subset in found]
