"""Which photographs can be used: the network must predict their label from the piece alone, in every place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from unveil.classifiers import Classifier
from unveil.errors import ImageError
from unveil.evaluation.mosaics.drawing import MosaicCanvas, Piece
from unveil.evaluation.mosaics.keeping import Kept
from unveil.evaluation.mosaics.kinds import ROLES, Kind, PhotographPool, Role, draw_pieces, pieces_to_test
from unveil.evaluation.mosaics.photographs import MosaicError, Photograph

MAX_TRIES = 100  # pairs of photographs drawn for one pasted object
OnDone = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Mosaic:
    """An image in which it is known which labels are present, and where.

    Attributes:
        kind: What it is made of.
        number: Its number, from 0 on.
        pieces: The photographs; later pieces cover earlier ones.
        canvas: The grid.
    """

    kind: Kind
    number: int
    pieces: tuple[Piece, ...]
    canvas: MosaicCanvas

    @property
    def labels(self) -> tuple[int, ...]:
        """The labels that are present, each once, in the order of their pieces."""
        return tuple(dict.fromkeys(piece.photograph.label for piece in self.pieces if not piece.is_filler))

    @property
    def filler_labels(self) -> tuple[int, ...]:
        """The labels of fillers, which count neither as present nor as invented."""
        return tuple(dict.fromkeys(piece.photograph.label for piece in self.pieces if piece.is_filler))

    def where(self, label: int) -> np.ndarray:
        """Where a label is shown: a boolean array (h, w), False everywhere for a label that isn't present."""
        shown = np.zeros(self.canvas.grid, bool)
        for number, piece in enumerate(self.pieces):
            if piece.photograph.label == label and not piece.is_filler:
                shown |= self.canvas.inside(self.pieces, number)
        return shown


def find_pool(
    classifier: Classifier,
    canvas: MosaicCanvas,
    kind: Kind,
    photographs: Sequence[Photograph],
    on_done: OnDone = lambda done, total: None,
) -> PhotographPool:
    """Test every photograph in every place, form and role of a kind; see `pieces_to_test`.

    A label counts as present only if it is among the predicted ones (`Prediction.predicted`) when its piece alone is
    left on the mean color. A filler's label must not be among them in any place.
    """
    usable: dict[Role, list[Photograph]] = {role: [] for role in ROLES[kind]}
    unreadable = 0
    for number, photograph in enumerate(photographs, start=1):
        named: dict[tuple[Piece, ...], list[bool]] = {}
        try:
            for role, known in usable.items():
                if role is Role.REPEATED and photograph not in usable[Role.TILE]:
                    continue
                pieces = tuple(pieces_to_test(kind, role, photograph, canvas))
                if pieces not in named:  # a filler is tested by the same pieces as a tile
                    named[pieces] = _are_named(classifier, [canvas.draw([piece]) for piece in pieces], pieces)
                if not any(named[pieces]) if role is Role.FILLER else all(named[pieces]):
                    known.append(photograph)
        except ImageError:
            unreadable += 1
        on_done(number, len(photographs))
    return PhotographPool({role: tuple(known) for role, known in usable.items()}, len(photographs), unreadable)


def keep_pool(
    path: Path, key: str, photographs: Sequence[Photograph], make: Callable[[], PhotographPool]
) -> PhotographPool:
    """The pool kept at `path` if it has the same key, else the one that `make` finds, which is kept then."""
    kept = Kept(path, key)
    if "by_role" in kept.content:
        known = {one.id: one for one in photographs}
        by_role = {Role(role): tuple(known[name] for name in names) for role, names in kept.content["by_role"].items()}
        return PhotographPool(by_role, kept.content["tested"], kept.content["unreadable"])
    pool = make()
    names = {role.value: [one.id for one in usable] for role, usable in pool.by_role.items()}
    kept.write({"by_role": names, "tested": pool.tested, "unreadable": pool.unreadable})
    return pool


def draw_mosaic(
    classifier: Classifier, canvas: MosaicCanvas, kind: Kind, pool: PhotographPool, seed: int, number: int
) -> Mosaic:
    """Draw the mosaic of a number: the same seed, kind and pool give the same one, however many are drawn.

    A pasted object and its background are drawn anew until the network names each of them alone in its own place.
    Raises `MosaicError` if too few photographs are usable, and if no pair is found.
    """
    rng = np.random.default_rng([seed, list(Kind).index(kind), number])
    for _ in range(MAX_TRIES):
        pieces = draw_pieces(kind, pool, canvas, rng)
        if kind is not Kind.PASTED or _are_named_together(classifier, canvas, pieces):
            return Mosaic(kind, number, pieces, canvas)
    raise MosaicError(
        "an object and a background whose labels are both predicted when each is alone",
        f"none in {MAX_TRIES} tries",
        "give more photographs, or leave the kind pasted out",
    )


def _are_named_together(classifier: Classifier, canvas: MosaicCanvas, pieces: Sequence[Piece]) -> bool:
    """Whether each piece of one mosaic has its label predicted when what is seen of it is left alone."""
    return all(_are_named(classifier, [canvas.draw_alone(pieces, number) for number in range(len(pieces))], pieces))


def _are_named(classifier: Classifier, images: Sequence[np.ndarray], pieces: Sequence[Piece]) -> list[bool]:
    """For each piece, whether its label is predicted for its image."""
    pixels = torch.from_numpy(np.stack(images)).to(classifier.device)
    predictions = classifier.predict(pixels)
    return [
        piece.photograph.label in prediction.predicted() for piece, prediction in zip(pieces, predictions, strict=True)
    ]
