"""When a run ends, and why it ended."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from unveil.errors import RecipeError
from unveil.predictions import Prediction
from unveil.targets import TargetScore


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


@dataclass(frozen=True)
class StopReason:
    """Why a run ended, for a program (`kind`) and for a person (`text`)."""

    kind: StopKind
    text: str


@dataclass(frozen=True, eq=False)
class StopState:
    """What a stop may look at, after a round's regions are erased.

    `significance(placements)` compares each region's drop with that of its shape in so many other places, and gives the
    smallest p, corrected for the number of the round's regions; None if there is no other place. It asks the
    classifier when it is called, so a run without a stop that wants it costs nothing more. `blank()` is the prediction
    for an image of nothing but the mean color; None where that isn't known.
    """

    round: int
    target_scores: Sequence[TargetScore]
    first: Prediction
    now: Prediction
    coverage: float
    significance: Callable[[int], float | None] = lambda placements: None
    blank: Callable[[], Prediction | None] = lambda: None


class Stop(ABC):
    """A reason to end. `a | b` ends when either does."""

    @abstractmethod
    def check(self, state: StopState) -> StopReason | None:
        """The reason, or None to go on."""

    def check_first(self, state: StopState) -> StopReason | None:
        """A reason not to look at all, before the first round; most stops have none."""
        return None

    @property
    def most_rounds(self) -> int | None:
        """The largest number of rounds this stop allows, if it has one."""
        return None

    def __or__(self, other: "Stop") -> "AnyOf":
        """End when either does."""
        return AnyOf((*_parts(self), *_parts(other)))


@dataclass(frozen=True)
class AnyOf(Stop):
    """Ends with the first of its stops that has a reason."""

    stops: tuple[Stop, ...]

    def check(self, state: StopState) -> StopReason | None:
        """The first reason in the order of the stops."""
        return next((reason for stop in self.stops if (reason := stop.check(state))), None)

    def check_first(self, state: StopState) -> StopReason | None:
        """The first reason not to look at all."""
        return next((reason for stop in self.stops if (reason := stop.check_first(state))), None)

    @property
    def most_rounds(self) -> int | None:
        """The smallest bound among the stops."""
        return min((stop.most_rounds for stop in self.stops if stop.most_rounds), default=None)


@dataclass(frozen=True)
class MaxRounds(Stop):
    """After `rounds` rounds (the paper: 5)."""

    rounds: int = 5

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise RecipeError("at least 1 round", str(self.rounds), "the paper has 5")

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
    """When no class asked about in this round that was predicted at first is predicted any longer."""

    threshold: float = 0.5

    def check(self, state: StopState) -> StopReason | None:
        """A reason once every such class is gone; never for targets that weren't predicted at first."""
        asked = {target_score.label for target_score in state.target_scores}
        had = asked & set(state.first.predicted(self.threshold))
        if not had or had & set(state.now.predicted(self.threshold)):
            return None
        names = ", ".join(target_score.name for target_score in state.target_scores if target_score.label in had)
        return StopReason(StopKind.TARGET_LOST, f"{names} no longer predicted")


@dataclass(frozen=True)
class ScoreBelow(Stop):
    """When every class asked about has a probability below `probability`."""

    probability: float = 0.1

    def check(self, state: StopState) -> StopReason | None:
        """A reason once the largest of the probabilities is below."""
        probabilities = state.now.probabilities
        values = [
            float(probabilities[target_score.label])
            for target_score in state.target_scores
            if target_score.label is not None
        ]
        if not values or max(values) >= self.probability:
            return None
        return StopReason(StopKind.SCORE_BELOW, f"probability {max(values):.3f} is below {self.probability}")


@dataclass(frozen=True)
class NotPredicted(Stop):
    """Before the first round, when no class asked about is predicted or has at least this `probability`.

    Then nothing is looked for: a gradient shows places for any class, also for one of which the classifier says that it
    isn't there.
    """

    probability: float = 0.1

    def check(self, state: StopState) -> StopReason | None:
        """Never, once there was a round."""
        return None

    def check_first(self, state: StopState) -> StopReason | None:
        """A reason if every class asked about is that unlikely."""
        predicted = set(state.now.predicted())
        if any(target_score.label in predicted for target_score in state.target_scores):
            return None
        below = ScoreBelow(self.probability).check(state)
        return StopReason(StopKind.NOTHING_PREDICTED, f"{below.text}: not predicted") if below else None


@dataclass(frozen=True)
class Explained(Stop):
    """When what is erased accounts for `share` of the score, for every target of this round.

    Explained are (f(first) − f(now)) / (f(first) − f(blank)), f the target's value and blank an image of nothing but
    the mean color. Where evidence adds up over the image, little is left long before the class stops being predicted,
    and what later rounds find is what a rest hangs on. A target that scores no more than for the blank image is never
    explained.
    """

    share: float = 0.85

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise RecipeError("a share above 0, and at most 1", str(self.share), "0.85 is usual")

    def check(self, state: StopState) -> StopReason | None:
        """A reason once the least explained of the targets is explained."""
        blank = state.blank()
        if blank is None or not state.target_scores:
            return None
        explained = min(self._explained(target_score, state, blank) for target_score in state.target_scores)
        if explained < self.share:
            return None
        return StopReason(StopKind.EXPLAINED, f"{explained:.0%} of the score is explained")

    @staticmethod
    def _explained(target_score: TargetScore, state: StopState, blank: Prediction) -> float:
        first, now, nothing = (float(target_score.of(one.logits)) for one in (state.first, state.now, blank))
        return (first - now) / (first - nothing) if first > nothing else 0.0


@dataclass(frozen=True)
class CoverageAbove(Stop):
    """When more than `coverage` of the grid is erased: what is left is hardly the same image."""

    coverage: float = 0.5

    def check(self, state: StopState) -> StopReason | None:
        """A reason once too much is erased."""
        if state.coverage <= self.coverage:
            return None
        return StopReason(StopKind.COVERAGE_ABOVE, f"{state.coverage:.0%} of the image is erased")


@dataclass(frozen=True)
class NotSignificant(Stop):
    """When no region of a round is more than a place like any other: its shape erased elsewhere, in up to `placements`
    places, takes as much too often. The level `alpha` is for the smallest p, corrected for the round's regions."""

    alpha: float = 0.1
    placements: int = 39

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise RecipeError("alpha between 0 and 1", str(self.alpha), "0.1 is usual")
        if self.placements < 1:
            raise RecipeError("at least 1 draw", str(self.placements), "39 is usual: no p is below 1/(1 + placements)")

    def check(self, state: StopState) -> StopReason | None:
        """A reason once the smallest p is above the level; never where there is nothing to compare with."""
        smallest = state.significance(self.placements)
        if smallest is None or smallest <= self.alpha:
            return None
        text = f"no region of round {state.round} is significant: p = {smallest:.2f}, above {self.alpha}"
        return StopReason(StopKind.NOT_SIGNIFICANT, text)


def _parts(stop: Stop) -> tuple[Stop, ...]:
    return stop.stops if isinstance(stop, AnyOf) else (stop,)
