"""The tables of docs/benchmark.md and docs/speed.md, in Markdown, from the results that the commands wrote.

python benchmarks/tables.py planted results.json
python benchmarks/tables.py suites results.json --method recommended
python benchmarks/tables.py search one-at-a-time.json
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from unveil.evaluation.paper.report_markdown import markdown_table as table


def number(value: float | None, interval: Sequence[float] | None = None) -> str:
    """Two digits, without the zero; with its interval, if there is one."""
    if value is None:
        return "–"
    text = f"{value:.2f}".replace("0.", ".", 1) if value < 1 else f"{value:.2f}".rstrip("0").rstrip(".")
    return text if interval is None else f"{text} [{number(interval[0])}, {number(interval[1])}]"


def rounds(result: dict, method: str) -> str:
    """A row a network: one recipe, round by round."""
    own = [row for row in result["rows"] if row["method"] == method and "refused" not in row]
    rows = (
        (
            f"`{row['network']}-{row['head']}`",
            str(row["cues"]),
            *(number(one) for one in row["recall_by_round"][:-1]),
            number(row["recall"], row["intervals"]["recall"]),
            number(row["recall_equal_area"]),
            number(row["precision"], row["intervals"]["precision"]),
            number(row["false_region_rate"]),
            number(row["rim_rate"]),
            f"{row['seconds']:.2f}",
        )
        for row in own
    )
    after = [f"after {index + 1}" for index in range(len(own[0]["recall_by_round"]))]
    return table(("network", "cues", *after, "its first map", "precision", "false", "rims", "s"), rows)


def single(result: dict, method: str) -> str:
    """A row a single map, a column a network: recall at our area (at its own best threshold), and our lead."""
    maps = {row["method"]: {} for row in result["rows"] if "threshold" in row}
    for row in result["rows"]:
        if row["method"] in maps:
            maps[row["method"]][f"`{row['network']}-{row['head']}`"] = row
    networks = list(dict.fromkeys(name for rows in maps.values() for name in rows))

    def cell(row: dict | None) -> str:
        if row is None or "refused" in row:
            return "–"
        return f"{number(row['recall_equal_area'])} ({number(row['recall'])}) **{row['ahead']:+.2f}**".replace(
            "0.", "."
        )

    return table(
        ("map", *networks), ([name, *(cell(rows.get(one)) for one in networks)] for name, rows in maps.items())
    )


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
    heads = ("max", "average")
    names = (*(f"{rate}_{one}" for rate in ("recall", "precision") for one in heads), "recall_worst")
    names = (*names, "false_region_rate", "rim_rate", "iou")
    head = ("change", *(f"{rate}, {one}" for rate in ("recall", "precision") for one in heads), "recall, worst network")
    head = (*head, "false", "rims", "IoU")
    rows = (
        [one["variant"], *(number(one.get(name)) for name in names), f"{one['area_per_cue_px']:.0f}"]
        for one in result["variants"]
    )
    return table((*head, "px per cue"), rows)


def speed(result: dict, method: str) -> str:
    """A row a network and rule."""
    head = (
        *("network", "rule", "samples, ours / Captum", "ours, s", "Captum, s", "ratio", "IoU, ours", "IoU, Captum"),
        *("ahead ± s.e.", "images", "peak MiB, ours / Captum", "ms per sample, ours / Captum", "precision"),
        "share of peak",
    )
    rows = (
        (
            one["model"],
            one["rule"],
            f"{one['samples']} / {one['reference_samples']}",
            f"{one['ours_s']:.1f}",
            f"{one['reference_s']:.1f}",
            f"**{one['ratio']:.1f}**",
            number(one.get("ours_iou")),
            number(one.get("reference_iou")),
            _ahead(one),
            str(one.get("images_compared", "–")),
            f"{one['peak_mib']} / {one['reference_peak_mib']}",
            f"{one['ms_per_sample']:.0f} / {one['reference_ms_per_sample']:.0f}",
            one["form"].partition(":")[0],
            number(one["share_of_peak"]),
        )
        for one in result["rows"]
    )
    return table(head, rows)


def _ahead(one: dict) -> str:
    """With its standard error, where several images were compared; files made before have none."""
    if "ours_iou" not in one:  # --times-only
        return "–"
    ahead = f"{one['ours_iou'] - one['reference_iou']:+z.2f}".replace("0.", ".")
    error = one.get("iou_ahead_se")
    return ahead if error is None else f"{ahead} ± {number(error)}"


TABLES: dict[str, Callable[[dict, str], str]] = {
    made.__name__: made for made in (rounds, single, suites, search, speed)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("result", type=Path)
    parser.add_argument("--method", default="recommended")
    options = parser.parse_args()
    print(TABLES[options.table](json.loads(options.result.read_text(encoding="utf-8")), options.method))


if __name__ == "__main__":
    main()
