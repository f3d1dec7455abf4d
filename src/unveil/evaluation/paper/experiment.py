"""The experiment of Bordes et al. 2018 over a data set: what one image adds, and what follows from all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from unveil.datasets import Sample
from unveil.evaluation.paper.box_hits import BoxHits, box_hits
from unveil.evaluation.paper.changes import Labels, count_changes, labels_of
from unveil.evaluation.paper.hit_counts import summarize_hits
from unveil.evaluation.paper.label_matching import Matching
from unveil.evaluation.paper.other_images_baseline import Layout, hits_of_others, layout_of
from unveil.evaluation.paper.summary import RunCount, count_run, summarize
from unveil.predictions import Output
from unveil.records import Run


@dataclass(frozen=True)
class ExperimentPlan:
    """How runs are counted: which labels are the same, over how many rounds, and the probability from which a label is
    predicted (sigmoid)."""

    matching: Matching
    labels: tuple[str, ...]
    rounds: int
    threshold: float = 0.5

    @cached_property
    def targets(self) -> dict[str, list[str]]:
        """The classifier's names for every label of the data set that has any."""
        return {
            label: [self.labels[index] for index in sorted(found)] for label, found in self.matching.indices.items()
        }


@dataclass(frozen=True, eq=False)
class Observed:
    """What one image adds. `group`: what is drawn as a whole for intervals, the image itself or its patient."""

    id: str
    group: str
    count: RunCount
    labels: tuple[Labels, ...]
    boxes: tuple[BoxHits, ...]
    layout: Layout | None
    boxes_difficult: int
    boxes_outside: int
    annotated: tuple[str, ...]
    seconds: float

    @property
    def changes(self) -> int:
        """Labels that came or went in all rounds."""
        return sum(one.count for one in self.labels)


def observe(run: Run, sample: Sample, plan: ExperimentPlan) -> Observed:
    """Count the run of one sample. Boxes that the annotators marked as too hard, or of which no pixel lies in the
    image, are counted apart."""
    boxes = sample.boxes_on(run.source.geometry.source_shape) if sample.boxes else ()
    counted = [box for box in boxes if not box.difficult]
    inside = [box for box in counted if box.inside(run.source.geometry.source_shape).any()]
    return Observed(
        id=sample.id,
        group=sample.id if sample.group is None else sample.group,
        count=count_run(run),
        labels=labels_of(run, plan.matching.of(sample.labels), plan.threshold),
        boxes=box_hits(run, inside, plan.targets, plan.rounds),
        layout=layout_of(run, inside) if inside else None,
        boxes_difficult=len(boxes) - len(counted),
        boxes_outside=len(counted) - len(inside),
        annotated=sample.labels,
        seconds=run.seconds,
    )


def conclude(found: Sequence[Observed], plan: ExperimentPlan, seed: int = 0) -> dict:
    """All tables: `summary` by round, label `changes`, `boxes` (None where there is no box), and the `matching`;
    `groups` (how many are drawn for intervals) and `seconds` (of all runs together)."""
    groups = [one.group for one in found]
    counted = summarize([one.count for one in found], groups, seed)
    boxes = summarize_hits(_with_others(found, plan, seed), groups, plan.rounds, seed)
    boxes |= {
        "boxes_difficult": sum(one.boxes_difficult for one in found),
        "boxes_outside": sum(one.boxes_outside for one in found),
    }
    return {
        "groups": len(set(groups)),
        "seconds": sum(one.seconds for one in found),
        "summary": counted,
        "changes": count_changes([one for item in found for one in item.labels], plan.labels, plan.rounds),
        "boxes": boxes if boxes["boxes"] else None,
        "matching": _matching(found, plan),
    }


def _with_others(found: Sequence[Observed], plan: ExperimentPlan, seed: int) -> list[tuple[BoxHits, ...]]:
    """The boxes of every image, each with what the regions of other images would have hit."""
    there = [(one, one.layout) for one in found if one.layout is not None]
    hits = hits_of_others(
        [layout for _, layout in there], [one.group for one, _ in there], plan.targets, plan.rounds, seed
    )
    filled = {
        one.id: tuple(
            replace(
                box,
                by_any=replace(box.by_any, others=others.by_any),
                by_own=None if box.by_own is None else replace(box.by_own, others=others.by_own),
            )
            for box, others in zip(one.boxes, by_others, strict=True)
        )
        for (one, _), by_others in zip(there, hits, strict=True)
    }
    return [filled.get(one.id, ()) for one in found]


def _matching(found: Sequence[Observed], plan: ExperimentPlan) -> dict:
    return {
        "matched": plan.targets,
        "unmatched": [
            {
                "label": label,
                "why": why,
                "images": sum(label in one.annotated for one in found),
                "boxes": sum(box.label == label for one in found for box in one.boxes),
            }
            for label, why in plan.matching.unmatched.items()
        ],
        "classifier_labels": len(plan.labels),
        "classifier_labels_matched": len(frozenset().union(*plan.matching.indices.values())),
    }


def threshold_of(recipe: dict, output: Output) -> float:
    """The probability from which a recipe (as in a record) takes a label as predicted: that of its `Predicted` target
    for a sigmoid classifier, else one half."""
    target = recipe.get("target", {})
    asked = output is Output.SIGMOID and target.get("kind") == "Predicted"
    return float(target.get("threshold", 0.5)) if asked else 0.5
