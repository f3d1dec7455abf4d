"""How long the default takes on photographs, beside one map of what people use today.

    python benchmarks/default_speed.py IMAGES --weights FILE --labels FILE --json

Per photograph, in turns: `find_regions` with trust cards, one map of Captum's SmoothGrad (50 samples in batches of 8,
over Saliency) of the label that is predicted, and `find_regions` without cards.

`ratio` and `search_ratio` are the times of the first and the third as a share of the second. `cpu_ratio` is the first
of them from the processor time of this process, which depends less on what else the machine does.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torchvision
from captum.attr import NoiseTunnel, Saliency
from measuring import machine
from safetensors.torch import load_file
from torch import Tensor

from unveil import Classifier, find_regions, load_classifier, read_image

SAMPLES, BATCH, STDEV = 50, 8, 0.2


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall time and processor time of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def captum_map(network: str, weights: Path) -> Callable[[Tensor, int], object]:
    """Captum's SmoothGrad map of a label, of the same network as it is loaded by hand."""
    module = torchvision.models.get_model(network, weights=None)
    module.load_state_dict(load_file(weights))
    tunnel = NoiseTunnel(Saliency(module.eval()))

    def attribute(inputs: Tensor, label: int) -> object:
        return tunnel.attribute(
            inputs, nt_type="smoothgrad", nt_samples=SAMPLES, nt_samples_batch_size=BATCH, stdevs=STDEV, target=label
        )

    return attribute


def measured(path: Path, classifier: Classifier, attribute: Callable[[Tensor, int], object]) -> dict:
    """The times of one photograph."""
    image = read_image(path)
    pixels = classifier.prepare(image).pixels[None]
    label = int(classifier.predict(pixels)[0].leading(1)[0])
    inputs = classifier.preprocessing.normalize(pixels)
    run = find_regions(image, classifier)
    whole, processor = seconds(lambda: find_regions(image, classifier))
    captum, captum_processor = seconds(lambda: attribute(inputs, label))
    search, _ = seconds(lambda: find_regions(image, classifier, trust=False))
    return {
        "image": path.name,
        "rounds": len(run.rounds),
        "regions": len(run.regions),
        "seconds": round(whole, 2),
        "captum_seconds": round(captum, 2),
        "ratio": round(whole / captum, 3),
        "search_ratio": round(search / captum, 3),
        "cpu_ratio": round(processor / captum_processor, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--network", default="resnet50", help="an architecture of torchvision")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--labels")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    classifier = load_classifier(f"torchvision/{options.network}", options.weights, labels=options.labels)
    attribute = captum_map(options.network, options.weights)
    rows = []
    for path in options.images:
        rows.append(measured(path, classifier, attribute))
        if not options.json:
            print(rows[-1], flush=True)
    ratios = ("ratio", "search_ratio", "cpu_ratio")
    result = {
        "network": options.network,
        "images": len(rows),
        "median": {name: round(median(row[name] for row in rows), 3) for name in ratios},
        "largest": {name: max(row[name] for row in rows) for name in ratios},
        "rows": rows,
        **machine(),
    }
    print(json.dumps(result, indent=1) if options.json else result["median"])


if __name__ == "__main__":
    main()
