"""When a run ends, and why it ended."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from unveil.errors import RecipeError
from unveil.predictions import Prediction
from unveil.targets import TargetScore

MOST_ROUNDS, MAX_PLACEMENTS = 1000, 10_000


class StopKind(StrEnum):
    """Why a run ended."""

    MAX_ROUNDS = "max rounds"
    TARGET_LOST = "target lost"
    SCORE_BELOW = "score below"
    COVERAGE_ABOVE = "coverage above"
    EXPLAINED = "explained"
    NOT_SIGNIFICANT = "not significant"
    NOTHING_FOUND = "nothing found"
    NOTHING_PREDICTED = "nothing predicted"
    LEFT_EARLY = "left early"


@dataclass(frozen=True)
class StopReason:
    """Why a run ended.

    Attributes:
        kind: The reason, for programs.
        text: The reason, for readers.
    """

    kind: StopKind
    text: str


@dataclass(frozen=True, eq=False)
class StopState:
    """The inputs of a stop, after the regions of a round are erased.

    Attributes:
        round: The number of the round, from 1 on; 0 before the first one.
        target_scores: The target scores of the round.
        first: The prediction before anything was erased.
        now: The prediction with everything erased so far.
        coverage: The share of the grid that is erased, in [0, 1].
        significance: Computes the smallest q-value of the round's regions in a placement test with the given number of
            placements; None if no region's shape fits anywhere else. It predicts images when it is called, so a run
            whose stops don't call it has no further cost.
        blank: Computes the prediction for an image of the mean color only; None where that isn't known.
    """

    round: int
    target_scores: Sequence[TargetScore]
    first: Prediction
    now: Prediction
    coverage: float
    significance: Callable[[int], float | None] = lambda placements: None
    blank: Callable[[], Prediction | None] = lambda: None


class Stop(ABC):
    """Base class of conditions that end a run; `a | b` ends a run when either condition holds.

    >>> MaxRounds(5) | CoverageAbove(0.5)
    AnyOf(stops=(MaxRounds(rounds=5), CoverageAbove(coverage=0.5)))
    """

    @abstractmethod
    def check(self, state: StopState) -> StopReason | None:
        """Return the reason to end the run, or None to continue."""

    def check_first(self, state: StopState) -> StopReason | None:
        """Return a reason to end before the first round; most stops have none."""
        return None

    @property
    def most_rounds(self) -> int | None:
        """The largest number of rounds this stop allows, if it has one."""
        return None

    def __or__(self, other: "Stop") -> "AnyOf":
        """Combine two stops: the run ends when either has a reason."""
        return AnyOf((*_parts(self), *_parts(other)))


@dataclass(frozen=True)
class AnyOf(Stop):
    """Ends a run when the first of several stops has a reason.

    Attributes:
        stops: The stops, checked in this order.
    """

    stops: tuple[Stop, ...]

    def check(self, state: StopState) -> StopReason | None:
        """The first reason in the order of the stops."""
        return next((reason for stop in self.stops if (reason := stop.check(state))), None)

    def check_first(self, state: StopState) -> StopReason | None:
        """The first reason to end before the first round."""
        return next((reason for stop in self.stops if (reason := stop.check_first(state))), None)

    @property
    def most_rounds(self) -> int | None:
        """The smallest bound among the stops."""
        return min((stop.most_rounds for stop in self.stops if stop.most_rounds), default=None)


@dataclass(frozen=True)
class MaxRounds(Stop):
    """Ends a run after a number of rounds.

    Attributes:
        rounds: The number of rounds, 1 to 1000; the paper has 5.

    Raises `RecipeError` for a number out of range.
    """

    rounds: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.rounds <= MOST_ROUNDS:
            raise RecipeError(f"1 to {MOST_ROUNDS} rounds", str(self.rounds), "the paper has 5")

    def check(self, state: StopState) -> StopReason | None:
        """A reason once all rounds are done."""
        if state.round < self.rounds:
            return None
        return StopReason(StopKind.MAX_ROUNDS, f"{self.rounds} round{'s' * (self.rounds != 1)} done")

    @property
    def most_rounds(self) -> int:
        """The bound itself."""
        return self.rounds


@dataclass(frozen=True)
class TargetLost(Stop):
    """Ends a run when none of the round's target classes that were predicted at first is still predicted.

    Attributes:
        threshold: The smallest probability of a predicted label of a sigmoid classifier, in (0, 1].

    Raises `RecipeError` for a threshold out of range.
    """

    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise RecipeError("a threshold above 0, and at most 1", str(self.threshold), "0.5 is usual")

    def check(self, state: StopState) -> StopReason | None:
        """A reason once every such class is gone; never for targets that weren't predicted at first."""
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
        if not 0 <= self.probability <= 1:
            raise RecipeError("a probability from 0 to 1", str(self.probability), "0.1 is usual")

    def check(self, state: StopState) -> StopReason | None:
        """Never, once there was a round."""
        return None

    def check_first(self, state: StopState) -> StopReason | None:
        """A reason if no target class is predicted and all probabilities are that low."""
        predicted = set(state.now.predicted())
        if any(score.class_index in predicted for score in state.target_scores):
            return None
        below = ScoreBelow(self.probability).check(state)
        return StopReason(StopKind.NOTHING_PREDICTED, f"{below.text}: not predicted") if below else None


@dataclass(frozen=True)
class Explained(Stop):
    """Ends a run when the erased regions account for a share of the score, for every target of the round.

    They account for (f(first) − f(now)) / (f(first) − f(blank)), where f is the target score and blank an image of the
    mean color only. Where evidence adds up over the image, the score is nearly used up long before the class stops
    being predicted; later rounds would only explain the remainder. A target whose score isn't above that of the blank
    image is never explained.

    Attributes:
        share: The share of the score, in (0, 1].

    Raises `RecipeError` for a share out of range.
    """

    share: float = 0.85

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise RecipeError("a share above 0, and at most 1", str(self.share), "0.85 is usual")

    def check(self, state: StopState) -> StopReason | None:
        """A reason once all targets are explained."""
        blank = state.blank()
        if blank is None or not state.target_scores:
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
class CoverageAbove(Stop):
    """Ends a run when a large share of the grid is erased, because the rest is hardly the same image.

    Attributes:
        coverage: The largest share of the grid with which a run continues, in [0, 1].

    Raises `RecipeError` for a share out of range.
    """

    coverage: float = 0.5

    def __post_init__(self) -> None:
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


def _parts(stop: Stop) -> tuple[Stop, ...]:
    return stop.stops if isinstance(stop, AnyOf) else (stop,)
