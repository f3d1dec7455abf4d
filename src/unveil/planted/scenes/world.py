"""What a world of scenes is made of: the signs that announce its classes, and the things that announce nothing."""

from dataclasses import dataclass
from typing import Literal

from unveil.planted.scenes.canvas import Color, Design
from unveil.planted.scenes.designs import CUES, LABELS
from unveil.planted.scenes.distractors import DISTRACTORS


@dataclass(frozen=True, eq=False)
class Sign:
    """A thing of one kind. Each drawing of it takes one of its `designs`, times one of its `palette` if it has one.

    `labels`: the classes that it announces; none for a distractor. `place`: anywhere, or upright in a corner, at most
    once a scene, as a letter of lead is. `size_px`: its own range of sizes, where the scene's doesn't suit it.
    """

    kind: str
    labels: tuple[str, ...]
    designs: tuple[Design, ...]
    palette: tuple[Color, ...] = ()
    place: Literal["anywhere", "corner"] = "anywhere"
    size_px: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class World:
    """The classes of a world in their order, all signs, and what stands between them."""

    labels: tuple[str, ...]
    signs: tuple[Sign, ...]
    distractors: tuple[Sign, ...]

    @property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """(label, kind) pairs, class by class; a sign that announces two classes is in two of them."""
        return tuple((label, sign.kind) for label in self.labels for sign in self.signs if label in sign.labels)

    def sign(self, label: str, kind: str) -> Sign:
        """The sign of a kind among those that announce a class."""
        return next(sign for sign in self.signs if sign.kind == kind and label in sign.labels)


# Five plants, three signs of each: the demo's world.
PLANTS = World(
    LABELS,
    tuple(Sign(kind, (label,), (design,)) for label, kinds in CUES.items() for kind, design in kinds.items()),
    tuple(Sign("", (), (design,)) for design in DISTRACTORS),
)
