"""The metrics of unveil against those of Quantus on the same maps, images and networks: the largest differences.

    pip install quantus                                                             # the tests don't need it
    python benchmarks/metrics_quantus.py --json > benchmarks/results/0.1.0/metrics-quantus.json

Both libraries are given the same noise and the same random weights, so that nothing but the metric can differ.
"""

import argparse
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unveil import TorchClassifier
from unveil.attribution import Gradient
from unveil.classifiers import Preprocessing
from unveil.evaluation.metrics.curves import deletion
from unveil.evaluation.metrics.pointing import energy_inside, hits_truth
from unveil.evaluation.metrics.probe import Explanation, Probe
from unveil.evaluation.metrics.randomization import randomize_cascading, randomize_independently
from unveil.evaluation.metrics.road import SHARES, road
from unveil.evaluation.metrics.sensitivity import RADIUS, max_sensitivity
from unveil.seeding import seeded_generator
from unveil.targets import TargetScore

SIDE, SAMPLES = 30, 4  # 900 pixels: tenths of them are whole numbers
MEAN, STD = 0.5, 0.25
PLAIN: dict[str, Any] = {
    "abs": False, "normalize": False, "disable_warnings": True, "display_progressbar": False,
}  # fmt: skip


class Fixed(nn.Conv2d):
    """Begins with the same weights whenever it is asked to, so that two libraries randomize it alike."""

    def reset_parameters(self) -> None:
        draw = torch.Generator().manual_seed(self.in_channels)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=draw) / 5)


@dataclass(frozen=True, eq=False)
class Case:
    """A network, an image and a truth that are all random, and a class."""

    classifier: TorchClassifier
    pixels: Tensor
    truth: np.ndarray
    label: int

    @classmethod
    def of(cls, seed: int, channels: int = 3) -> "Case":
        torch.manual_seed(seed)
        module = nn.Sequential(
            Fixed(channels, 8, 3, padding=1), nn.ReLU(), Fixed(8, 6, 3, padding=1), nn.ReLU(), Fixed(6, 4, 1),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        for weight in module.parameters():
            nn.init.normal_(weight, std=0.3)
        rng = np.random.default_rng(seed)
        classifier = TorchClassifier(module, Preprocessing.square(SIDE, (MEAN,) * channels, (STD,) * channels))
        pixels = torch.from_numpy(rng.random((channels, SIDE, SIDE))).float()
        return cls(classifier, pixels, rng.random((SIDE, SIDE)) < 0.2, seed % 4)

    @property
    def explanation(self) -> Explanation:
        return Explanation(Gradient(), TargetScore("asked", ((self.label, 1.0),)))

    @property
    def saliency(self) -> np.ndarray:
        return self.explanation(self.classifier, self.pixels).astype(np.float32)

    @property
    def probe(self) -> Probe:
        return Probe(self.classifier, self.pixels, self.explanation.target_score)

    def batch(self) -> dict[str, Any]:
        """What every metric of Quantus is given. It knows nothing of normalization, so that it gets its result."""
        return {
            "model": self.classifier.copy_of_module(),
            "x_batch": self.classifier.normalized(self.pixels[None]).numpy(),
            "y_batch": np.array([self.label]),
            "a_batch": self.saliency[None, None],
            "s_batch": self.truth[None, None],
            "device": "cpu",
            "explain_func": self.explain,
        }

    def explain(self, model: nn.Module, inputs: np.ndarray, targets: np.ndarray, **_: Any) -> np.ndarray:
        """Maps by whatever model Quantus has made of ours."""
        asked = TorchClassifier(model, self.classifier.preprocessing)
        return np.stack([self.explanation(asked, one * STD + MEAN) for one in torch.as_tensor(inputs).float()])[:, None]


Both = tuple[Any, Any]


def pointing(case: Case, quantus: Any) -> Both:
    return hits_truth(case.saliency, case.truth), quantus.PointingGame(**PLAIN)(**case.batch())


def energy(case: Case, quantus: Any) -> Both:
    return energy_inside(case.saliency, case.truth), quantus.RelevanceMassAccuracy(**PLAIN)(**case.batch())


def deleted(case: Case, quantus: Any) -> Both:
    """Quantus' pixel flipping to 0, which is the mean color after normalization; it leaves out the first point."""
    theirs = quantus.PixelFlipping(features_in_step=3 * SIDE, perturb_baseline=0.0, **PLAIN)
    return deletion(case.probe, case.saliency, SIDE).scores[1:], theirs(**case.batch(), softmax=True)


def kept_by_road(case: Case, quantus: Any) -> Both:
    """Of gray images: with three channels and a map of one Quantus 0.6.0 raises an IndexError."""
    theirs = quantus.ROAD(percentages=[round(100 * share) for share in SHARES], noise=0.0, **PLAIN)
    return road(case.probe, case.saliency, noise=0.0).morf.kept, list(theirs(**case.batch()).values())


def sensitivity(case: Case, quantus: Any) -> Both:
    """With our noise, brought to normalized inputs."""
    draws = (
        torch.rand(case.pixels.shape, generator=seeded_generator("0/max-sensitivity", one)) for one in range(SAMPLES)
    )
    noise = iter([(RADIUS * (2 * draw - 1) / STD).numpy() for draw in draws])

    def perturb(arr: np.ndarray, indices: np.ndarray, **_: Any) -> np.ndarray:
        return arr + next(noise).reshape(arr.shape)

    theirs = quantus.MaxSensitivity(nr_samples=SAMPLES, perturb_func=perturb, **PLAIN)
    ours = max_sensitivity(case.explanation, case.classifier, case.pixels, samples=SAMPLES)
    return ours, theirs(**case.batch())


def ranks(order: str, ours: Callable) -> Callable[[Case, Any], Both]:
    """Spearman's ρ after every layer."""

    def compare(case: Case, quantus: Any) -> Both:
        theirs = quantus.MPRT(layer_order=order, similarity_func=quantus.similarity_func.correlation_spearman, **PLAIN)
        said = {name: values[0] for name, values in theirs(**case.batch()).items() if name != "original"}
        found = {one.label: one.rank for one in ours(case.explanation, case.classifier, case.pixels, 0)}
        return [found[name] for name in said], list(said.values())

    return compare


GRAY = ("ROAD, most relevant first",)
METRICS: dict[str, tuple[str, Callable[[Case, Any], Both]]] = {
    "pointing": ("PointingGame", pointing),
    "energy": ("RelevanceMassAccuracy", energy),
    "deletion": ("PixelFlipping", deleted),
    "ROAD, most relevant first": ("ROAD", kept_by_road),
    "max-sensitivity": ("MaxSensitivity", sensitivity),
    "cascading randomization": ("MPRT, top_down", ranks("top_down", randomize_cascading)),
    "independent randomization": ("MPRT, independent", ranks("independent", randomize_independently)),
}


def compare(count: int) -> list[dict]:
    """One row per metric: the largest difference over all cases."""
    import quantus  # noqa: PLC0415 (compared with, never needed)  # pyright: ignore[reportMissingImports]

    rows = []
    for name, (theirs, metric) in METRICS.items():
        worst = 0.0
        for seed in range(count):
            case = Case.of(seed, channels=1 if name in GRAY else 3)
            one, other = (np.asarray(value, float).ravel() for value in metric(case, quantus))
            worst = max(worst, float(np.abs(one - other).max()))
        rows.append({"metric": name, "quantus": theirs, "cases": count, "largest_difference": worst})
    return [{**row, "version": quantus.__version__} for row in rows]


def markdown(rows: list[dict]) -> str:
    """The table of the docs."""
    lines = ["| metric | in Quantus | largest difference |", "|---|---|---|"]
    lines += [f"| {row['metric']} | `{row['quantus']}` | {row['largest_difference']:.0e} |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    """Compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--cases", type=int, default=12)
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = compare(options.cases)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print(markdown(rows))


if __name__ == "__main__":
    main()
