"""The world of scenes: the signs of its classes, and the distractors."""

from dataclasses import dataclass
from typing import Literal

from unveil.planted.scenes.canvas import Color, Design
from unveil.planted.scenes.designs import CUES, LABELS
from unveil.planted.scenes.distractors import DISTRACTORS


@dataclass(frozen=True, eq=False)
class Sign:
    """An object of one kind. Each drawing takes one of its `designs`, times a color of its `palette` if it has one.

    `labels`: the classes that it is a sign of; none for a distractor. `place`: anywhere, or upright in a corner and at
    most once per scene, like the lead letter of a radiograph. `size_px`: a range of sizes that replaces the scene's.
    """

    kind: str
    labels: tuple[str, ...]
    designs: tuple[Design, ...]
    palette: tuple[Color, ...] = ()
    place: Literal["anywhere", "corner"] = "anywhere"
    size_px: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class World:
    """The classes of a world in their order, all signs, and the distractors."""

    labels: tuple[str, ...]
    signs: tuple[Sign, ...]
    distractors: tuple[Sign, ...]

    @property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """(label, kind) pairs, class by class; a sign of two classes is in two of them."""
        return tuple((label, sign.kind) for label in self.labels for sign in self.signs if label in sign.labels)

    def sign(self, label: str, kind: str) -> Sign:
        """The sign of a class with this kind."""
        return next(sign for sign in self.signs if sign.kind == kind and label in sign.labels)


# Five plants, three signs of each: the demo's world.
PLANTS = World(
    LABELS,
    tuple(Sign(kind, (label,), (design,)) for label, kinds in CUES.items() for kind, design in kinds.items()),
    tuple(Sign("", (), (design,)) for design in DISTRACTORS),
)
