"""How long the summary of an archive as large as ChestX-ray14 takes, and how much memory.

    python benchmarks/summary_speed.py
    python benchmarks/summary_speed.py --images 1000000 --regions 5000000

Writes tables of random images and regions in the schema of an archive, in Parquet, with regions in random places. Then
measures in a fresh process: reading them, summarizing them, writing the page. Prints one JSON object: seconds of each
(of the processor, so that other work on the machine doesn't count), and the peak of the memory in MB
beyond that of the imports.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from unveil.batch import Archive
from unveil.batch.parquet import from_parquet, schema_of
from unveil.batch.summary import read_columns, save_summary, summarize_columns

if TYPE_CHECKING:
    from pyarrow import Table

LABELS = tuple(f"finding {number}" for number in range(14))
VERDICTS = ("supported", "weak", "artifact", None)
CHUNK = 20_000


class WrittenTables(Archive):
    """Tables in a folder, without the rest of an archive."""

    def __init__(self, folder: Path, items: int) -> None:
        """Take the folder, and the number of items."""
        self.folder, self._items = folder, items

    @property
    def item_count(self) -> int:
        """The number of items."""
        return self._items

    def tables(self, name: str, columns: Sequence[str] | None = None) -> "Table":
        """A table, read from its file."""
        with (self.folder / f"{name}.parquet").open("rb") as file:
            return from_parquet(name, file, columns)


def write_tables(folder: Path, images: int, regions: int) -> None:
    """Random tables of images, rounds and regions; masks have run lengths as at 1024 px."""
    rng = np.random.default_rng(0)
    names = np.array(LABELS, object)
    predicted = names[rng.integers(len(LABELS), size=images)]
    later = names[rng.integers(len(LABELS), size=images)]
    _write(folder, "images", _image_chunks(predicted, rng))
    _write(folder, "rounds", _round_chunks(later))
    _write(folder, "regions", _region_chunks(np.sort(rng.integers(images, size=regions)), names, rng))


def _write(folder: Path, name: str, chunks) -> None:
    schema = schema_of(name)
    with pyarrow.parquet.ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd") as file:
        for chunk in chunks:
            size = len(next(iter(chunk.values())))
            columns = [
                pa.array(chunk[field.name], field.type) if field.name in chunk else pa.nulls(size, field.type)
                for field in schema
            ]
            file.write_table(pa.Table.from_arrays(columns, schema=schema))


def _image_chunks(predicted: np.ndarray, rng: np.random.Generator):
    for start in range(0, len(predicted), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(predicted)))
        yield {
            "index": rows,
            "sample": [f"{number // 4:08}_{number % 4:03}.png" for number in rows],
            "status": ["done"] * len(rows),
            "group": [f"{number // 4:08}" for number in rows],
            "predicted": [[one] for one in predicted[rows]],
            "true_labels": [[LABELS[number]] for number in rng.integers(len(LABELS), size=len(rows))],
        }


def _round_chunks(later: np.ndarray):
    for start in range(0, len(later), CHUNK):
        rows = np.repeat(np.arange(start, min(start + CHUNK, len(later))), 5)
        appeared = [[later[row]] if place % 10 == 0 else [] for place, row in enumerate(rows)]
        yield {"index": rows, "round": np.tile(np.arange(1, 6), len(rows) // 5), "appeared": appeared}


def _region_chunks(image: np.ndarray, names: np.ndarray, rng: np.random.Generator):
    number = np.arange(len(image)) - np.searchsorted(image, image) + 1
    for start in range(0, len(image), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(image)))
        top, left = rng.integers(32, size=(2, len(rows), 1, 1))
        side, cells = rng.integers(3, 9, size=(len(rows), 1, 1)), np.arange(32)
        covered = ((cells[None, :, None] - top) % 32 < side) & ((cells[None, None] - left) % 32 < side)
        bits = np.packbits(covered.reshape(len(rows), -1), axis=1, bitorder="little")
        yield {
            "index": image[rows],
            "number": number[rows],
            "round": number[rows],
            "target": names[rng.integers(len(names), size=len(rows))],
            "verdict": [VERDICTS[one] for one in rng.integers(len(VERDICTS), size=len(rows))],
            "drop": rng.normal(2, 1, len(rows)),
            "suspicion": rng.uniform(0, 3, len(rows)),
            "places": [one.tobytes() for one in bits],
            "runs": list(rng.integers(1, 2000, size=(len(rows), 421), dtype=np.int32)),
        }


def measure(folder: Path, images: int) -> dict[str, float]:
    """Seconds of the processor for each step, and MB beyond what there was before."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = [time.process_time()]
    columns = read_columns(WrittenTables(folder, images))
    times.append(time.process_time())
    summary = summarize_columns(columns)
    times.append(time.process_time())
    save_summary(summary, folder / "page.html")
    times.append(time.process_time())
    reading, summarizing, writing = np.diff(times).round(2).tolist()
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    return {"reading_s": reading, "summarizing_s": summarizing, "page_s": writing, "memory_mb": peak}


def main() -> None:
    """Write the tables, and measure in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=112_120)
    parser.add_argument("--regions", type=int, default=600_000)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        print(json.dumps(measure(chosen.measure, chosen.images)))
        return
    with TemporaryDirectory() as folder:
        write_tables(Path(folder), chosen.images, chosen.regions)
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        print(f"tables of {size / 1e6:.0f} MB", file=sys.stderr)
        words = [sys.executable, __file__, "--measure", folder, "--images", str(chosen.images)]
        subprocess.run(words, check=True)  # noqa: S603 (this file)


if __name__ == "__main__":
    main()
