"""The contexts of the last jobs, so that they can go on and answer questions without being computed again."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from unveil.classifiers import Classifier
from unveil.context import RunContext
from unveil.images import Image
from unveil.recipes import Recipe
from unveil.records import Run
from unveil.rounds import resolve_targets
from unveil.stopping import MaxRounds, StopKind

KEPT_CONTEXTS = 2


@dataclass(frozen=True, eq=False)
class KeptContext:
    """The context of a job between two rounds.

    Attributes:
        context: The context.
        exact: Whether more rounds give what one run would have given; False for one that was made of a record, which
            holds rounded maps.
        seconds: How long the job has worked on it.
    """

    context: RunContext
    exact: bool
    seconds: float = 0.0


class KeptContexts:
    """The contexts of the jobs that were used last."""

    def __init__(self, count: int = KEPT_CONTEXTS) -> None:
        """Keep `count` contexts."""
        self._count = count
        self._kept: OrderedDict[str, KeptContext] = OrderedDict()

    def keep(self, job_id: str, kept: KeptContext) -> None:
        """Keep the context of a job in place of its last one, and forget the one that was used least recently."""
        self._kept[job_id] = kept
        self._kept.move_to_end(job_id)
        while len(self._kept) > self._count:
            self._kept.popitem(last=False)

    def get(self, job_id: str) -> KeptContext | None:
        """The context of a job, if it is kept."""
        if job_id in self._kept:
            self._kept.move_to_end(job_id)
        return self._kept.get(job_id)

    def forget(self, job_id: str) -> None:
        """Don't keep a job's context any longer."""
        self._kept.pop(job_id, None)


def copy_context(context: RunContext, on_batch: Callable[[], None] | None = None) -> RunContext:
    """A copy with the same rounds and cached predictions; what is done with one of the two, the other doesn't know.

    `on_batch` is called before each batch that the copy predicts.
    """
    tracks = (replace(track, rounds=list(track.rounds), first_maps=dict(track.first_maps)) for track in context.tracks)
    return replace(context, masked=context.masked.fork(on_batch), tracks=tuple(tracks))


def with_goal(context: RunContext, rounds: int) -> RunContext:
    """The same context with another stop: each track ends after so many rounds, for whatever reason it ended before.

    A track whose last round found nothing has still ended: every further round would begin where that one did.
    """
    for track in context.tracks:
        if track.stop is None or track.stop.kind is not StopKind.NOTHING_FOUND:
            track.stop = None
    return replace(context, recipe=recipe_with_goal(context.recipe, rounds))


def recipe_with_goal(recipe: Recipe, rounds: int | None) -> Recipe:
    """The recipe with a stop after exactly so many rounds; None keeps its own stop."""
    return recipe if rounds is None else replace(recipe, stop=MaxRounds(rounds))


def can_continue(context: RunContext) -> bool:
    """Whether any track could do another round: it has a target, and its last round found something."""
    return any(
        (track.stop is None or track.stop.kind is not StopKind.NOTHING_FOUND) and resolve_targets(context, track)
        for track in context.tracks
    )


def context_of_record(run: Run, image: Image, classifier: Classifier) -> RunContext:
    """A context with the rounds of a record, for questions; it costs one prediction."""
    context = RunContext.create(image, classifier, Recipe.from_dict(run.recipe), run.seed)
    for track in context.tracks:
        track.rounds.extend(run.of_track(track.name))
        track.stop = run.stops.get(track.name)
    return context
