"""What a person asks for, what becomes of it, and what is told about it."""

from dataclasses import dataclass, field
from enum import StrEnum


class JobState(StrEnum):
    """What a job is doing, or what became of it.

    A stopped job has a record of the rounds that were done, if it had begun; it can go on.
    """

    QUEUED = "queued"
    RUNNING = "running"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens unless someone asks for it."""
        return self in (JobState.STOPPED, JobState.FINISHED, JobState.FAILED)


@dataclass(frozen=True)
class JobRequest:
    """What one job computes: the arguments of `find_regions`, by name.

    Attributes:
        image: The id of a stored image.
        model: The name of one of the classifiers that the server was started with.
        recipe: The name of a named recipe; never a path.
        settings: Changes of the recipe's table, by dotted keys: see `apply_settings`.
        target: A text of `parse_target` that replaces the recipe's target; None keeps it.
        seed: The seed of the noise.
        trust: Whether trust cards are made after the last round.
    """

    image: str
    model: str
    recipe: str = "recommended"
    settings: dict = field(default_factory=dict, hash=False)
    target: str | None = None
    seed: int = 0
    trust: bool = True


@dataclass(frozen=True)
class Job:
    """One job as it is now.

    Attributes:
        id: 16 hexadecimal digits.
        request: What was asked for.
        state: What the job is doing, or what became of it.
        created: When it was submitted, in seconds since 1970.
        started: When it began to run, the last time; None before.
        finished: When it stopped, finished or failed, the last time; None before.
        rounds: The number of rounds done, of all tracks.
        message: Why it failed or ended, in one line; None while there is nothing to say.
        image_name: The name of its image.
        version: Grows with every change of what `Workplace.job`, `run` and `view` return.
        can_continue: Whether `go_on` can do more rounds.
        stopping: Whether it was asked to stop and hasn't yet.
    """

    id: str
    request: JobRequest
    state: JobState
    created: float
    started: float | None
    finished: float | None
    rounds: int
    message: str | None
    image_name: str
    version: int
    can_continue: bool = False
    stopping: bool = False


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        id: A number that grows from event to event, over all jobs and restarts.
        job: The id of the job; None for what concerns the whole server, such as a classifier that was loaded.
        kind: `state`, `progress`, `round`, `finished`, `deleted`, `model`, `image`, or a kind of `Workplace.emit`.
        data: Plain values, at most 8 kB as JSON.
    """

    id: int
    job: str | None
    kind: str
    data: dict = field(hash=False)


@dataclass(frozen=True)
class StoredImage:
    """An image that was uploaded and can be read.

    Attributes:
        id: The first 32 hexadecimal digits of the SHA-256 of its bytes.
        name: The name it was given, without folders and control characters.
        shape: Height and width in pixels; depth, height and width of a volume.
        channels: The number of channels.
        size_bytes: The size of the file.
        created: When it was stored, in seconds since 1970.
        warning: What was noticed about its values, in one line; None for nothing.
    """

    id: str
    name: str
    shape: tuple[int, ...]
    channels: int
    size_bytes: int
    created: float
    warning: str | None = None
