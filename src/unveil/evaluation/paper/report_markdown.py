"""The tables of the paper's experiment as Markdown."""

from collections.abc import Iterable, Sequence

from unveil.evaluation.formatting import format_interval, format_number, format_share

MAX_ROWS = 20
CRITERIA_TEXT = {
    "pointing": "the peak of a region lies in the box",
    "covered_10": "at least 10 % of the box erased",
    "covered_25": "at least 25 % of the box erased",
    "covered_50": "at least 50 % of the box erased",
    "iobb_50": "at least half of a region lies in the box",
}
SCOPES = {
    "own": "Boxes of labels that were targets of the run, hit by regions of this label",
    "any": "All boxes, hit by regions of any label",
}


def report_as_markdown(results: dict) -> str:
    """The tables of `results.json` that people read."""
    parts = [_head(results), _rounds(results["summary"]), _changes(results["changes"])]
    if results["boxes"]:
        parts += [_boxes(results["boxes"], scope) for scope in SCOPES] + [_box_labels(results["boxes"])]
    parts += [_unmatched(results["matching"]), _errors(results["errors"])]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [_line(head), "|---|" + "---:|" * (len(head) - 1), *(_line(row) for row in rows)]
    return "\n".join(lines)


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
            f"seed {settings['seed']}; {seconds:.1f} s per image. "
            f"Brackets: 95 % intervals, {results['groups']} {results['drawn']} drawn anew.",
        ]
    )


def _rounds(summary: dict) -> str:
    head = ("round", "runs", "drop, logit", "drop, probability", "first label kept", "regions", "rims", "revealed")
    rows = [
        (
            row["round"],
            row["runs"],
            format_number(row["drop"]) + format_interval(row.get("drop_95"), percent=False),
            format_number(row["probability_drop"]) + format_interval(row.get("probability_drop_95"), percent=False),
            format_share(row["kept_first"]) + format_interval(row.get("kept_first_95"), percent=True),
            row["regions"],
            format_share(row["rims"]),
            format_number(row["revealed"]),
            format_number(row["stability"]),
            format_share(row["coverage"]),
        )
        for row in summary["rounds"]
    ]
    stops = ", ".join(f"{count} × {kind}" for kind, count in summary["stops"].items())
    return f"## Rounds\n\n{markdown_table((*head, 'stability', 'area erased'), rows)}\n\nEnded: {stops or '–'}."


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
        for row in moved[:MAX_ROWS]
    ]
    pairs = [
        (pair["vanished"] or "(none)", pair["came"] or "(none)", pair["count"], *pair["by_round"])
        for pair in changes["pairs"][:MAX_ROWS]
    ]
    parts = ["## Labels", "In parentheses: how many of them the data set gives to the image."]
    parts += [markdown_table(("labels", *rounds), totals)] if rounds else []
    parts += [
        markdown_table(
            ("label", "images", "first", "appeared in round", "all", "returned", "vanished in round", "all", "last"),
            labels,
        )
        + _more(len(moved), "labels that changed"),
        markdown_table(("vanished", "came in the same round", "times", *rounds), pairs)
        + _more(len(changes["pairs"]), "pairs"),
    ]
    return "\n\n".join(parts)


def _by_round(counts: Sequence[int]) -> str:
    return " ".join(str(count) if count else "·" for count in counts)


def _boxes(boxes: dict, scope: str) -> str:
    hits = boxes[scope]
    head = f"## {SCOPES[scope]}\n\n{hits['boxes']} boxes in {hits['images']} images"
    head += f"; the middle of the picture lies in {hits['central']} of them" if hits["boxes"] else ""
    if hits["asked_of_others"] < hits["boxes"]:
        head += f"; for {hits['asked_of_others']} there are other images to compare with"
    if not hits["boxes"]:
        return f"{head}."
    rounds = [f"after round {row['round']}" for row in hits["pointing"]]
    rows = [
        (
            text,
            *(
                f"{format_share(row['share'])}{format_interval(row['share_95'], percent=True)}; "
                f"others {format_share(row['others'])}, chance {format_share(row['chance'])}"
                for row in hits[name]
            ),
        )
        for name, text in CRITERIA_TEXT.items()
    ]
    return f"{head}.\n\n{markdown_table(('hit', *rounds), rows)}"


def _box_labels(boxes: dict) -> str:
    def cell(row: dict, scope: str, name: str) -> str:
        if row[scope] is None:
            return "–"
        count = row["asked"] if scope == "own" else row["boxes"]
        first, last = row[scope][name]["first"], row[scope][name]["last"]
        expected = f"{format_number(first['others'], 1)} → {format_number(last['others'], 1)}"
        return f"{first['hit']} → {last['hit']} of {count}; others {expected}"

    rows = [
        (
            row["label"],
            row["boxes"],
            *(cell(row, "own", name) for name in ("pointing", "covered_25")),
            *(cell(row, "any", name) for name in ("pointing", "covered_25")),
        )
        for row in boxes["labels"][:MAX_ROWS]
    ]
    head = ("label", "boxes", "own: pointing", "own: 25 % erased", "any: pointing", "any: 25 % erased")
    left = {"boxes_unseen": "lie outside the model's input", "boxes_partly_seen": "lie partly in it"}
    left |= {"boxes_difficult": "are marked as difficult (not counted)", "boxes_outside": "lie outside (not counted)"}
    notes = "; ".join(f"{boxes[name]} {text}" for name, text in left.items() if boxes[name])
    text = f"## Boxes by label\n\nAfter the first and after the last round.\n\n{markdown_table(head, rows)}"
    return text + _more(len(boxes["labels"]), "labels with boxes") + (f"\n\nOf the boxes {notes}." if notes else "")


def _unmatched(matching: dict) -> str:
    rows = [(row["label"], row["why"], row["images"], row["boxes"]) for row in matching["unmatched"]]
    if not rows:
        return ""
    rows.sort(key=lambda row: (-int(row[2]), str(row[0])))
    text = f"## Labels without a match\n\n{markdown_table(('label', 'why', 'images', 'boxes'), rows[:MAX_ROWS])}"
    return text + _more(len(rows), "labels without a match")


def _errors(errors: Sequence[dict]) -> str:
    if not errors:
        return ""
    rows = [(row["id"], row["error"]) for row in errors[:MAX_ROWS]]
    return f"## Images that failed\n\n{markdown_table(('image', 'error'), rows)}" + _more(
        len(errors), "images that failed"
    )


def _more(count: int, what: str) -> str:
    return f"\n\nThe first {MAX_ROWS} of {count} {what}; all are in results.json." if count > MAX_ROWS else ""
