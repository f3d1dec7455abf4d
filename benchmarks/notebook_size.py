"""How large a saved notebook is whose cells show runs; it is executed by a kernel, as `jupyter execute` does.

    python benchmarks/notebook_size.py                 # 23 planted scenes
    python benchmarks/notebook_size.py runs/*          # 23 cells with these records, in turn

Prints one JSON object of bytes: `notebook` in total, `pictures` (base64), `state` of the widgets, which JupyterLab
saves only if it is set to, and the `stub` in it, which loads the viewer. `static` is the output of one
`run.show(static=True)`.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import unveil
from unveil.images import Image
from unveil.planted import draw_scene
from unveil.store import save_run

PNG, HTML = "image/png", "text/html"


def cell(number: int, source: str) -> dict:
    content = {"metadata": {}, "outputs": [], "execution_count": None, "source": source}
    return {"cell_type": "code", "id": f"cell-{number}", **content}


def draw_records(folder: Path, count: int) -> list[Path]:
    classifier = unveil.load_classifier("planted/demo")
    records = []
    for number in range(count):
        run = unveil.find_regions(Image.from_array(draw_scene(100_000 + number).pixels), classifier, "demo")
        records.append(save_run(run, folder / f"scene-{number}"))
    return records


def execute(records: list[Path], folder: Path, count: int) -> dict:
    chosen = [records[number % len(records)].resolve() for number in range(count)]
    sources = [f"unveil.load_run({str(path)!r})" for path in chosen]
    cells = [
        cell(number, source)
        for number, source in enumerate(["import unveil", *sources, f"{sources[0]}.show(static=True)"])
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / "runs.ipynb"
    path.write_text(
        json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})
    )
    subprocess.run([sys.executable, "-m", "jupyter", "execute", "--inplace", path.name], cwd=folder, check=True)  # noqa: S603
    notebook = json.loads(path.read_text(encoding="utf-8"))
    (page,) = notebook["cells"].pop()["outputs"]
    text = json.dumps(notebook, indent=1)
    data = [output["data"] for one in notebook["cells"] for output in one["outputs"]]
    state = notebook["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    return {
        "runs": len(chosen),
        "notebook": len(text),
        "pictures": sum(len(one.get(PNG, "")) for one in data),
        "state": len(json.dumps(state)),
        "stub": sum(len(one["state"].get("_esm", "")) for one in state.values()),
        "static": len(json.dumps(page)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", nargs="*", type=Path, help="folders of records (default: planted scenes)")
    parser.add_argument("--runs", type=int, default=23)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        records = options.records or draw_records(Path(folder), options.runs)
        print(json.dumps(execute(records, Path(folder), options.runs), indent=1))


if __name__ == "__main__":
    main()
