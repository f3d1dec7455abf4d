"""The stability of patterns, and the maps they give: halves of the images against each other, and a sheet of maps.

python benchmarks/patterns.py IMAGES… --model torchvision/resnet18 --weights FILE --json
python benchmarks/patterns.py IMAGES… --model torchvision/resnet18 --weights FILE --picture patterns.jpg
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from unveil import TorchClassifier, load_classifier, read_image
from unveil.attribution import AttributionRequest, Gradient, GuidedBackprop, PatternAttribution, PatternNet
from unveil.patterns import Estimation
from unveil.render import draw_grid
from unveil.saliency import L2
from unveil.targets import TargetScore


def estimate(classifier: TorchClassifier, paths: Sequence[Path]) -> Estimation:
    """The sums of all images."""
    estimation = Estimation(classifier)
    for path in track(paths, "images", console=Console(stderr=True), transient=True):
        estimation.add(classifier.prepare(read_image(path)).pixels[None])
    return estimation


def stability(classifier: TorchClassifier, paths: Sequence[Path]) -> dict:
    """Mean cosine, layer by layer, between patterns of the even and of the odd images; units active in both halves."""
    even, odd = (estimate(classifier, part).patterns() for part in (paths[::2], paths[1::2]))
    cosines = even.cosine(odd)
    values = np.array([value for value in cosines.values() if np.isfinite(value)])
    return {
        "model": classifier.name,
        "images_per_half": [even.images, odd.images],
        "layers": len(cosines),
        "mean": round(float(values.mean()), 4),
        "lowest": round(float(values.min()), 4),
        "first": {name: round(value, 4) for name, value in list(cosines.items())[:3]},
        "last": {name: round(value, 4) for name, value in list(cosines.items())[-3:]},
    }


def picture(classifier: TorchClassifier, paths: Sequence[Path], path: Path, of: Sequence[str]) -> None:
    """A row an image, a column a method; estimated on all images, drawn for some of them."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(estimate(classifier, paths).patterns().save(Path(folder) / "patterns.safetensors"))
        methods = (Gradient(), GuidedBackprop(), PatternNet(file), PatternAttribution(file))
        rows = []
        for one in (next(path for path in paths if name in path.name) for name in of):
            pixels = classifier.prepare(read_image(one)).pixels
            top = classifier.predict(pixels[None])[0].leading(1)[0]
            question = AttributionRequest(classifier, pixels, [TargetScore("top", ((top, 1.0),))], "", 1)
            maps = [L2().saliency(method.attribute(question).all)[0] for method in methods]
            rows.append((classifier.labels[top], (pixels * 255).byte().numpy(), maps))
        figure = draw_grid(rows, ["image", *(type(method).__name__ for method in methods)])
        figure.savefig(path, dpi=130, pil_kwargs={"quality": 82})


def _found(patterns: Sequence[Path]) -> Iterator[Path]:
    for path in patterns:
        yield from sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]


def main() -> None:
    """Parse, estimate, print or draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", type=Path, help="image files, or folders of them")
    parser.add_argument("--model", default="torchvision/resnet18")
    parser.add_argument("--weights", help="as for unveil run; none for random ones")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--of", nargs="+", default=(), help="parts of the names of the images to draw")
    options = parser.parse_args()
    torch.manual_seed(0)
    classifier = load_classifier(options.model, options.weights)
    if not isinstance(classifier, TorchClassifier):
        raise SystemExit("expected a PyTorch model")
    paths = list(_found(options.images))
    if options.picture:
        picture(classifier, paths, options.picture, options.of)
        return
    result = stability(classifier, paths)
    print(json.dumps(result, indent=2) if options.json else result)


if __name__ == "__main__":
    main()
