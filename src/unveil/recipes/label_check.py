"""Settings of the label check: how a region is shown to the classifier alone."""

from dataclasses import dataclass

from unveil.codec import require_numbers
from unveil.errors import RecipeError
from unveil.fills import Fill, Mean

MAX_MARGIN_PX = 10_000


@dataclass(frozen=True)
class LabelCheck:
    """Settings of the label check, which names each region by what the classifier predicts from its box alone.

    The region's upright box, with a margin, is kept in the original image, and everything else is filled. With the mean
    over all margins and fills,

        q_l = mean P(l | box kept) and b_l = max(mean P(l | nothing kept), mean P(l | texture kept)),

    where the texture is the middle half of a synthetic image in which there is nothing to recognize, a region *shows*
    label l if q_l − b_l ≥ `threshold`; with softmax, only the label with the largest q_l. The first margin is tried
    alone, and is enough where the gain of every such label is below `threshold` / 2 or above 1 − `threshold`.

    A label that was predicted only because of what erasing left behind is shown by no region, and neither is one that
    the classifier, such as a network with random weights, predicts from anything. Chosen on mosaics of photographs, see
    docs/mosaics.md.

    Attributes:
        margins_px: The margin added to all sides of the box, in px of the model grid, or several margins, because a
            network may need some context, or none; 0 to 10 000.
        fills: Fills used besides the recipe's own, so that a label that one fill itself suggests isn't enough.
        threshold: The smallest gain in probability, between 0 and 1.

    Raises `RecipeError` for settings out of range.
    """

    margins_px: int | tuple[int, ...] = (36, 20, 52)
    fills: tuple[Fill, ...] = (Mean(),)
    threshold: float = 0.3

    def __post_init__(self) -> None:
        require_numbers(self)
        if not self.margins or not all(0 <= margin <= MAX_MARGIN_PX for margin in self.margins):
            raise RecipeError(f"margins of 0 to {MAX_MARGIN_PX} px", str(self.margins_px), "[36, 20, 52] suits 224 px")
        if not 0 < self.threshold < 1:
            raise RecipeError("a threshold between 0 and 1", str(self.threshold), "0.3 is usual")

    @property
    def margins(self) -> tuple[int, ...]:
        """All margins in px, also where one number was given."""
        return self.margins_px if isinstance(self.margins_px, tuple) else (self.margins_px,)
