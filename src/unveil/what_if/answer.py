"""The answer to a what-if: every label before and after, and how unusual the drop is for this shape."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from unveil.targets import TargetScore
from unveil.what_if.drawing import Drawing

LEAST_DROP = 0.005  # in logits; smaller ones are written as 0.00


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
        on: What it was erased from: the original image, or the image without what rounds of the run had erased.
        track: The name of the track whose rounds these were; None in a joint run.
        rounds: The number of these rounds; 0 for the original image.
        area_px: The number of pixels that the drawing erased, on the model's grid.
        area_share: Their share of the grid, in [0, 1].
        outside_share: The share of the drawn pixels that the model never gets, because a crop leaves them out.
        empty_strokes: The numbers, from 1 on, of strokes that are too small to cover the center of a pixel.
        labels: The labels that changed and those that a view shows, the largest change first.
        target_score: The target whose score is tested.
        score_before: Its score before, in logits.
        score_after: Its score after.
        placements: The number of other places at which the shape was erased; None before the test.
        exceeding: How many of these lower the score as much.
        p_value: As in a trust card; None before the test, and where the shape fits nowhere else.
        image_sha256: The hash of the image's content, as in a record.
        classifier: The fingerprint of the classifier's weights.
        recipe: The recipe of the run, as tables; its fill replaced the pixels.
        seed: The seed of the run.
    """

    drawing: Drawing
    on: WhatIfState
    track: str | None
    rounds: int
    area_px: int
    area_share: float
    outside_share: float
    empty_strokes: tuple[int, ...]
    labels: tuple[LabelChange, ...]
    target_score: TargetScore
    score_before: float
    score_after: float
    placements: int | None
    exceeding: int
    p_value: float | None
    image_sha256: str
    classifier: str
    recipe: dict
    seed: int

    @property
    def target(self) -> str:
        """The name of the target."""
        return self.target_score.name

    @property
    def fill(self) -> dict:
        """The fill that replaced the pixels, as a table of the recipe."""
        return self.recipe["fill"]

    @property
    def drop(self) -> float:
        """The target's score before minus its score after, in logits."""
        return self.score_before - self.score_after

    @property
    def is_tested(self) -> bool:
        """Whether the shape was compared with other places."""
        return self.placements is not None

    @property
    def sentence(self) -> str:
        """The answer in one line."""
        drop = self.drop
        if abs(drop) < LEAST_DROP:
            effect = f"Hiding it doesn't change the score of {self.target}"
        else:
            effect = f"Hiding it {'lowers' if drop > 0 else 'raises'} the score of {self.target} by {abs(drop):.2f}"
        own = next((one for one in self.labels if one.class_index == self.target_score.class_index), None)
        before, after = ("", "") if own is None else (f"{own.before:.1%}", f"{own.after:.1%}")
        shares = "" if before == after else f" ({before} → {after})"
        return f"{effect}{shares}; {self._comparison}."

    @property
    def notes(self) -> tuple[str, ...]:
        """What else there is to know, one line each."""
        lines = []
        if self.outside_share:
            lines.append(f"{self.outside_share:.0%} of the drawing lies in margins that the model's crop leaves out")
        for number in self.empty_strokes:
            lines.append(f"stroke {number} is too small: it covers the center of no pixel of the model's grid")
        if self.is_tested and self.p_value is None:
            lines.append("its shape fits nowhere else in the image, so there is nothing to compare its drop with")
        return tuple(lines)

    def as_dict(self) -> dict:
        """The answer as plain values, with what follows from them: the content of its file."""
        from unveil.what_if.encoding import encode_what_if  # noqa: PLC0415 (it is made of this class)

        return encode_what_if(self)

    @classmethod
    def from_dict(cls, values: Any) -> "WhatIf":
        """The answer of plain `values`. Raises `RecordError`."""
        from unveil.what_if.encoding import decode_what_if  # noqa: PLC0415

        return decode_what_if(values)

    @property
    def _comparison(self) -> str:
        if not self.is_tested:
            return "not compared with other places yet"
        if self.p_value is None:
            return "its shape fits nowhere else"
        if self.exceeding:
            places = f"{self.exceeding} of {self.placements} other places lower it as much"
        else:
            places = f"more than at all {self.placements} other places tried"
        return f"{places} (p = {self.p_value:.3f})"
