"""Runs laid by hand: every region, saliency and prediction is what the test says."""

import math
from collections.abc import Sequence

import numpy as np

from unveil.images import Geometry
from unveil.masks import Mask
from unveil.predictions import Output, Prediction
from unveil.records import ClassifierInfo, Region, Round, Run, Source, TargetMap
from unveil.stopping import StopKind, StopReason
from unveil.targets import class_score, find_label

Drawn = tuple[str | int, np.ndarray]  # a label or a class index, and the region on the model's grid


def inside(shape: tuple[int, int], rows: slice, columns: slice) -> np.ndarray:
    """An upright rectangle as a boolean array."""
    result = np.zeros(shape, bool)
    result[rows, columns] = True
    return result


def handmade(
    labels: Sequence[str],
    states: Sequence[Sequence[float]],
    regions: Sequence[Sequence[Drawn]] | None = None,
    *,
    geometry: Geometry | None = None,
    saliencies: Sequence[dict[str | int, np.ndarray]] | None = None,
    output: Output = Output.SIGMOID,
    rims: Sequence[float] | None = None,
    stability: Sequence[float | None] | None = None,
    track: str | None = None,
) -> Run:
    """A run whose predictions are `states` (logits; one more than there are rounds), with regions by round."""
    geometry = geometry or Geometry.identity((6, 8))
    rounds = len(states) - 1
    regions = regions or [[] for _ in range(rounds)]
    done, erased = [], np.zeros(geometry.model_shape, bool)
    for index in range(1, rounds + 1):
        drawn = regions[index - 1]
        after = erased.copy()
        for _, area in drawn:
            after |= area
        maps = {label: np.ones(geometry.model_shape, np.float32) for label, _ in drawn}
        maps |= (saliencies or [{}] * rounds)[index - 1]
        done.append(
            Round(
                index=index,
                track=track,
                before=Prediction(np.array(states[index - 1], float), output),
                after=Prediction(np.array(states[index], float), output),
                maps=tuple(
                    TargetMap(class_score(find_label(label, labels), labels), values.astype(np.float32))
                    for label, values in maps.items()
                ),
                regions=tuple(
                    Region(
                        target_score=class_score(find_label(label, labels), labels),
                        mask=Mask.from_array(geometry.region_to_source(area)),
                        model_mask=Mask.from_array(area),
                        area_mm2=None,
                        score_before=0.0,
                        score_after=0.0,
                        probability_before=None,
                        probability_after=None,
                        stability=(stability or [None] * rounds)[index - 1],
                        revealed=0.5,
                        rim_share=(rims or [0.0] * rounds)[index - 1],
                    )
                    for label, area in drawn
                ),
                erased=Mask.from_array(erased),
                erased_after=Mask.from_array(after),
                image=np.zeros((1, *geometry.model_shape), np.uint8),
            )
        )
        erased = after
    return Run(
        source=Source("handmade", "0" * 64, 1, geometry),
        classifier=ClassifierInfo("by hand", "f" * 64, tuple(labels), output, "cpu", "fp32", "fp32: by hand"),
        recipe={"name": "by hand"},
        seed=0,
        rounds=tuple(done),
        first=Prediction(np.array(states[0], float), output),
        stops={track: StopReason(StopKind.MAX_ROUNDS, "by hand")},
        versions={"machine": "paper"},
        seconds=0.0,
        final_images={track: np.zeros((1, *geometry.model_shape), np.uint8)},
    )


def logit(probability: float) -> float:
    """ln(p / (1 − p))."""
    return math.log(probability / (1 - probability))
