"""The experiment of Bordes et al. 2018 over a data set: observations of single images, and results over all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from unveil.datasets import Sample
from unveil.evaluation.paper.box_hits import BoxHits, box_hits
from unveil.evaluation.paper.changes import ChangeTable, TrackLabels, count_changes, labels_of
from unveil.evaluation.paper.hit_counts import HitTable, summarize_hits
from unveil.evaluation.paper.label_matching import Matching
from unveil.evaluation.paper.other_images_baseline import ImageLayout, hits_of_others, layout_of
from unveil.evaluation.paper.summary import RunCount, RunsSummary, count_run, summarize_counts
from unveil.predictions import Output
from unveil.records import Run


@dataclass(frozen=True)
class ExperimentPlan:
    """How runs are counted.

    Attributes:
        matching: Which labels of the data set and of the classifier name the same thing.
        labels: The labels of the classifier.
        rounds: The number of rounds.
        threshold: The smallest probability of a predicted label of a sigmoid classifier.
    """

    matching: Matching
    labels: tuple[str, ...]
    rounds: int
    threshold: float = 0.5

    @cached_property
    def targets(self) -> dict[str, list[int]]:
        """Indices of the classifier's classes for every label of the data set that has any."""
        return {label: sorted(indices) for label, indices in self.matching.indices.items()}

    @cached_property
    def target_names(self) -> dict[str, list[str]]:
        """The labels of `targets`, for reading."""
        return {label: [self.labels[index] for index in indices] for label, indices in self.targets.items()}


@dataclass(frozen=True, eq=False)
class ImageObservation:
    """The counts of one image.

    Attributes:
        id: The id of its sample.
        group: The unit that intervals draw, the image itself or its patient.
        count: The sums of its rounds.
        labels: The labels of its tracks.
        boxes: Which regions hit each box.
        layout: The places of its regions and boxes; None without boxes.
        boxes_difficult: The number of boxes marked as difficult, which aren't counted.
        boxes_outside: The number of boxes without a pixel inside the image, which aren't counted.
        annotated: The labels that the data set gives to the image.
        seconds: The duration of its run in s.
    """

    id: str
    group: str
    count: RunCount
    labels: tuple[TrackLabels, ...]
    boxes: tuple[BoxHits, ...]
    layout: ImageLayout | None
    boxes_difficult: int
    boxes_outside: int
    annotated: tuple[str, ...]
    seconds: float

    @property
    def changes(self) -> int:
        """Number of labels that appeared, returned or vanished in all rounds."""
        return sum(track.count for track in self.labels)


@dataclass(frozen=True)
class UnmatchedLabel:
    """A `label` of the data set that no class matches: `why`, and its number of `images` and `boxes`."""

    label: str
    why: str
    images: int
    boxes: int

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {"label": self.label, "why": self.why, "images": self.images, "boxes": self.boxes}


@dataclass(frozen=True)
class MatchingSummary:
    """Which labels of the data set match which classes.

    Attributes:
        indices: The class indices of every label with a match.
        names: The names of these classes, for reading.
        unmatched: The labels without a match.
        classifier_labels: The number of labels of the classifier.
        classifier_labels_matched: The number of those that match a label of the data set.
    """

    indices: dict[str, list[int]]
    names: dict[str, list[str]]
    unmatched: tuple[UnmatchedLabel, ...]
    classifier_labels: int
    classifier_labels_matched: int

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {
            "matched": self.names,
            "matched_indices": self.indices,
            "unmatched": [row.as_dict() for row in self.unmatched],
            "classifier_labels": self.classifier_labels,
            "classifier_labels_matched": self.classifier_labels_matched,
        }


@dataclass(frozen=True)
class ExperimentResults:
    """All tables of the experiment.

    Attributes:
        groups: The number of units that intervals draw.
        seconds: The duration of all runs in s.
        summary: Means by round.
        changes: Changes of the predicted labels.
        boxes: Boxes hit by round; None if no image has a box.
        boxes_difficult: The number of boxes marked as difficult, which aren't counted in `boxes`.
        boxes_outside: The number of boxes outside the image, which aren't counted in `boxes`.
        matching: Which labels match.
    """

    groups: int
    seconds: float
    summary: RunsSummary
    changes: ChangeTable
    boxes: HitTable | None
    boxes_difficult: int
    boxes_outside: int
    matching: MatchingSummary

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        not_counted = {"boxes_difficult": self.boxes_difficult, "boxes_outside": self.boxes_outside}
        return {
            "groups": self.groups,
            "seconds": self.seconds,
            "summary": self.summary.as_dict(),
            "changes": self.changes.as_dict(),
            "boxes": None if self.boxes is None else {**self.boxes.as_dict(), **not_counted},
            "matching": self.matching.as_dict(),
        }


def observe(run: Run, sample: Sample, plan: ExperimentPlan) -> ImageObservation:
    """Count the run of one sample. Boxes that the annotators marked as difficult, and boxes without a pixel inside the
    image, are counted separately."""
    boxes = sample.boxes_on(run.source.geometry.source_shape) if sample.boxes else ()
    counted = [box for box in boxes if not box.difficult]
    inside = [box for box in counted if box.inside(run.source.geometry.source_shape).any()]
    return ImageObservation(
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


def conclude(observations: Sequence[ImageObservation], plan: ExperimentPlan, seed: int = 0) -> ExperimentResults:
    """The results over all images, with intervals by drawing groups."""
    groups = [image.group for image in observations]
    hits = summarize_hits(_with_others(observations, plan, seed), groups, plan.rounds, seed)
    tracks = [track for image in observations for track in image.labels]
    return ExperimentResults(
        groups=len(set(groups)),
        seconds=sum(image.seconds for image in observations),
        summary=summarize_counts([image.count for image in observations], groups, seed),
        changes=count_changes(tracks, plan.labels, plan.rounds),
        boxes=hits if hits.boxes else None,
        boxes_difficult=sum(image.boxes_difficult for image in observations),
        boxes_outside=sum(image.boxes_outside for image in observations),
        matching=_summarize_matching(observations, plan),
    )


def _with_others(
    observations: Sequence[ImageObservation], plan: ExperimentPlan, seed: int
) -> list[tuple[BoxHits, ...]]:
    """The boxes of every image, each with the hits of the regions of other images."""
    with_boxes = [(image, image.layout) for image in observations if image.layout is not None]
    baselines = hits_of_others(
        [layout for _, layout in with_boxes], [image.group for image, _ in with_boxes], plan.targets, plan.rounds, seed
    )
    filled = {
        image.id: tuple(
            replace(
                box,
                by_any=replace(box.by_any, others=baseline.by_any),
                by_own=None if box.by_own is None else replace(box.by_own, others=baseline.by_own),
            )
            for box, baseline in zip(image.boxes, of_boxes, strict=True)
        )
        for (image, _), of_boxes in zip(with_boxes, baselines, strict=True)
    }
    return [filled.get(image.id, ()) for image in observations]


def _summarize_matching(observations: Sequence[ImageObservation], plan: ExperimentPlan) -> MatchingSummary:
    return MatchingSummary(
        indices=plan.targets,
        names=plan.target_names,
        unmatched=tuple(
            UnmatchedLabel(
                label,
                why,
                images=sum(label in image.annotated for image in observations),
                boxes=sum(box.label == label for image in observations for box in image.boxes),
            )
            for label, why in plan.matching.unmatched.items()
        ),
        classifier_labels=len(plan.labels),
        classifier_labels_matched=len(frozenset().union(*plan.matching.indices.values())),
    )


def threshold_of(recipe: dict, output: Output) -> float:
    """The probability from which a recipe (as in a record) counts a label as predicted.

    This is the threshold of its `Predicted` target for a sigmoid classifier, else 0.5.
    """
    target = recipe.get("target", {})
    has_threshold = output is Output.SIGMOID and target.get("kind") == "Predicted"
    return float(target.get("threshold", 0.5)) if has_threshold else 0.5
