"""The world of scenes: the signs of its classes, and the distractors."""

from dataclasses import dataclass
from typing import Literal

from unveil.planted.scenes.canvas import Color, Design
from unveil.planted.scenes.designs import CUES, LABELS
from unveil.planted.scenes.distractors import DISTRACTORS


@dataclass(frozen=True, eq=False)
class Sign:
    """An object of one kind.

    Attributes:
        kind: The name of the kind; empty for a distractor of the demo.
        labels: The classes that it is a sign of; none for a distractor.
        designs: Each drawing uses one of these designs.
        palette: Each drawing is multiplied by one of these colors; empty for none.
        place: Anywhere, or upright in a corner and at most once per scene, like the lead letter of a radiograph.
        size_px: The smallest and the largest extent in px; None for those of the scene.
    """

    kind: str
    labels: tuple[str, ...]
    designs: tuple[Design, ...]
    palette: tuple[Color, ...] = ()
    place: Literal["anywhere", "corner"] = "anywhere"
    size_px: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class World:
    """The signs and distractors that scenes are made of.

    Attributes:
        labels: The classes in their order.
        signs: All signs.
        distractors: All distractors.
    """

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
