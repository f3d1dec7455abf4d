"""How many pixels each method needs to make a classifier lose its label, and how fast the probability falls.

    python benchmarks/area_to_lose.py FOLDER --weights FILE --labels FILE --images 20 --json

The folder is one of `unveil benchmark mosaics`; settings are chosen on its half `tuning`. The target is the label that
the classifier predicts first. A method is an order of the pixels: by saliency for a single map, smoothed as
`recommended` smooths; for a recipe first by round, within a round by saliency, and at the end by the last map.

- `area`: the smallest share of the pixels, in steps of 1 %, that have to become the mean color until another label has
  the highest probability (1 if 70 % aren't enough);
- `deletion`: the mean probability of the label while all pixels become the mean color in 14 steps.

Both are better if smaller. `_less` is the mean difference to the best single map, which is the one with the smallest
mean; intervals are 95 % bootstrap intervals over photographs.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from notes import Notes

from unveil import Classifier, Run, find_regions, load_classifier, read_image
from unveil.attribution import Cam
from unveil.bootstrap import intervals
from unveil.evaluation.metrics.curves import deletion
from unveil.evaluation.metrics.probe import Probe
from unveil.evaluation.mosaics.photographs import list_photographs, open_label_table
from unveil.evaluation.planted.methods import single_map_methods
from unveil.masks import union
from unveil.recipes import Recipe, get_recipe, recommended
from unveil.targets import Class, TargetScore

STEPS, LARGEST = 14, 0.7
Order = Float[np.ndarray, "h w"]


def area_to_lose(probe: Probe, order: Order) -> float:
    """The smallest share of pixels, the largest of `order` first, without which another label is predicted."""
    ranks = torch.from_numpy(probe.ranks(order))
    mean = probe.pixels.new_tensor(probe.classifier.preprocessing.mean).reshape(-1, 1, 1)
    index = probe.target_score.weights[0][0]
    for first in range(1, int(100 * LARGEST) + 1, STEPS):
        shares = [percent / 100 for percent in range(first, first + STEPS)]
        images = torch.stack([torch.where(ranks < share * ranks.numel(), mean, probe.pixels) for share in shares])
        for share, prediction in zip(shares, probe.classifier.predict(images, STEPS), strict=True):
            if int(prediction.leading(1)[0]) != index:
                return share
    return 1.0


def order_of(run: Run, recipe: Recipe) -> Order:
    """Larger for pixels of earlier rounds, within a round for those with more saliency; by the last map elsewhere."""
    maps = [recipe.selector.smooth(one.maps[0].saliency) for one in run.rounds]
    maps = [one / (one.max() or 1.0) for one in maps]
    order = maps[-1] if maps else np.zeros(run.source.geometry.model_shape)
    for place in reversed(range(len(maps))):
        inside = union([region.model_mask.to_array() for region in run.rounds[place].regions], order.shape)
        order = np.where(inside, 1 + len(maps) - place + maps[place], order)
    return order


def measured(path: Path, classifier: Classifier, names: list[str]) -> dict[str, list[float]]:
    """For each method, the area and the deletion."""
    image = read_image(path)
    pixels = classifier.prepare(image).pixels
    first = int(classifier.predict(pixels[None])[0].leading(1)[0])
    target_score = TargetScore(classifier.labels[first], ((first, 1.0),))
    probe = Probe(classifier, pixels, target_score)
    orders = {}
    for name in names:
        recipe = replace(get_recipe(name).with_target(Class(first)), trust=None, label_check=None)
        orders[name] = order_of(find_regions(image, classifier, recipe), recipe)
    smooth = recommended().selector.smooth
    for name, method in single_maps().items():
        orders[name] = smooth(method.raw(classifier, pixels, target_score, f"0/{image.sha256}/one map"))
    return {name: [area_to_lose(probe, one), deletion(probe, one, STEPS).auc] for name, one in orders.items()}


def single_maps() -> dict:
    """The single maps of the planted benchmark but RISE; Grad-CAM looks at the last layer with places."""
    found = {name: one for name, one in single_map_methods(4000).items() if name != "RISE"}
    return {**found, "GradCAM": replace(found["GradCAM"], attribution=Cam("GradCAM"))}


def _with_interval(values: Float[np.ndarray, "images"]) -> dict:
    low, high = intervals(values[:, None], np.ones((len(values), 1)), 0)[:, 0]
    return {"mean": round(float(values.mean()), 4), "interval": [round(float(low), 4), round(float(high), 4)]}


def rows(found: list[dict[str, list[float]]]) -> list[dict]:
    """One row per method."""
    table = {name: np.array([one[name] for one in found]) for name in found[0]}
    singles = [name for name in table if name in single_maps()]
    made = []
    for name, values in table.items():
        row: dict = {"method": name}
        for column, measure in enumerate(("area", "deletion")):
            best = min(singles, key=lambda one, column=column: table[one][:, column].mean())
            row[measure] = _with_interval(values[:, column])
            row[f"{measure}_less"] = {"than": best, **_with_interval(table[best][:, column] - values[:, column])}
        made.append(row)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="a folder of photographs with labels, as for `unveil benchmark mosaics`")
    parser.add_argument("--model", default="torchvision/resnet50")
    parser.add_argument("--weights")
    parser.add_argument("--labels")
    parser.add_argument("--half", default="report", help="report, tuning or all")
    parser.add_argument("--recipes", default="recommended,lrp")
    parser.add_argument("--images", type=int, help="every n-th, so that there are so many; default: all")
    parser.add_argument("--notes", type=Path, help="a file of what was measured, to go on from")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    classifier = load_classifier(options.model, options.weights, labels=options.labels)
    dataset, indexed = open_label_table(options.folder)
    listed = list_photographs(dataset, classifier.labels, indexed=indexed)
    photographs = listed.half(options.half).photographs
    if options.images:
        photographs = photographs[:: max(1, len(photographs) // options.images)][: options.images]
    notes, names, found = Notes(options.notes), options.recipes.split(","), []
    for one in photographs:
        make = lambda path=one.path: measured(path, classifier, names)  # noqa: E731
        found.append(notes.find_or_make((options.recipes, one.id), make))
        print(one.id, file=sys.stderr, flush=True)
    result = {"model": options.model, "half": options.half, "images": len(found), "rows": rows(found)}
    print(json.dumps(result, indent=1) if options.json else "\n".join(map(str, result["rows"])))


if __name__ == "__main__":
    main()
