"""The answer to a what-if: every label before and after, and how unusual the drop is for this shape."""

from dataclasses import dataclass
from enum import StrEnum

from unveil.what_if.drawing import Drawing


class WhatIfState(StrEnum):
    """The state of the image that a drawing is erased from."""

    ORIGINAL = "original"
    ERASED = "erased"


@dataclass(frozen=True)
class LabelChange:
    """One label before and after the drawing is erased.

    Attributes:
        class_index: The index of the label.
        name: The label.
        before: Its probability before, in [0, 1].
        after: Its probability after, in [0, 1].
        score_before: Its logit before.
        score_after: Its logit after.
    """

    class_index: int
    name: str
    before: float
    after: float
    score_before: float
    score_after: float

    @property
    def change(self) -> float:
        """Probability after minus probability before."""
        return self.after - self.before


@dataclass(frozen=True)
class WhatIf:
    """What happens to the prediction when a drawing is erased.

    Attributes:
        drawing: What was drawn.
        on: What it was erased from: the original image, or the image without all that the run has erased so far.
        area_px: The number of pixels that were erased, on the model's grid.
        area_share: Their share of the grid, in [0, 1].
        outside_share: The share of the drawn pixels that the model never gets, because a crop leaves them out.
        labels: The labels that changed and those that a view shows, the largest change first.
        target: The name of the target whose score is tested.
        score_before: Its score before, in logits.
        score_after: Its score after.
        placements: The number of other places at which the shape was erased; None before the test.
        exceeding: How many of these lower the score as much.
        p_value: As in a trust card; None before the test, and where the shape fits nowhere else.
        image_sha256: The hash of the image's content, as in a record.
        classifier: The fingerprint of the classifier's weights.
        fill: The fill that replaced the pixels, as a table of a recipe.
        seed: The seed of the run.
    """

    drawing: Drawing
    on: WhatIfState
    area_px: int
    area_share: float
    outside_share: float
    labels: tuple[LabelChange, ...]
    target: str
    score_before: float
    score_after: float
    placements: int | None
    exceeding: int
    p_value: float | None
    image_sha256: str
    classifier: str
    fill: dict
    seed: int

    @property
    def drop(self) -> float:
        """The target's score before minus its score after, in logits."""
        return self.score_before - self.score_after

    @property
    def is_tested(self) -> bool:
        """Whether the shape was compared with other places."""
        return self.placements is not None
