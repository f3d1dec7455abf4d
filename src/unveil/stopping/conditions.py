"""Stops that use the predictions and the erased area: loss of the target, coverage, significance."""

from dataclasses import dataclass

from unveil.codec import require_numbers
from unveil.errors import RecipeError
from unveil.predictions import Prediction
from unveil.stopping.base import MAX_PLACEMENTS, MOST_ROUNDS, Stop, StopKind, StopReason, StopState
from unveil.targets import TargetScore


@dataclass(frozen=True)
class TargetLost(Stop):
    """Ends a run when none of the round's target classes that were predicted at first is still predicted.

    Never where a lost label makes room for the next one: see `StopState.rounds_without_label`.

    Attributes:
        threshold: The smallest probability of a predicted label of a sigmoid classifier, in (0, 1].

    Raises `RecipeError` for a threshold out of range.
    """

    threshold: float = 0.5

    def __post_init__(self) -> None:
        require_numbers(self)
        if not 0 < self.threshold <= 1:
            raise RecipeError("a threshold above 0, and at most 1", str(self.threshold), "0.5 is usual")

    def check(self, state: StopState) -> StopReason | None:
        """A reason once every such class is gone; never for targets that weren't predicted at first."""
        if state.rounds_without_label is not None:
            return None
        targets = {score.class_index for score in state.target_scores}
        had = targets & set(state.first.predicted(self.threshold))
        if not had or had & set(state.now.predicted(self.threshold)):
            return None
        names = ", ".join(score.name for score in state.target_scores if score.class_index in had)
        return StopReason(StopKind.TARGET_LOST, f"{names} no longer predicted")


@dataclass(frozen=True)
class ScoreBelow(Stop):
    """Ends a run when the probabilities of all target classes are below a bound.

    Attributes:
        probability: The bound, in (0, 1].

    Raises `RecipeError` for a bound out of range.
    """

    probability: float = 0.1

    def __post_init__(self) -> None:
        require_numbers(self)
        if not 0 < self.probability <= 1:
            raise RecipeError("a probability above 0, and at most 1", str(self.probability), "0.1 is usual")

    def check(self, state: StopState) -> StopReason | None:
        """A reason once the largest of the probabilities is below."""
        probabilities = state.now.probabilities
        values = [
            float(probabilities[score.class_index]) for score in state.target_scores if score.class_index is not None
        ]
        if not values or max(values) >= self.probability:
            return None
        return StopReason(StopKind.SCORE_BELOW, f"probability {max(values):.3f} is below {self.probability}")


@dataclass(frozen=True)
class NotPredicted(Stop):
    """Ends a run before the first round, when no target class is predicted and all have a low probability.

    Runs don't search for classes that aren't predicted: gradients highlight some region for any class, even an absent
    one.

    Attributes:
        probability: The probability that all target classes have to be below, in [0, 1].

    Raises `RecipeError` for a probability out of range.
    """

    probability: float = 0.1

    def __post_init__(self) -> None:
        require_numbers(self)
        if not 0 <= self.probability <= 1:
            raise RecipeError("a probability from 0 to 1", str(self.probability), "0.1 is usual")

    def check(self, state: StopState) -> StopReason | None:
        """Never, once there was a round."""
        return None

    def check_before(self, state: StopState) -> StopReason | None:
        """A reason if no target class is predicted and all probabilities are that low."""
        predicted = set(state.now.predicted())
        if state.round or any(score.class_index in predicted for score in state.target_scores):
            return None
        below = ScoreBelow(self.probability).check(state)
        return StopReason(StopKind.NOTHING_PREDICTED, f"{below.text}: not predicted") if below else None


@dataclass(frozen=True)
class Explained(Stop):
    """Ends a run when the erased regions account for a share of the score, for every target of the round.

    They account for (f(first) − f(now)) / (f(first) − f(blank)), where f is the target score and blank an image of the
    mean color only. Where evidence adds up over the image, the score is nearly used up long before the class stops
    being predicted; later rounds would only explain the remainder. A target whose score isn't above that of the blank
    image is never explained. Never where an explained label makes room for the next one: see
    `StopState.rounds_without_label`.

    Attributes:
        share: The share of the score, in (0, 1].

    Raises `RecipeError` for a share out of range.
    """

    share: float = 0.85

    def __post_init__(self) -> None:
        require_numbers(self)
        if not 0 < self.share <= 1:
            raise RecipeError("a share above 0, and at most 1", str(self.share), "0.85 is usual")

    def check(self, state: StopState) -> StopReason | None:
        """A reason once all targets are explained."""
        if state.rounds_without_label is not None or not state.target_scores:
            return None
        blank = state.blank()
        if blank is None:
            return None
        explained = min(self._explained(score, state, blank) for score in state.target_scores)
        if explained < self.share:
            return None
        return StopReason(StopKind.EXPLAINED, f"the erased regions account for {explained:.0%} of the score")

    @staticmethod
    def _explained(score: TargetScore, state: StopState, blank: Prediction) -> float:
        first, now, nothing = (float(score.of(prediction.logits)) for prediction in (state.first, state.now, blank))
        return (first - now) / (first - nothing) if first > nothing else 0.0


@dataclass(frozen=True)
class NothingShown(Stop):
    """Ends a run when nothing real is left: the last rounds found only artifacts of erasing, or little is predicted.

    Only where the target follows the predictions and regions are named: see `LabelCheck`.

    Attributes:
        rounds: The number of rounds in a row in which no region shows a label, 1 to 1000.
        probability: The probability, in [0, 1], that the label to search for must have after the first round; with
            softmax some label is always predicted.

    Raises `RecipeError` for settings out of range.
    """

    rounds: int = 2
    probability: float = 0.05

    def __post_init__(self) -> None:
        require_numbers(self)
        if not 1 <= self.rounds <= MOST_ROUNDS:
            raise RecipeError(f"1 to {MOST_ROUNDS} rounds", str(self.rounds), "2 is usual")
        if not 0 <= self.probability <= 1:
            raise RecipeError("a probability from 0 to 1", str(self.probability), "0.05 is usual")

    def check(self, state: StopState) -> StopReason | None:
        """A reason once so many rounds showed nothing."""
        if state.rounds_without_label is None or state.rounds_without_label < self.rounds:
            return None
        last = "last round" if self.rounds == 1 else f"last {self.rounds} rounds"
        return StopReason(StopKind.NOTHING_SHOWN, f"no region of the {last} shows a label")

    def check_before(self, state: StopState) -> StopReason | None:
        """A reason if the labels to search for are that improbable."""
        if state.rounds_without_label is None or not state.round or not self.probability:
            return None
        below = ScoreBelow(self.probability).check(state)
        return StopReason(StopKind.NOTHING_SHOWN, f"no label is left: {below.text}") if below else None


@dataclass(frozen=True)
class CoverageAbove(Stop):
    """Ends a run when a large share of the grid is erased, because the rest is hardly the same image.

    Attributes:
        coverage: The largest share of the grid with which a run continues, in [0, 1].

    Raises `RecipeError` for a share out of range.
    """

    coverage: float = 0.5

    def __post_init__(self) -> None:
        require_numbers(self)
        if not 0 <= self.coverage <= 1:
            raise RecipeError("a coverage from 0 to 1, a share of the image", str(self.coverage), "0.5 is usual")

    def check(self, state: StopState) -> StopReason | None:
        """A reason once too much is erased."""
        if state.coverage <= self.coverage:
            return None
        return StopReason(StopKind.COVERAGE_ABOVE, f"{state.coverage:.0%} of the image is erased")


@dataclass(frozen=True)
class NotSignificant(Stop):
    """Ends a run when no region lowers the score significantly more than its shape at random places.

    Attributes:
        alpha: The level that the smallest q-value of the round's regions is compared with, between 0 and 1.
        placements: The largest number of other places that each region is compared with, 1 to 10 000.

    Raises `RecipeError` for settings out of range.
    """

    alpha: float = 0.1
    placements: int = 39

    def __post_init__(self) -> None:
        require_numbers(self)
        if not 0 < self.alpha < 1:
            raise RecipeError("alpha between 0 and 1", str(self.alpha), "0.1 is usual")
        if not 1 <= self.placements <= MAX_PLACEMENTS:
            raise RecipeError(f"1 to {MAX_PLACEMENTS} placements", str(self.placements), "39 is usual")

    def check(self, state: StopState) -> StopReason | None:
        """A reason once the smallest p is above the level; never where there is nothing to compare with."""
        smallest = state.significance(self.placements)
        if smallest is None or smallest <= self.alpha:
            return None
        text = f"no region of round {state.round} is significant: p = {smallest:.2f}, above {self.alpha}"
        return StopReason(StopKind.NOT_SIGNIFICANT, text)
