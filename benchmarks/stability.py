"""How close to a reference a round's region is when `samples = "auto"` stops, and how many samples it took.

    python benchmarks/stability.py IMAGE... --model torchvision/resnet50 --weights FILE --json

For every image and backward rule, the script computes the region of 400 samples, and those of 8, 16, … 64 antithetic
samples with noise of their own, several times. Beside each is the IoU of the regions of independent halves, as in
`UntilStable`. The table shows for each level of this stability where the rounds would have stopped, and how close to
the region of 400 samples the result was.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import mean

import numpy as np

from unveil import load_classifier, read_image
from unveil.attribution import AttributionRequest, Gradient, GuidedBackprop, Moments, SmoothGrad, UntilStable
from unveil.context import RunContext
from unveil.masks import iou, union
from unveil.recipes import Recipe, paper
from unveil.saliency import ShrunkL2
from unveil.targets import TargetScore

RULES = {"guided": GuidedBackprop(), "gradient": Gradient()}
ALL_THE_WAY = UntilStable(min_stability=0.999, min_samples=8, max_samples=72, step=8)  # its last look is at 64
TRUE_SAMPLES, WAYS = 400, 3
LEVELS = (0.4, 0.5, 0.6, 0.7, 0.8)


@dataclass(frozen=True)
class Point:
    """A region on the way: after so many samples, how much its halves agree, and its IoU with the truth."""

    image: str
    rule: str
    seed: int
    samples: int
    agreement: float
    iou: float


@dataclass
class Watch:
    """Stands where a run tells `UntilStable` how much two halves agree, and looks at what they are together."""

    search: RunContext
    truth: np.ndarray
    seen: list[tuple[int, float, float]] = field(default_factory=list)

    def __call__(self, one: Moments, other: Moments) -> float:
        halves = iou(region(self.search, one), region(self.search, other))
        together = one + other
        self.seen.append((2 * together.count, halves, iou(region(self.search, together), self.truth)))
        return halves


def recipe(rule: str, samples: int | UntilStable) -> Recipe:
    """The paper's boxes and threshold over antithetic pairs and the shrunk length."""
    return replace(paper(), attribution=SmoothGrad(RULES[rule], samples, antithetic=True), magnitude=ShrunkL2())


def region(search: RunContext, moments: Moments) -> np.ndarray:
    """What these samples show in the first round."""
    (values,) = search.recipe.magnitude.saliency(moments)
    nothing = np.zeros(search.grid, dtype=bool)
    return union(search.recipe.selector.select(values.astype(np.float32), nothing).regions, search.grid)


def path(search: RunContext, rule: str, name: str, seeds: int) -> list[Point]:
    """All points of one image."""
    target_scores = (TargetScore("label", ((int(search.first.leading(1)[0]), 1.0),)),)
    question = AttributionRequest(search.classifier, search.prepared.pixels, target_scores, "truth", search.batch_size)
    truth = region(search, recipe(rule, TRUE_SAMPLES).attribution.attribute(question).all)
    points = []
    for seed in range(seeds):
        watch = Watch(search, truth)
        recipe(rule, ALL_THE_WAY).attribution.attribute(replace(question, key=f"seed {seed}", agreement=watch))
        for at in range(0, len(watch.seen), WAYS):
            samples, _, close = watch.seen[at]
            agreement = mean(halves for _, halves, _ in watch.seen[at : at + WAYS])
            points.append(Point(name, rule, seed, samples, agreement, close))
    return points


def table(points: list[Point]) -> list[dict]:
    """For every rule and level: where the rounds stop, by the first point at that level, or by the last of all."""
    rows = []
    for rule in RULES:
        for level in LEVELS:
            ways: dict[tuple[str, int], list[Point]] = {}
            for one in points:
                if one.rule == rule:
                    ways.setdefault((one.image, one.seed), []).append(one)
            ends = [next((one for one in way if one.agreement >= level), way[-1]) for way in ways.values()]
            if ends:
                rows.append(
                    {
                        "rule": rule,
                        "agreement": level,
                        "rounds": len(ends),
                        "stable": sum(one.agreement >= level for one in ends),
                        "samples": round(mean(one.samples for one in ends), 1),
                        "iou": round(mean(one.iou for one in ends), 3),
                        "iou_lowest_tenth": round(float(np.quantile([one.iou for one in ends], 0.1)), 3),
                        "closer_than_agreement": round(mean(one.iou >= one.agreement for one in ends), 3),
                    }
                )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--model", default="torchvision/resnet50")
    parser.add_argument("--weights")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    classifier = load_classifier(options.model, options.weights)
    points: list[Point] = []
    for image in options.images:
        for rule in RULES:
            search = RunContext.create(read_image(image), classifier, recipe(rule, 8))
            points.extend(path(search, rule, image.name, options.seeds))
            print(f"{image.name}, {rule}: done", file=sys.stderr, flush=True)
    result = {"model": options.model, "images": len(options.images), "rows": table(points)}
    if options.json:
        print(json.dumps({**result, "points": [asdict(one) for one in points]}, indent=1))
    else:
        for row in result["rows"]:
            print(row)


if __name__ == "__main__":
    main()
