"""The record of one region."""

from __future__ import annotations

from dataclasses import dataclass

from unveil.masks import Box, Mask
from unveil.records.labels import ShownLabel
from unveil.targets import TargetScore


@dataclass(frozen=True, repr=False)
class Region:
    """One region of interest, found in one round for one target.

    Neither mask includes what earlier rounds had erased. Scores are values of the target (a logit, or a weighted sum of
    logits), with everything erased that earlier rounds found. Probabilities are None where the target isn't one class.

    Attributes:
        target_score: The target that the region was found for.
        mask: Its pixels on the source (voxels of a volume).
        model_mask: Its pixels on the model's grid.
        area_mm2: The size of the region in an image, where the spacing is known.
        score_before: The score before the region is erased.
        score_after: The score with this region alone erased as well.
        probability_before: The probability of the class that belongs to `score_before`.
        probability_after: The probability of the class that belongs to `score_after`.
        stability: IoU of this region as found from the even and from the odd noise samples alone; None without noise.
        revealed: Share of the region that a first map cut at the same total area would have missed; 1: wholly hidden in
            the first map, 0: wholly visible.
        rim_share: Share of the region's saliency within `RIM_PX` pixels of what was already erased. The rim of an
            erased area lights up in any image, so a region above one half is likely an artifact.
        volume_mm3: The size of the region in a volume, where the spacing is known.
        shown: The labels that the classifier predicts when only the region's box is kept, see `LabelCheck`; None in
            runs without a label check.
        box_gain: The gain in probability of the target itself; None like `shown`, and where the target isn't one class.
    """

    target_score: TargetScore
    mask: Mask
    model_mask: Mask
    area_mm2: float | None
    score_before: float
    score_after: float
    probability_before: float | None
    probability_after: float | None
    stability: float | None
    revealed: float
    rim_share: float
    volume_mm3: float | None = None
    shown: tuple[ShownLabel, ...] | None = None
    box_gain: float | None = None

    def __repr__(self) -> str:
        """One line, without the run lengths of the masks."""
        box = "outside the source" if self.box is None else f"box {self.box.start} to {self.box.stop}"
        return f"<Region of {self.target}: {self.area_px} px, {box}, drop {self.drop:+.2f}>"

    @property
    def target(self) -> str:
        """Name of the target."""
        return self.target_score.name

    @property
    def area_px(self) -> int:
        """Number of pixels of the source, or of voxels in a volume."""
        return self.mask.area_px

    @property
    def box(self) -> Box | None:
        """The smallest upright box in the source; None if the region falls between the source's pixels."""
        return self.mask.box

    @property
    def drop(self) -> float:
        """Score before minus score after: what erasing this region alone took away, in logits."""
        return self.score_before - self.score_after

    @property
    def probability_drop(self) -> float | None:
        """Probability before minus probability after."""
        if self.probability_before is None or self.probability_after is None:
            return None
        return self.probability_before - self.probability_after

    @property
    def shows_target(self) -> bool | None:
        """Whether the region shows its own target; None in runs without a label check."""
        if self.shown is None or self.target_score.class_index is None:
            return None
        return any(label.class_index == self.target_score.class_index for label in self.shown)

    @property
    def label_index(self) -> int | None:
        """The index of the label that the region belongs to: its target, unless it shows only others; then the first of
        those. None for targets that aren't one class and regions that show nothing."""
        target = self.target_score.class_index
        return self.shown[0].class_index if self.shown and not self.shows_target else target

    @property
    def other_label(self) -> ShownLabel | None:
        """The label that the region shows in place of its target; None if it shows its target or nothing, if the target
        isn't one class, and in runs without a label check."""
        return self.shown[0] if self.shown and self.shows_target is False else None

    @property
    def is_rim(self) -> bool:
        """True if more than half of the region's saliency lies at the rim of what was already erased."""
        return self.rim_share > 0.5
