"""When a run ends, and why it ended."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from unveil.codec import require_numbers
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
    NOTHING_SHOWN = "nothing shown"
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
        round: The number of rounds done.
        target_scores: The target scores of the round.
        first: The prediction before anything was erased.
        now: The prediction with everything erased so far.
        coverage: The share of the grid that is erased, in [0, 1].
        significance: Computes the smallest q-value of the round's regions in a placement test with the given number of
            placements; None if no region's shape fits anywhere else. It predicts images when it is called, so a run
            whose stops don't call it has no further cost.
        blank: Computes the prediction for an image of the mean color only; None where that isn't known.
        rounds_without_label: The number of rounds, up to this one, since a region showed a label. None in runs whose
            targets don't follow the predictions, or whose regions aren't named; in the others, a label that is lost
            makes room for the next one, so losing it doesn't end the run.
    """

    round: int
    target_scores: Sequence[TargetScore]
    first: Prediction
    now: Prediction
    coverage: float
    significance: Callable[[int], float | None] = lambda placements: None
    blank: Callable[[], Prediction | None] = lambda: None
    rounds_without_label: int | None = None


class Stop(ABC):
    """Base class of conditions that end a run; `a | b` ends a run when either condition holds.

    >>> from unveil.stopping import CoverageAbove, MaxRounds
    >>> MaxRounds(5) | CoverageAbove(0.5)
    AnyOf(stops=(MaxRounds(rounds=5), CoverageAbove(coverage=0.5)))
    """

    @abstractmethod
    def check(self, state: StopState) -> StopReason | None:
        """Return the reason to end the run, or None to continue."""

    def check_before(self, state: StopState) -> StopReason | None:
        """Return a reason to end before the next round is begun; most stops have none."""
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

    def check_before(self, state: StopState) -> StopReason | None:
        """The first reason to end before the next round."""
        return next((reason for stop in self.stops if (reason := stop.check_before(state))), None)

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
        require_numbers(self)
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


def _parts(stop: Stop) -> tuple[Stop, ...]:
    return stop.stops if isinstance(stop, AnyOf) else (stop,)
