"""The figures in docs/experiment.md are those of the results that lie beside the benchmarks."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/experiment.md").read_text(encoding="utf-8")


def results(name: str) -> dict:
    return json.loads((ROOT / f"benchmarks/results/0.1.0/paper-{name}.json").read_text(encoding="utf-8"))


def cells(start: str) -> list[str]:
    """The cells of the one line of the page that begins so."""
    (line,) = [line for line in PAGE.splitlines() if line.startswith(start)]
    return [cell.strip() for cell in line.strip("|").split("|")]


def numbers(cell: str) -> list[float]:
    return [float(one) for one in re.findall(r"-?\d*\.?\d+", cell.replace("−", "-"))]


def of_labels(said: dict, name: str) -> int:
    return sum(sum(row[name]) if isinstance(row[name], list) else row[name] for row in said["changes"]["labels"])


def test_the_rounds_of_the_photographs():
    said = results("photographs")
    changes = said["changes"]["by_round"]
    for place, row in enumerate(said["summary"]["rounds"]):
        got = [numbers(cell) for cell in cells(f"| {row['round']} | {row['drop']:.2f} [")]
        assert got[1] == pytest.approx([row["drop"], *row["drop_95"]], abs=0.0051)
        assert got[2] == pytest.approx([row["probability_drop"]], abs=0.0051)
        assert got[3] == pytest.approx([100 * share for share in (row["kept_first"], *row["kept_first_95"])], abs=0.51)
        for cell, kind in zip(got[4:7], ("appeared", "returned", "vanished"), strict=True):
            assert cell == [changes[kind][place], changes[f"{kind}_annotated"][place]]
        assert got[7:] == [pytest.approx([100 * row[name]], abs=0.51) for name in ("rims", "coverage")]
    first, appeared, right = (of_labels(said, name) for name in ("first_annotated", "appeared", "appeared_annotated"))
    back, again = of_labels(said, "returned"), of_labels(said, "returned_annotated")
    text = " ".join(PAGE.split())
    assert f"{first} of the {said['images']['counted']} first labels are right" in text
    assert f"Of the {appeared} labels that appeared later, {right} are" in text
    assert f"Of the {back} labels that came back, {again} are right" in text


def test_the_boxes_of_pascal_voc():
    said = results("voc")
    for scope in ("own", "any"):
        found = said["boxes"][scope]
        for name in ("pointing", "covered_25", "covered_50", "iobb_50"):
            got = [numbers(cell) for cell in cells(f"| {scope}, {found['boxes']} boxes | `{name}` |")[2:]]
            for cell, row in zip(got, found[name], strict=False):
                assert cell == pytest.approx([100 * row["share"], 100 * row["others"]], abs=0.51)
            last = found[name][-1]
            assert got[5] == pytest.approx([100 * last["chance"]], abs=0.51)
            above = (last["above_others"], *last["above_others_95"])
            assert got[6] == pytest.approx([100 * share for share in above], abs=0.51)
    text = " ".join(PAGE.split())
    right, appeared = of_labels(said, "appeared_annotated"), of_labels(said, "appeared")
    assert f"{right} of the {appeared} that appeared name a thing" in text
    assert f"right in {of_labels(said, 'first_annotated')} of {said['images']['counted']}" in text
    (person,) = said["matching"]["unmatched"]
    assert f"{person['images']} photographs show a person" in text
