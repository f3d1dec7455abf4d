"""How long the figure of a run takes: drawing it, and writing it as a PNG.

python benchmarks/figure_speed.py RUNS            # a folder of records, or one of them
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from unveil import load_run
from unveil.render import draw_run, write_figure
from unveil.store import is_run

REPEATS = 5


def main() -> None:
    """One line per record: rounds, regions, and the medians of the CPU time of drawing and writing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    print(f"{'run':40}  rounds  regions  draw s  write s  together s")
    for path in [folder] if is_run(folder) else sorted(one for one in folder.iterdir() if is_run(one)):
        run = load_run(path)
        run.figure()  # fonts and caches are loaded once
        times = []
        with tempfile.TemporaryDirectory() as out:
            for _ in range(REPEATS):
                start = time.process_time()
                figure = draw_run(run, run.tracks[0])
                drawn = time.process_time()
                write_figure(figure, Path(out) / "a.png")
                times.append((drawn - start, time.process_time() - drawn))
        draw, write = (statistics.median(values) for values in zip(*times, strict=True))
        counts = f"{len(run.rounds):6}  {len(run.regions):7}"
        print(f"{path.name[:40]:40}  {counts}  {draw:6.2f}  {write:7.2f}  {draw + write:10.2f}")


if __name__ == "__main__":
    main()
