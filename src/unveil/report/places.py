"""Where the regions of many runs fall: a heat map per label, and runs whose regions are in similar places."""

import base64
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from scipy import ndimage

from unveil.images.png_encoding import encode_png
from unveil.records import Run

SIDE, MOST_LABELS, ALIKE, MIN_SIMILARITY = 28, 6, 5, 0.5
CELLS = 14  # per side, of the grid on which a reader asks for a place
# From the page's dark blue to a light yellow, in steps of equal lightness, readable without color.
COLORS = np.array([(13, 17, 38), (58, 28, 99), (140, 41, 98), (222, 73, 62), (251, 155, 60), (252, 243, 190)], float)


class PlaceCounts:
    """Counts, run by run, where the regions of each label fall on a coarse grid; volumes are left out."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self._sums: dict[str, Float[np.ndarray, "side side"]] = defaultdict(lambda: np.zeros((SIDE, SIDE)))
        self._runs: dict[str, int] = defaultdict(int)
        self._blurred: list[Float[np.ndarray, n]] = []
        self._cells: list[UInt8[np.ndarray, bytes]] = []

    def add(self, run: Run) -> None:
        """Count the regions of one run."""
        covered: dict[str, np.ndarray] = {}
        for region in run.regions if len(run.source.geometry.model_shape) == 2 else ():
            name = region.target if region.other_label is None else region.other_label.name
            part = _coarse(region.model_mask.to_array())
            covered[name] = np.maximum(covered.get(name, 0.0), part)
        for name, part in covered.items():
            self._sums[name] += part
            self._runs[name] += 1
        together = np.max(list(covered.values()), axis=0) if covered else np.zeros((SIDE, SIDE))
        blurred = ndimage.uniform_filter(together, 5)[2::4, 2::4].ravel()
        self._blurred.append((blurred / (np.linalg.norm(blurred) or 1.0)).astype(np.float32))
        step = SIDE // CELLS
        cells = together.reshape(CELLS, step, CELLS, step).max(axis=(1, 3)) >= 0.5
        self._cells.append(np.packbits(cells.ravel(), bitorder="little"))

    def heat_maps(self) -> list[dict]:
        """A picture for each of the labels with most runs, the most frequent first."""
        names = sorted(self._runs, key=lambda name: (-self._runs[name], name))[:MOST_LABELS]
        return [
            {
                "name": name,
                "runs": self._runs[name],
                "most": int(np.ceil(self._sums[name].max() - 1e-9)),
                "image": heat_picture(self._sums[name]),
            }
            for name in names
        ]

    def alike(self) -> list[list[int]]:
        """For each run, the places of at most `ALIKE` others whose regions are in similar places, nearest first.

        Similarity is the cosine of two runs' maps on a 7 x 7 grid, at least `MIN_SIMILARITY`.
        """
        table = np.array(self._blurred) if self._blurred else np.zeros((0, 1), np.float32)
        found = []
        for place in range(len(table)):
            similar = table @ table[place]
            similar[place] = -1.0
            near = np.flatnonzero(similar >= MIN_SIMILARITY)
            if len(near) > ALIKE:
                # Ties with the last are kept, so that the order of runs decides between them.
                last = np.partition(similar[near], -ALIKE)[-ALIKE]
                near = near[similar[near] >= last]
            nearest = near[np.argsort(-similar[near], kind="stable")[:ALIKE]]
            found.append(nearest.tolist())
        return found

    def cells(self, order: Sequence[int]) -> str:
        """Which cells of a 14 x 14 grid the regions of each run cover by at least half, as bits in base64.

        Runs are in the given order, each with 25 bytes; the first cell is the lowest bit of the first byte.
        """
        rows = [self._cells[place].tobytes() for place in order]
        return base64.b64encode(b"".join(rows)).decode("ascii")


def _coarse(inside: np.ndarray) -> Float[np.ndarray, "side side"]:
    """The share of each cell of a coarse grid that is inside; a pixel of a still coarser grid fills several cells."""
    edges = [np.linspace(0, side, SIDE + 1).round().astype(int) for side in inside.shape]
    starts = [np.minimum(edge[:-1], side - 1) for edge, side in zip(edges, inside.shape, strict=True)]
    rows = np.add.reduceat(inside, starts[0], axis=0, dtype=np.int64)
    cells = np.add.reduceat(rows, starts[1], axis=1)
    sizes = np.maximum(1, np.diff(edges[0]))[:, None] * np.maximum(1, np.diff(edges[1]))
    return cells / sizes


def heat_picture(values: Float[np.ndarray, "h w"]) -> str:
    """A heat map of `values` from 0 to their maximum, as the address of an image of the same size."""
    scaled = values / (values.max() or 1.0) * (len(COLORS) - 1)
    low = np.floor(scaled).astype(int).clip(0, len(COLORS) - 2)
    colors = COLORS[low] + (scaled - low)[..., None] * (COLORS[low + 1] - COLORS[low])
    return data_address(encode_png(colors.round().astype(np.uint8)))


def data_address(png: bytes) -> str:
    """The address of an image that holds its own bytes."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
