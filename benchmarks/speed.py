"""Whole runs of five rounds against what people do today, at equal quality, in one process.

    python benchmarks/speed.py --json                                    # every model
    python benchmarks/speed.py --model resnet50 --weights FOLDER --images a.jpg b.jpg --json
    python benchmarks/speed.py --quick                                   # two rounds of ResNet-18, a minute or two

The reference: Captum's NoiseTunnel, 50 samples, batches of 8, over GuidedBackprop or over Saliency with signs; length
over the channels, OpenCV's box filter of 11 x 11 three times with a threshold of 0.3 after each, mean fill. It is given
pixels in [0, 1] (the normalization is a layer), so that its noise is ours. What is compared are the same rounds by the
recipe `fast` of this file. Quality: the IoU of the round's region with that of 400 samples in fp32 without any of our
shortcuts, both for the same image with the same pixels erased.

Ours and the reference take turns; times are medians. `share_of_peak`: floating-point operations of the gradients (2 a
multiplication with its addition, forward and backward), counted by PyTorch for the unfolded network, by the time that
they take, by those of a product of two 2048 x 2048 matrices in the same digits, measured before and after, by the
faster of two libraries.
"""

import argparse
import json
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median, stdev

import cv2
import numpy as np
import torch
import torchvision
from captum.attr import GuidedBackprop as CaptumGuided
from captum.attr import NoiseTunnel, Saliency
from jaxtyping import Bool
from measuring import high_water_mib, machine, peak, timed
from rich.console import Console
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import unveil
from unveil import Image, TorchClassifier, read_image
from unveil.attribution import AttributionRequest, Gradient, GuidedBackprop, SmoothGrad
from unveil.classifiers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from unveil.context import RunContext
from unveil.masks import iou, union
from unveil.planted import draw_scene
from unveil.recipes import Recipe, paper
from unveil.saliency import ShrunkL2
from unveil.stopping import MaxRounds
from unveil.targets import Class, TargetScore

MODELS = {
    "resnet18": ("guided", "gradient"),
    "resnet50": ("guided", "gradient"),
    "densenet121": ("guided", "gradient"),
    "vgg16": ("guided",),
    "vit_b_32": ("gradient",),
}
RULES = {"guided": GuidedBackprop(), "gradient": Gradient()}
PREPARATION = Preprocessing((224, 224), IMAGENET_MEAN, IMAGENET_STD, 256)
THEIR_SAMPLES, TRUE_SAMPLES, BATCH = 50, 400, 8
SHARPER = 2  # random weights of attention, times this
OUR_SAMPLES = {"guided": 24, "gradient": 24}  # worth 50 of theirs: docs/speed.md

Region = Bool[np.ndarray, "h w"]


def fast(rule: str, rounds: int, samples: int | None = None) -> Recipe:
    """The paper's recipe with fewer samples, in antithetic pairs, and less of their noise."""
    return replace(
        paper(),
        name="fast",
        attribution=SmoothGrad(RULES[rule], samples=samples or OUR_SAMPLES[rule], antithetic=True),
        magnitude=ShrunkL2(),
        stop=MaxRounds(rounds),
    )


def slow(rule: str) -> Recipe:
    """The truth: the paper's recipe with many samples."""
    return replace(paper(), name="truth", attribution=SmoothGrad(RULES[rule], samples=TRUE_SAMPLES))


@dataclass(frozen=True, eq=False)
class Setup:
    """A network as both sides are given it, and the images."""

    name: str
    module: nn.Module
    images: tuple[Image, ...]

    def classifier(self, precision: str) -> TorchClassifier:
        """As a user has it after loading."""
        return TorchClassifier(self.module, PREPARATION, name=self.name, precision=precision)


class Reference:
    """What people do today. The loop is theirs to write; here it is."""

    def __init__(self, setup: Setup, rule: str) -> None:
        self.network = nn.Sequential(torchvision.transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD), setup.module)
        self.method = CaptumGuided(self.network) if rule == "guided" else Saliency(self.network)
        self.options = {} if rule == "guided" else {"abs": False}

    def region(self, pixels: Tensor, label: int, erased: Region, seed: int, samples: int = THEIR_SAMPLES) -> Region:
        """One round: noise, gradients, length, boxes, thresholds."""
        torch.manual_seed(seed)
        shown = torch.where(torch.from_numpy(erased), torch.tensor(IMAGENET_MEAN)[:, None, None], pixels)[None]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            signed = NoiseTunnel(self.method).attribute(
                shown.requires_grad_(),
                nt_samples=samples,
                nt_samples_batch_size=BATCH,
                stdevs=0.15 * float(pixels.max() - pixels.min()),
                target=label,
                **self.options,  # type: ignore[arg-type]
            )
        values = torch.as_tensor(signed[0]).square().sum(0).sqrt().detach().numpy()
        values[erased] = 0
        for _ in range(3):
            values = cv2.boxFilter(values, -1, (11, 11), borderType=cv2.BORDER_CONSTANT)
            values[erased] = 0
            values[values < 0.3 * values.max()] = 0
        return values > 0

    def run(self, pixels: Tensor, label: int, rounds: int) -> list[Region]:
        """All rounds, with a new prediction after each."""
        erased, found = np.zeros(tuple(pixels.shape[1:]), dtype=bool), []
        for index in range(rounds):
            found.append(self.region(pixels, label, erased, index))
            erased = erased | found[-1]
            shown = torch.where(torch.from_numpy(erased), torch.tensor(IMAGENET_MEAN)[:, None, None], pixels)
            with torch.no_grad():
                self.network(shown[None])
        return found


def our_region(search: RunContext, label: int, erased: Region, seed: int) -> Region:
    """One round of ours, with noise of its own."""
    target_scores = (TargetScore("label", ((label, 1.0),)),)
    question = AttributionRequest(
        search.classifier,
        search.masked.render(search.masked.view(erased)),
        target_scores,
        f"{seed}/{search.stream}",
        search.batch_size,
    )
    (found,) = search.recipe.magnitude.saliency(search.recipe.attribution.attribute(question).all)
    return union(search.recipe.selector.select(found.astype(np.float32), erased).regions, erased.shape)


def compare(setup: Setup, rule: str, options: argparse.Namespace) -> dict:
    """A row without its quality: times in turns, memory, arithmetic."""
    ours, reference = setup.classifier("auto"), Reference(setup, rule)
    image = setup.images[0]
    pixels = ours.prepare(image).pixels
    label = int(ours.predict(pixels[None])[0].leading(1)[0])
    recipe = fast(rule, options.rounds)
    start_s = timed(ours.for_averaging)
    our_runs, their_runs = [], []
    for _ in range(options.repeats):
        our_runs.append(timed(lambda: whole_run(image, ours, recipe, label)))
        their_runs.append(timed(lambda: reference.run(pixels, label, options.rounds)))
    rate = arithmetic(ours, pixels, rule)
    their_rate = captum_rate(reference, pixels, label)
    return {
        "model": setup.name,
        "rule": rule,
        "rounds": options.rounds,
        "ours_s": round(median(our_runs), 2),
        "reference_s": round(median(their_runs), 2),
        "ratio": round(median(their_runs) / median(our_runs), 2),
        "samples": recipe.attribution.samples,  # type: ignore[attr-defined]
        "reference_samples": THEIR_SAMPLES,
        "peak_mib": peak_mib("ours", setup.name, rule, options),
        "reference_peak_mib": peak_mib("reference", setup.name, rule, options),
        **rate,
        "reference_ms_per_sample": round(1e3 * their_rate, 1),
        "start_s": round(start_s, 2),
        "form": ours.averaging_precision,
        "weights": "random" if weights_file(setup.name, options.weights) is None else "trained",
        "all_ours_s": [round(one, 2) for one in our_runs],
        "all_reference_s": [round(one, 2) for one in their_runs],
    }


def whole_run(image: Image, classifier: TorchClassifier, recipe: Recipe, label: int) -> None:
    """Ours, with as many rounds as the reference does; fewer would be a false comparison."""
    run = unveil.find_regions(image, classifier, recipe, target=Class(label), trust=False)
    if MaxRounds(len(run.rounds)) != recipe.stop:
        raise SystemExit(f"{classifier.name} stopped early, {run.stop.text}: give images on which it goes on")


def quality(setup: Setup, rule: str, options: argparse.Namespace) -> dict:
    """How close the regions of both come to the truth: the mean IoU, and the difference's standard error over images
    (their seeds and rounds averaged)."""
    sides = setup.classifier("auto"), setup.classifier("fp32"), Reference(setup, rule)
    by_image = [list(_of_image(image, rule, *sides, options)) for image in setup.images[: options.true_images]]
    ours, reference = (mean(pair[side] for pairs in by_image for pair in pairs) for side in (0, 1))
    ahead = [mean(one - other for one, other in pairs) for pairs in by_image]
    return {
        "ours_iou": round(ours, 3),
        "reference_iou": round(reference, 3),
        "iou_ahead_se": round(stdev(ahead) / len(ahead) ** 0.5, 3) if len(ahead) > 1 else None,
        "images_compared": len(by_image),
        "regions_compared": sum(map(len, by_image)),
    }


def _of_image(
    image: Image,
    rule: str,
    ours: TorchClassifier,
    exact: TorchClassifier,
    reference: Reference,
    options: argparse.Namespace,
) -> Iterator[tuple[float, float]]:
    """IoU with the truth of our region and of the reference's, with the same pixels erased: those of the truth."""
    search = RunContext.create(image, ours, fast(rule, 1), 0, BATCH)
    truth = RunContext.create(image, exact, slow(rule), 1, BATCH)
    label = int(truth.first.leading(1)[0])
    erased = np.zeros(truth.grid, dtype=bool)
    for index in range(options.true_rounds):
        true = our_region(truth, label, erased, 1000 + index)
        for seed in range(options.seeds):
            number = 10 * index + seed
            found = our_region(search, label, erased, number)
            theirs = reference.region(truth.prepared.pixels, label, erased, number)
            yield iou(found, true), iou(theirs, true)
        erased = erased | true


def arithmetic(classifier: TorchClassifier, pixels: Tensor, rule: str) -> dict:
    """Operations a second of the gradients, and their share of what a matrix product reaches."""
    target_scores = (TargetScore("label", ((0, 1.0),)),)
    with FlopCounterMode(display=False) as counter:
        inputs = pixels[None].clone().requires_grad_()
        logits = classifier.logits_by_layers(inputs)
        torch.autograd.grad(logits[:, 0].sum(), inputs)
    flops = counter.get_total_flops()
    question = AttributionRequest(classifier, pixels, target_scores, "speed", BATCH)
    smooth = SmoothGrad(RULES[rule], samples=3 * BATCH)
    digits = torch.bfloat16 if classifier.averaging_precision.startswith("bf16") else torch.float32
    before = peak(digits)
    seconds = min(timed(lambda: smooth.attribute(question)) for _ in range(3)) / (3 * BATCH)
    top = max(before, peak(digits))
    return {
        "gflop_per_sample": round(flops / 1e9, 2),
        "ms_per_sample": round(1e3 * seconds, 1),
        "gflop_per_s": round(flops / seconds / 1e9),
        "peak_gflop_per_s": round(top),
        "peak_in": str(digits).removeprefix("torch."),
        "share_of_peak": round(flops / seconds / 1e9 / top, 3),
    }


def captum_rate(reference: Reference, pixels: Tensor, label: int) -> float:
    """Seconds per sample of the reference's gradients."""
    erased = np.zeros(tuple(pixels.shape[1:]), dtype=bool)
    return min(timed(lambda: reference.region(pixels, label, erased, 0, BATCH)) for _ in range(2)) / BATCH


def peak_mib(side: str, model: str, rule: str, options: argparse.Namespace) -> int:
    """Largest resident memory of one round in a process of its own, less that of the libraries; the median of three."""
    call = [sys.executable, __file__, "--model", model, "--rule", rule, "--memory-of", side]
    call += ["--weights", str(options.weights)] if options.weights else []

    def once() -> int:
        done = subprocess.run(call, capture_output=True, text=True, check=True)  # noqa: S603 (this file itself)
        return int(done.stdout.strip().splitlines()[-1])

    return int(median(once() for _ in range(3)))


def memory_of(side: str, setup: Setup, rule: str) -> int:
    """What this process needs for one round beyond what importing took."""
    before = high_water_mib()
    name, image, module = setup.name, setup.images[0], setup.module
    if side == "ours":
        del setup  # as where unveil loads the network: nobody else holds it
        ours = TorchClassifier(module, PREPARATION, name=name, precision="auto", copied=False)
        del module
        unveil.find_regions(image, ours, fast(rule, 1), target=Class(0), trust=False)
    else:
        pixels = PREPARATION.apply(image)[0]
        Reference(setup, rule).run(pixels, 0, 1)
    return high_water_mib() - before


def weights_file(name: str, folder: Path | None) -> Path | None:
    """NAME_imagenet.safetensors or NAME.safetensors in the folder given."""
    if folder is None:
        return None
    files = (folder / f"{name}{ending}.safetensors" for ending in ("_imagenet", ""))
    return next((file for file in files if file.exists()), None)


def set_up(name: str, folder: Path | None, paths: Sequence[Path] = ()) -> Setup:
    """The network and the images; planted scenes where none are given."""
    torch.manual_seed(0)
    file = weights_file(name, folder)
    weights = {} if file is None else load_file(file)
    outputs = len(weights["classifier.weight"]) if "classifier.weight" in weights else 1000  # DenseNet's last layer
    module = getattr(torchvision.models, name)(weights=None, num_classes=outputs)
    if weights:
        module.load_state_dict(weights)
    else:
        wake(module)
    if paths:
        images = tuple(read_image(path) for path in paths)
    else:
        images = tuple(Image.from_array(draw_scene(seed).pixels.transpose(1, 2, 0)) for seed in range(2))
    return Setup(name, module.eval(), images)


def wake(module: nn.Module) -> None:
    """Random weights that a gradient passes through: torchvision's transformers start with a head of zeros, and with
    attention that looks at all places alike."""
    for parameter in module.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    for part in module.modules():
        if isinstance(part, nn.MultiheadAttention):
            part.in_proj_weight.data *= SHARPER


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=MODELS, action="append")
    parser.add_argument("--rule", choices=RULES, action="append")
    parser.add_argument("--weights", type=Path, help="folder with NAME.safetensors; random weights where there is none")
    parser.add_argument("--images", type=Path, nargs="+", help="default: two planted scenes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--true-images", type=int, help="images compared with the truth; default: all")
    parser.add_argument("--true-rounds", type=int, default=2, help="rounds whose regions are compared with the truth")
    parser.add_argument("--seeds", type=int, default=2, help="times that each of these is found")
    parser.add_argument("--times-only", action="store_true", help="without holding regions against the truth")
    parser.add_argument("--quick", action="store_true", help="two rounds of ResNet-18, once")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory-of", choices=("ours", "reference"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    names, rules = options.model or list(MODELS), options.rule or list(RULES)
    if options.quick:
        names, options.rounds, options.repeats, options.true_rounds = options.model or ["resnet18"], 2, 1, 1
    if options.memory_of:
        print(memory_of(options.memory_of, set_up(names[0], options.weights), rules[0]))
        return
    asked = [(name, rule) for name in names for rule in MODELS[name] if rule in rules]
    rows, console = [], Console(stderr=True)
    # All times first: they want a quiet machine, and closeness to the truth, which takes longer, doesn't.
    for name, rule in asked:
        rows.append(compare(set_up(name, options.weights, options.images or ()), rule, options))
        console.print(rows[-1])
    console.print("all times are taken")
    if not options.times_only:
        for row, (name, rule) in zip(rows, asked, strict=True):
            row.update(quality(set_up(name, options.weights, options.images or ()), rule, options))
            console.print(row)
    if options.json:
        print(json.dumps({"machine": machine(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
