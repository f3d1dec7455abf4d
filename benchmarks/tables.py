"""The tables of docs/benchmark.md, in Markdown, from the results that the commands wrote.

python benchmarks/tables.py planted results.json
python benchmarks/tables.py suites results.json --method recommended
python benchmarks/tables.py search one-at-a-time.json
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

RATES = ("recall", "recall_equal_area", "precision", "false_region_rate", "rim_rate")


def number(value: float | None, interval: Sequence[float] | None = None) -> str:
    """Two digits, without the zero; with its interval, if there is one."""
    if value is None:
        return "–"
    text = f"{value:.2f}".replace("0.", ".", 1) if value < 1 else f"{value:.2f}".rstrip("0").rstrip(".")
    return text if interval is None else f"{text} [{number(interval[0])}, {number(interval[1])}]"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all but the first two columns to the right."""
    lines = [" | ".join(head), " | ".join("---" if place < 2 else "---:" for place in range(len(head)))]
    return "\n".join(f"| {line} |" for line in (*lines, *(" | ".join(row) for row in rows)))


def planted(result: dict, method: str) -> str:
    """A row a network and method."""
    rows = []
    for row in result["rows"]:
        name = f"`{row['network']}-{row['head']}`"
        if "refused" in row:
            rows.append((name, row["method"], *("–" for _ in range(8))))
            continue
        between = row["intervals"]
        by_round = " ".join(number(one) for one in row["recall_by_round"])
        rows.append(
            (
                name,
                row["method"],
                number(row["recall"], between["recall"]),
                by_round if row["recall_by_round"][0] != row["recall"] else "",
                *(number(row[rate]) for rate in RATES[1:]),
                number(row["ahead"], row["ahead_interval"]) if row.get("ahead") is not None else "",
                f"{row['seconds']:.2f}",
            )
        )
    head = ("network", "method", "recall", "by round", "at equal area", "precision", "false", "rims", "ahead", "s")
    return table(head, rows)


def suites(result: dict, method: str) -> str:
    """Recall and precision of one method by suite, a column a network."""
    own = [row for row in result["rows"] if row["method"] == method and "refused" not in row]
    names = list(own[0]["by_suite"])

    def cell(row: dict, suite: str) -> str:
        found = row["by_suite"][suite]
        if not found["cues"]:
            return f"{number(found['false_region_rate'])} false"
        return f"{number(found['recall'])} / {number(found['precision'])}"

    head = ("suite", *(f"`{row['network']}-{row['head']}`" for row in own))
    return table(head, ([f"`{suite}`", *(cell(row, suite) for row in own)] for suite in names))


def search(result: dict, method: str) -> str:
    """A row a variant."""
    names = ("recall_max", "recall_average", "recall_worst", "precision", "false_region_rate", "rim_rate", "iou")
    head = ("change", "recall, max", "recall, average", "recall, worst network", "precision", "false", "rims", "IoU")
    rows = (
        [one["variant"], *(number(one[name]) for name in names), f"{one['area_per_cue_px']:.0f}"]
        for one in result["variants"]
    )
    return table((*head, "px a cue"), rows)


TABLES: dict[str, Callable[[dict, str], str]] = {"planted": planted, "suites": suites, "search": search}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("result", type=Path)
    parser.add_argument("--method", default="recommended")
    options = parser.parse_args()
    print(TABLES[options.table](json.loads(options.result.read_text(encoding="utf-8")), options.method))


if __name__ == "__main__":
    main()
