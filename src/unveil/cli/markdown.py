"""The tables of the paper's experiment as Markdown."""

from collections.abc import Iterable, Sequence

MOST_ROWS = 20
CRITERIA = {
    "pointing": "the peak of a region lies in the box",
    "covered_10": "at least 10 % of the box erased",
    "covered_25": "at least 25 % of the box erased",
    "covered_50": "at least 50 % of the box erased",
    "iobb_50": "at least half of a region lies in the box",
}
SCOPES = {
    "own": "Boxes of labels that the run asked about, hit by regions of this label",
    "any": "All boxes, hit by regions of any label",
}


def as_markdown(results: dict) -> str:
    """Everything that a person wants to read of `results.json`."""
    parts = [_head(results), _rounds(results["summary"]), _changes(results["changes"])]
    if results["boxes"]:
        parts += [_boxes(results["boxes"], scope) for scope in SCOPES] + [_box_labels(results["boxes"])]
    parts += [_unmatched(results["matching"]), _errors(results["errors"])]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [_line(head), "|---|" + "---:|" * (len(head) - 1), *(_line(row) for row in rows)]
    return "\n".join(lines)


def number(value: float | None, digits: int = 2) -> str:
    """A number with a proper minus; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def share(value: float | None) -> str:
    """A share in per cent; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.0f} %"


def spread(interval: Sequence[float] | None, *, percent: bool) -> str:
    """An interval in brackets behind a value; nothing where there is none."""
    if interval is None:
        return ""
    low, high = (f"{100 * one:.0f}" if percent else number(one) for one in interval)
    return f" [{low}, {high}]".replace("-", "−")


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _head(results: dict) -> str:
    data, settings = results["dataset"], results["settings"]
    counted = f"{results['images']['counted']} of {results['images']['chosen']} images counted"
    seconds = results["seconds"] / max(1, results["images"]["counted"])
    return "\n\n".join(
        [
            f"# The paper's experiment on {data['name']}",
            f"{counted} ({data['chosen_by']}). Model {settings['classifier']}, {settings['output']}, "
            f"{settings['precision']} on {settings['device']}; recipe {settings['recipe'].get('name', 'custom')}, "
            f"seed {settings['seed']}; {seconds:.1f} s an image. "
            f"Brackets: 95 % intervals, {results['groups']} {results['drawn']} drawn anew.",
        ]
    )


def _rounds(summary: dict) -> str:
    head = ("round", "runs", "drop, logit", "drop, probability", "first label kept", "regions", "rims", "revealed")
    rows = [
        (
            row["round"],
            row["runs"],
            number(row["drop"]) + spread(row.get("drop_95"), percent=False),
            number(row["probability_drop"]) + spread(row.get("probability_drop_95"), percent=False),
            share(row["kept_first"]) + spread(row.get("kept_first_95"), percent=True),
            row["regions"],
            share(row["rims"]),
            number(row["revealed"]),
            number(row["stability"]),
            share(row["coverage"]),
        )
        for row in summary["rounds"]
    ]
    stops = ", ".join(f"{count} × {kind}" for kind, count in summary["stops"].items())
    return f"## Rounds\n\n{table((*head, 'settled', 'area erased'), rows)}\n\nEnded: {stops or '–'}."


def _changes(changes: dict) -> str:
    rounds = [f"round {index + 1}" for index in range(len(changes["by_round"]["appeared"]))]
    totals = [
        (name, *(f"{n} ({true})" for n, true in zip(counts, changes["by_round"][f"{name}_annotated"], strict=True)))
        for name, counts in ((kind, changes["by_round"][kind]) for kind in ("appeared", "returned", "vanished"))
    ]
    moved = [row for row in changes["labels"] if any(map(sum, (row["appeared"], row["returned"], row["vanished"])))]
    moved.sort(key=lambda row: -(sum(row["appeared"]) + sum(row["returned"]) + sum(row["vanished"])))
    labels = [
        (
            row["label"],
            row["annotated"],
            f"{row['first']} ({row['first_annotated']})",
            _by_round(row["appeared"]),
            f"{sum(row['appeared'])} ({sum(row['appeared_annotated'])})",
            f"{sum(row['returned'])} ({sum(row['returned_annotated'])})",
            _by_round(row["vanished"]),
            f"{sum(row['vanished'])} ({sum(row['vanished_annotated'])})",
            row["last"],
        )
        for row in moved[:MOST_ROWS]
    ]
    pairs = [
        (pair["vanished"] or "(none)", pair["came"] or "(none)", pair["count"], *pair["by_round"])
        for pair in changes["pairs"][:MOST_ROWS]
    ]
    parts = ["## Labels", "In parentheses: how many of them the data set gives to the image."]
    parts += [table(("labels", *rounds), totals)] if rounds else []
    parts += [
        table(
            ("label", "images", "first", "appeared in round", "all", "returned", "vanished in round", "all", "last"),
            labels,
        )
        + _more(len(moved), "labels that changed"),
        table(("vanished", "came in the same round", "times", *rounds), pairs) + _more(len(changes["pairs"]), "pairs"),
    ]
    return "\n\n".join(parts)


def _by_round(counts: Sequence[int]) -> str:
    return " ".join(str(count) if count else "·" for count in counts)


def _boxes(boxes: dict, scope: str) -> str:
    found = boxes[scope]
    head = f"## {SCOPES[scope]}\n\n{found['boxes']} boxes in {found['images']} images"
    head += f"; the middle of the picture lies in {found['central']} of them" if found["boxes"] else ""
    if found["asked_of_others"] < found["boxes"]:
        head += f"; for {found['asked_of_others']} there are other images to compare with"
    if not found["boxes"]:
        return f"{head}."
    rounds = [f"after round {row['round']}" for row in found["pointing"]]
    rows = [
        (
            text,
            *(
                f"{share(row['share'])}{spread(row['share_95'], percent=True)}; others {share(row['others'])}, "
                f"chance {share(row['chance'])}"
                for row in found[name]
            ),
        )
        for name, text in CRITERIA.items()
    ]
    return f"{head}.\n\n{table(('hit', *rounds), rows)}"


def _box_labels(boxes: dict) -> str:
    def cell(row: dict, scope: str, name: str) -> str:
        if row[scope] is None:
            return "–"
        count = row["asked"] if scope == "own" else row["boxes"]
        first, last = row[scope][name]["first"], row[scope][name]["last"]
        expected = f"{number(first['others'], 1)} → {number(last['others'], 1)}"
        return f"{first['hit']} → {last['hit']} of {count}; others {expected}"

    rows = [
        (
            row["label"],
            row["boxes"],
            *(cell(row, "own", name) for name in ("pointing", "covered_25")),
            *(cell(row, "any", name) for name in ("pointing", "covered_25")),
        )
        for row in boxes["labels"][:MOST_ROWS]
    ]
    head = ("label", "boxes", "own: pointing", "own: 25 % erased", "any: pointing", "any: 25 % erased")
    left = {"boxes_unseen": "lie where the model doesn't see", "boxes_partly_seen": "are seen in part"}
    left |= {"boxes_difficult": "are marked as difficult (not counted)", "boxes_outside": "lie outside (not counted)"}
    notes = "; ".join(f"{boxes[name]} {text}" for name, text in left.items() if boxes[name])
    text = f"## Boxes by label\n\nAfter the first and after the last round.\n\n{table(head, rows)}"
    return text + _more(len(boxes["labels"]), "labels with boxes") + (f"\n\nOf the boxes {notes}." if notes else "")


def _unmatched(matching: dict) -> str:
    rows = [(one["label"], one["why"], one["images"], one["boxes"]) for one in matching["unmatched"]]
    if not rows:
        return ""
    rows.sort(key=lambda row: (-int(row[2]), str(row[0])))
    text = f"## Labels without a match\n\n{table(('label', 'why', 'images', 'boxes'), rows[:MOST_ROWS])}"
    return text + _more(len(rows), "labels without a match")


def _errors(errors: Sequence[dict]) -> str:
    if not errors:
        return ""
    rows = [(one["id"], one["error"]) for one in errors[:MOST_ROWS]]
    return f"## Images that failed\n\n{table(('image', 'error'), rows)}" + _more(len(errors), "images that failed")


def _more(count: int, what: str) -> str:
    return f"\n\nThe first {MOST_ROWS} of {count} {what}; all are in results.json." if count > MOST_ROWS else ""
