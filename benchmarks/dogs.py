"""The paper's photographs experiment, summed up from run records: drops by round, rims, coverage.

unveil run IMAGES --model torchvision/resnet50 --weights FILE --recipe paper --out RUNS
python benchmarks/dogs.py RUNS --json
python benchmarks/dogs.py RUNS --rim-profile
python benchmarks/dogs.py RUNS --picture dogs.jpg --of boxer dalmatian     # some of them as a sheet
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from unveil import Run, load_run
from unveil.evaluation.paper.summary import summarize_runs
from unveil.masks import distance_px
from unveil.render import draw_sheet
from unveil.store import is_run


def rim_profile(runs: Iterable[Run], reach: int = 12) -> list[float]:
    """How much brighter the rim is: median over rounds ≥ 2 of R(d) = S_r(d) / S_1(d) at d = 1 … `reach` px from what
    is erased.

    S(d): mean saliency at distance d, in units of the mean beyond twice the reach; S_1 is the first round's map in the
    same places, so that evidence which was strong near the erased area anyhow doesn't count. Only rounds that ask
    about the first target.
    """
    ratios = []
    for run in runs:
        first = run.rounds[0].maps[0]
        for one in run.rounds[1:]:
            if one.maps[0].target == first.target:
                distance = np.ceil(distance_px(one.erased.to_array()))
                now, then = (_by_distance(item.saliency, distance, reach) for item in (one.maps[0], first))
                ratios.append(now / then)
    return [round(float(value), 2) for value in np.median(ratios, axis=0)]


def _by_distance(saliency: np.ndarray, distance: np.ndarray, reach: int) -> np.ndarray:
    far = saliency[distance > 2 * reach].mean()
    return np.array([saliency[distance == d].mean() / far for d in range(1, reach + 1)])


def picture(folder: Path, endings: Iterable[str], path: Path) -> None:
    """A sheet with a row for every run whose folder ends so."""
    names = list(endings)
    found = [next(folder.glob(f"*{name}")) for name in names]
    figure = draw_sheet([load_run(one) for one in found], [name.replace("_", " ") for name in names])
    figure.savefig(path, dpi=150, pil_kwargs={"quality": 82})


def rounded(value: Any) -> Any:
    """The same tables with floats of four digits."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def main() -> None:
    """Read every record below the folder, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--picture", type=Path, help="where a sheet of some runs goes, such as dogs.jpg")
    parser.add_argument("--rim-profile", action="store_true", help="how saliency rises towards what is erased")
    parser.add_argument("--of", nargs="+", default=(), help="ends of the folders' names, in the order of the rows")
    options = parser.parse_args()
    if options.rim_profile:
        print(json.dumps(rim_profile(load_run(path) for path in sorted(options.folder.iterdir()) if is_run(path))))
        return
    if options.picture:
        picture(options.folder, options.of, options.picture)
        return
    result = summarize_runs(load_run(path) for path in sorted(options.folder.iterdir()) if is_run(path)).as_dict()
    if options.json:
        print(json.dumps(rounded(result), indent=2))
        return
    table = Table(title=f"{result['runs']} runs, recipe {', '.join(result['recipe'])}", box=None)
    for name in result["rounds"][0] if result["rounds"] else ():
        table.add_column(name, justify="right")
    for row in result["rounds"]:
        table.add_row(*("" if value is None else f"{value:.3g}" for value in row.values()))
    Console().print(table, {key: value for key, value in rounded(result).items() if key != "rounds"})


if __name__ == "__main__":
    main()
