"""Annotated objects of photographs that regions hit by which round, beside single maps cut at the same area; and how
fast the probability falls when each method's pixels go.

    python benchmarks/objects.py voc/VOC2012 --model torchvision/resnet50 --weights FILE --images 28 --json
    python benchmarks/objects.py csv/photographs.csv --notes FILE --json      # with photographs.boxes.csv beside it

The target is the label that the classifier predicts first. Two recipes go through their rounds; every single map of
`unveil benchmark planted` but RISE is smoothed as `recommended` smooths and cut at the area that each recipe took after
each round. An object counts if at least half of its box lies in the model's field of view, and is

- `covered`: a quarter of its box lies in the regions;
- `iobb`: a region has at least half of its pixels in the box.

`deletion`: mean probability of the label while pixels become the mean color in 14 steps (low is good). For a recipe
the pixels of earlier rounds go first, within a round those with more saliency.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from notes import Notes
from torch import Tensor

from unveil import Classifier, Image, Recipe, Run, find_regions, load_classifier
from unveil.attribution import Cam
from unveil.bootstrap import bounds, by_group, intervals
from unveil.datasets import Sample, open_dataset
from unveil.errors import UnveilError
from unveil.evaluation.metrics.curves import deletion
from unveil.evaluation.metrics.probe import Probe
from unveil.evaluation.planted.methods import SingleMapMethod, single_map_methods
from unveil.evaluation.planted.scoring import cut_at_area
from unveil.masks import union
from unveil.recipes import paper, recommended
from unveil.targets import Class, TargetScore

ROUNDS, STEPS, COVERED, ON_BOX, SEEN = 5, 14, 0.25, 0.5, 0.5
Inside = Bool[np.ndarray, "h w"]
Parts = tuple[Inside, ...]


@dataclass(frozen=True, eq=False)
class Photograph:
    """An image, its pixels and objects on the model's grid, and the target label."""

    image: Image
    pixels: Float[Tensor, "c h w"]
    objects: list[Inside]
    label: TargetScore

    @classmethod
    def read(cls, sample: Sample, classifier: Classifier) -> "Photograph":
        """From a data set."""
        image = sample.read(classifier.preprocessing.channels)
        prepared = classifier.prepare(image)
        (answer,) = classifier.predict(prepared.pixels[None])
        first = int(answer.leading(1)[0])
        seen = prepared.geometry.visible()
        boxes = [box.inside(image.shape) for box in sample.boxes_on(image.shape) if not box.difficult]
        kept = [box for box in boxes if np.count_nonzero(box & seen) >= SEEN * max(1, np.count_nonzero(box))]
        objects = [prepared.geometry.region_to_model(box) for box in kept]
        return cls(image, prepared.pixels, objects, TargetScore(classifier.labels[first], ((first, 1.0),)))


def hits(parts: Parts, objects: list[Inside]) -> dict[str, int]:
    """How many objects these regions hit, by either criterion."""
    together = union(parts, objects[0].shape) if objects else np.zeros((1, 1), bool)
    return {
        "covered": sum(bool(np.count_nonzero(together & one) >= COVERED * np.count_nonzero(one)) for one in objects),
        "iobb": sum(
            any(np.count_nonzero(part & one) >= ON_BOX * np.count_nonzero(part) for part in parts) for one in objects
        ),
    }


def recipes() -> dict[str, Recipe]:
    """Those that go through rounds, without trust cards."""
    return {one.name: replace(one, trust=None) for one in (recommended(), paper())}


def maps() -> dict[str, SingleMapMethod]:
    """Single maps at their published settings; Grad-CAM looks at the last layer with places."""
    found = {name: one for name, one in single_map_methods(4000).items() if name != "RISE"}
    return {**found, "GradCAM": replace(found["GradCAM"], attribution=Cam("GradCAM"))}


def measured(sample: Sample, classifier: Classifier) -> dict:
    """Everything that is counted of one photograph."""
    photo = Photograph.read(sample, classifier)
    probe = Probe(classifier, photo.pixels, photo.label)
    rounds = {name: in_rounds(recipe, photo, probe) for name, recipe in recipes().items()}
    areas = {name: row["areas"] for name, row in rounds.items()}
    return {
        "objects": len(photo.objects),
        "rounds": rounds,
        "maps": {name: in_one_map(one, photo, probe, areas) for name, one in maps().items()},
    }


def in_rounds(recipe: Recipe, photo: Photograph, probe: Probe) -> dict:
    """Hits after every round, with the area taken by then."""
    started = time.perf_counter()
    run = find_regions(photo.image, probe.classifier, recipe.with_target(Class(photo.label.weights[0][0])))
    seconds = time.perf_counter() - started
    by_round = [tuple(part.model_mask.to_array() for part in one.regions) for one in run.rounds]
    upto = [tuple(chain.from_iterable(by_round[: index + 1])) for index in range(ROUNDS)]
    areas = [int(np.count_nonzero(union(parts, probe.pixels.shape[1:]))) for parts in upto]
    return {
        "hits": [hits(parts, photo.objects) for parts in upto],
        "areas": areas,
        "area": areas[-1] / probe.pixels[0].numel(),
        "deletion": deletion(probe, order(run, by_round, recipe), STEPS).auc,
        "seconds": seconds,
    }


def order(run: Run, by_round: list[Parts], recipe: Recipe) -> Float[np.ndarray, "h w"]:
    """Larger for pixels of earlier rounds, within a round for those with more saliency; by the first map elsewhere."""
    smooth = [recipe.selector.smooth(one.maps[0].saliency) for one in run.rounds]
    values = smooth[0] / smooth[0].max() if smooth else np.zeros(run.source.geometry.model_shape)
    for place, found in reversed(list(enumerate(smooth))):
        inside = union(by_round[place], values.shape)
        values = np.where(inside, 1 + ROUNDS - place + found / found.max(), values)
    return values


def in_one_map(one: SingleMapMethod, photo: Photograph, probe: Probe, areas: dict[str, list[int]]) -> dict:
    """Hits at the areas that every recipe took."""
    started = time.perf_counter()
    raw = one.raw(probe.classifier, photo.pixels, photo.label, f"0/{photo.image.sha256}/one map")
    seconds = time.perf_counter() - started
    smooth = recommended().selector.smooth(raw)
    return {
        "hits": {of: [hits(cut_at_area(smooth, area), photo.objects) for area in areas[of]] for of in areas},
        "deletion": deletion(probe, smooth, STEPS).auc,
        "seconds": seconds,
    }


def share(counts: list[tuple[float, float]], groups: list[str]) -> dict:
    """Σ of the first / Σ of the second, with its 95 % interval over images."""
    table = by_group(np.array(counts, dtype=np.float64), groups)
    low_high = intervals(table[:, :1], table[:, 1:], 0)
    total, of = table.sum(0)
    return {"value": round(float(total / of), 4) if of else None, "interval": _as_list(bounds(low_high[:, 0]))}


def _as_list(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)


def rows(found: dict[str, dict]) -> list[dict]:
    """A row a method and a recipe whose areas it is given."""
    groups, every = list(found), list(found.values())
    made = []
    for of, name in [(recipe, name) for recipe in recipes() for name in (recipe, *maps())]:
        own = [one["rounds"][name] if name == of else one["maps"][name] for one in every]
        hit = [one["hits"] if name == of else one["hits"][of] for one in own]
        made.append(
            {
                "method": name,
                "area_of": of,
                **{
                    kind: [
                        share([(h[at][kind], one["objects"]) for h, one in zip(hit, every, strict=True)], groups)
                        for at in range(ROUNDS)
                    ]
                    for kind in ("covered", "iobb")
                },
                "deletion": share([(one["deletion"], 1.0) for one in own], groups),
                "seconds": round(float(np.median([one["seconds"] for one in own])), 2),
                **({"area": round(float(np.mean([one["area"] for one in own])), 3)} if name == of else {}),
            }
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="csv/FILE, voc/FOLDER …")
    parser.add_argument("--model", default="torchvision/resnet50")
    parser.add_argument("--weights")
    parser.add_argument("--images", type=int, help="every n-th, so that there are so many; default: all")
    parser.add_argument("--notes", type=Path, help="a file of what was measured, to go on from")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    classifier = load_classifier(options.model, options.weights)
    samples = list(open_dataset(options.data))
    if options.images:
        samples = samples[:: max(1, len(samples) // options.images)][: options.images]
    notes, found = Notes(options.notes), {}
    for sample in samples:
        try:
            found[sample.id] = notes.find_or_make((sample.id,), lambda sample=sample: measured(sample, classifier))
        except UnveilError as error:
            print(f"{sample.id}: {error}", file=sys.stderr)
        print(sample.id, file=sys.stderr, flush=True)
    result = {
        "model": options.model,
        "images": len(found),
        "objects": sum(one["objects"] for one in found.values()),
        "rows": rows(found),
    }
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for row in result["rows"]:
        print(row)


if __name__ == "__main__":
    main()
