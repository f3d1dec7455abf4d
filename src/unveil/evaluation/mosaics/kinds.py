"""Kinds of mosaics: which pieces they are made of, and what a photograph must pass to be used in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from unveil.evaluation.mosaics.drawing import Form, MosaicCanvas, Piece
from unveil.evaluation.mosaics.photographs import MosaicError, Photograph

OBJECT_SHARE = 0.4  # side of a pasted photograph / shorter side of the grid
MIN_TILES = 2  # beside fillers


class Kind(StrEnum):
    """What a mosaic is made of."""

    DIFFERENT = "different"  # 2 x 2 photographs with different labels
    SHARED = "shared"  # 2 x 2 photographs, two or three of which are one photograph in several forms
    NINE = "nine"  # 3 x 3 photographs with different labels, with fillers where too few are usable
    PASTED = "pasted"  # a small photograph on top of another one


class Role(StrEnum):
    """What a photograph is used for."""

    TILE = "tile"  # plain, in any place
    REPEATED = "repeated"  # in all forms, in any place
    OBJECT = "object"  # pasted
    BACKGROUND = "background"
    FILLER = "filler"  # plain, in any place, without a label that counts as present


ROLES = {
    Kind.DIFFERENT: (Role.TILE,),
    Kind.SHARED: (Role.TILE, Role.REPEATED),
    Kind.NINE: (Role.TILE, Role.FILLER),
    Kind.PASTED: (Role.OBJECT, Role.BACKGROUND),
}


@dataclass(frozen=True)
class PhotographPool:
    """The photographs that can be used for mosaics of a kind.

    Attributes:
        by_role: The usable photographs of each role. Fillers are those that the network names in no place.
        tested: The number of photographs that were tested.
        unreadable: The number of files that couldn't be read.
    """

    by_role: dict[Role, tuple[Photograph, ...]]
    tested: int
    unreadable: int = 0

    def as_dict(self) -> dict[str, int]:
        """Numbers of photographs for results; fillers count as not predicted, too."""
        roles = [photographs for role, photographs in self.by_role.items() if role is not Role.FILLER]
        usable = {one.id for photographs in roles for one in photographs}
        counts = {role.value: len(photographs) for role, photographs in self.by_role.items()}
        left_out = {"unreadable": self.unreadable, "not_predicted": self.tested - self.unreadable - len(usable)}
        return {"tested": self.tested, **counts, **left_out}


def sides_of(kind: Kind) -> int:
    """The number of tiles along each side."""
    return 3 if kind is Kind.NINE else 2


def pieces_to_test(kind: Kind, role: Role, photograph: Photograph, canvas: MosaicCanvas) -> Iterator[Piece]:
    """The pieces that the network must name the label of, each alone, before a photograph is used in a role.

    For a filler, the network must name the label of none of them.

    A pasted object and its background are tested here in the middle of the grid and as a whole; they are tested again
    in their own place when a mosaic is drawn.
    """
    height, width = canvas.grid
    if role is Role.BACKGROUND:
        yield Piece(photograph, 0, 0, height, width)
        return
    if role is Role.OBJECT:
        side = _object_side(canvas)
        yield Piece(photograph, (height - side) // 2, (width - side) // 2, side, side)
        return
    # A repeated photograph must be usable as a tile as well.
    for form in (Form.MIRRORED, Form.CROPPED) if role is Role.REPEATED else (Form.PLAIN,):
        for top, left, side in canvas.places(sides_of(kind)):
            yield Piece(photograph, top, left, side, side, form)


def draw_pieces(kind: Kind, pool: PhotographPool, canvas: MosaicCanvas, rng: np.random.Generator) -> tuple[Piece, ...]:
    """Draw the pieces of one mosaic, without using a label twice but where a photograph is repeated.

    Where fewer than nine photographs are usable, the kind `nine` has at least `MIN_TILES` of them, and fillers in all
    other places. Raises `MosaicError` if too few photographs with different labels are usable.
    """
    if kind is Kind.PASTED:
        return _draw_pasted(pool, canvas, rng)
    places = canvas.places(sides_of(kind))
    if kind is Kind.NINE and _count_labels(pool.by_role[Role.TILE]) < len(places):
        return _draw_with_fillers(pool, places, rng)
    shown: list[tuple[Photograph, Form]] = []
    if kind is Kind.SHARED:
        (repeated,) = _choose(pool.by_role[Role.REPEATED], 1, kind, Role.REPEATED, rng)
        forms = rng.permutation(np.array(Form, dtype=object))[: rng.integers(2, 4)]
        shown = [(repeated, Form(form)) for form in forms]
    used = {photograph.label for photograph, _ in shown}
    others = [one for one in pool.by_role[Role.TILE] if one.label not in used]
    chosen = _choose(others, len(places) - len(shown), kind, Role.TILE, rng)
    shown += [(photograph, Form.PLAIN) for photograph in chosen]
    order = rng.permutation(len(places))
    return tuple(
        Piece(photograph, top, left, side, side, form)
        for (top, left, side), (photograph, form) in zip(places, (shown[number] for number in order), strict=True)
    )


def _draw_with_fillers(
    pool: PhotographPool, places: Sequence[tuple[int, int, int]], rng: np.random.Generator
) -> tuple[Piece, ...]:
    """A random number of tiles, and fillers whose labels no usable photograph has, in random places."""
    tiles = pool.by_role[Role.TILE]
    labels = {photograph.label for photograph in tiles}
    fillers = [photograph for photograph in pool.by_role[Role.FILLER] if photograph.label not in labels]
    least, most = max(MIN_TILES, len(places) - _count_labels(fillers)), len(labels)
    count = int(rng.integers(least, most + 1)) if least <= most else least
    chosen = _choose(tiles, count, Kind.NINE, Role.TILE, rng)
    filling = _choose(fillers, len(places) - count, Kind.NINE, Role.FILLER, rng)
    shown = [(photograph, False) for photograph in chosen] + [(photograph, True) for photograph in filling]
    order = rng.permutation(len(places))
    return tuple(
        Piece(photograph, top, left, side, side, is_filler=is_filler)
        for (top, left, side), (photograph, is_filler) in zip(places, (shown[number] for number in order), strict=True)
    )


def _count_labels(photographs: Sequence[Photograph]) -> int:
    return len({photograph.label for photograph in photographs})


def _draw_pasted(pool: PhotographPool, canvas: MosaicCanvas, rng: np.random.Generator) -> tuple[Piece, ...]:
    (small,) = _choose(pool.by_role[Role.OBJECT], 1, Kind.PASTED, Role.OBJECT, rng)
    others = [one for one in pool.by_role[Role.BACKGROUND] if one.label != small.label]
    (large,) = _choose(others, 1, Kind.PASTED, Role.BACKGROUND, rng)
    side, (height, width) = _object_side(canvas), canvas.grid
    top, left = (int(rng.integers(0, full - side + 1)) for full in (height, width))
    return Piece(large, 0, 0, height, width), Piece(small, top, left, side, side)


def _object_side(canvas: MosaicCanvas) -> int:
    return round(OBJECT_SHARE * min(canvas.grid))


def _choose(
    photographs: Sequence[Photograph], count: int, kind: Kind, role: Role, rng: np.random.Generator
) -> list[Photograph]:
    """The first of a random order that have different labels."""
    chosen: dict[int, Photograph] = {}
    for number in rng.permutation(len(photographs)):
        chosen.setdefault(photographs[number].label, photographs[number])
        if len(chosen) == count:
            return list(chosen.values())
    raise MosaicError(
        f"at least {count} usable photographs with different labels for a mosaic ({kind.value}, {role.value})",
        f"{len(chosen)} whose label the network predicts from the piece alone",
        "give more photographs, or --half all",
    )
