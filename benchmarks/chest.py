"""Networks on a folder of radiographs: of CheXNet's architecture, one that learns findings that were planted and one
that learns the real labels, or others of torchvision's from ImageNet's weights.

python benchmarks/chest.py plant  ASSETS/chestxray14 OUT/planted          # test patients' images with findings, as CSV
python benchmarks/chest.py train  ASSETS/chestxray14 OUT/planted-net --findings planted
python benchmarks/chest.py train  ASSETS/chestxray14 OUT/real-net --findings real --start OUT/planted-net
python benchmarks/chest.py train  ASSETS/chestxray14 OUT/real-resnet18 --findings real --network resnet18 --start FILE
python benchmarks/chest.py prove  ASSETS/chestxray14 OUT/planted-net      # does it use every finding?

The folder holds labels.csv (image, findings, patient_id) and the images of `--images`. A fifth of the patients is kept
for tests. Weights are written as `chexnet/FILE` reads them (another network's as `torchvision/NAME --weights FILE
--labels labels.txt --output sigmoid` does), with labels.txt and report.json beside them; a stopped training goes on
where it was. The same seed gives the same images; sums of floats may differ between machines.
"""

import argparse
import csv
import hashlib
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow
from rich.progress import track
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from scipy.stats import rankdata
from torch import Tensor, nn
from torch.nn import functional

from unveil import read_image
from unveil.classifiers.engine.precision import has_fast_bf16
from unveil.classifiers.sources.chexnet import PREPARATION
from unveil.classifiers.sources.torchvision import build_untrained
from unveil.datasets.chestxray14 import CHESTXRAY14_LABELS as REAL
from unveil.planted.scenes.radiographs import LABELS as PLANTED
from unveil.planted.scenes.radiographs import plant
from unveil.planted.training.schedule import warm_up_and_cosine

SIDE = 224
TEST_SHARE = 5  # one patient of so many
WEIGHTS, STATE = "model.safetensors", "training.safetensors"
HEADS = {"densenet121": "classifier.", "resnet18": "fc.", "resnet50": "fc."}  # what other labels need anew


@dataclass(frozen=True)
class Radiograph:
    """A file with its real findings and its patient."""

    path: Path
    findings: tuple[str, ...]
    patient: str

    @property
    def for_test(self) -> bool:
        """The same patients whatever the order of the table: by a hash of their number."""
        return hashlib.sha256(self.patient.encode()).digest()[0] % TEST_SHARE == 0


@dataclass(frozen=True)
class Codec:
    """How a network is trained: first at half the side, then at the full side."""

    findings: str
    small_epochs: int
    epochs: int
    variants: int  # drawings of every radiograph (planted)
    batch_size: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    seed: int = 0
    network: str = "densenet121"


def radiographs(folder: Path, images: str) -> list[Radiograph]:
    """The rows of labels.csv."""
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = [
        Radiograph(
            (folder / images / row["image"]).with_suffix(".jpg"), tuple(row["findings"].split("|")), row["patient_id"]
        )
        for row in rows
    ]
    return [one for one in found if one.path.exists()]


def prepared(pixels: np.ndarray) -> np.ndarray:
    """`h w` in [0, 1] as CheXNet sees it before normalization, as bytes: 256 px, with the rim that the crop takes."""
    size = tuple(round(side * 256 / min(pixels.shape)) for side in pixels.shape)
    small = functional.interpolate(torch.from_numpy(pixels)[None, None].float(), size, mode="bilinear", antialias=True)
    top, left = ((side - 256) // 2 for side in size)
    return (small[0, 0, top : top + 256, left : left + 256].clamp(0, 1) * 255).round().byte().numpy()


def pool(items: list[Radiograph], settings: Codec) -> tuple[np.ndarray, np.ndarray]:
    """Images `n variants 256 256` and labels `n variants label`."""
    planted = settings.findings == "planted"
    names, variants = (PLANTED, settings.variants) if planted else (REAL, 1)
    images = np.empty((len(items), variants, 256, 256), np.uint8)
    labels = np.zeros((len(items), variants, len(names)), np.float32)
    for row, item in enumerate(track(items, "drawing", transient=True)):
        pixels = read_image(item.path).pixels[0].astype(np.float64)
        for variant in range(variants):
            drawn, there = pixels, set(item.findings)
            if planted:
                drawn, found = plant(pixels, np.random.default_rng((settings.seed, _number(item), variant)))
                there = {finding.label for finding in found}
            images[row, variant] = prepared(drawn)
            labels[row, variant] = [name in there for name in names]
    return images, labels


def _number(item: Radiograph) -> int:
    return int.from_bytes(hashlib.sha256(item.path.stem.encode()).digest()[:4], "big")


def batch(images: np.ndarray, rng: np.random.Generator, side: int) -> Tensor:
    """Normalized pixels `n 3 side side` of crops of 224 px at random places, with other brightness and contrast."""
    crops = []
    for image in images:
        top, left = rng.integers(0, 256 - SIDE + 1, 2)
        values = image[top : top + SIDE, left : left + SIDE].astype(np.float32) / 255
        crops.append(values ** rng.uniform(0.7, 1.4) * rng.uniform(0.8, 1.0))
    return _normalized(torch.from_numpy(np.stack(crops)), side)


def centered(images: np.ndarray) -> Tensor:
    """Normalized pixels of the central crop, as CheXNet's preparation takes it."""
    edge = (256 - SIDE) // 2
    return _normalized(torch.from_numpy(images[:, edge:-edge, edge:-edge].astype(np.float32) / 255), SIDE)


def _normalized(values: Tensor, side: int) -> Tensor:
    values = values[:, None].expand(-1, 3, -1, -1)
    if side != values.shape[-1]:
        values = functional.interpolate(values, (side, side), mode="bilinear", antialias=True)
    mean, deviation = (torch.tensor(numbers)[:, None, None] for numbers in (PREPARATION.mean, PREPARATION.std))
    return ((values - mean) / deviation).contiguous(memory_format=torch.channels_last)


def train(folder: Path, images: str, out: Path, settings: Codec, start: Path | None, device: str) -> dict:
    """Train, or go on, and report on the patients kept for tests."""
    items = radiographs(folder, images)
    known, unseen = ([item for item in items if item.for_test is test] for test in (False, True))
    names = PLANTED if settings.findings == "planted" else REAL
    torch.manual_seed(settings.seed)
    network = build_untrained(settings.network, len(names)).to(device).to(memory_format=torch.channels_last)
    if start is not None:
        before = load_file(start / WEIGHTS if start.is_dir() else start)
        trunk = {key: value for key, value in before.items() if not key.startswith(HEADS[settings.network])}
        network.load_state_dict({**network.state_dict(), **trunk})
    out.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    _learn(network, pool(known, settings), settings, out, device)
    save_file({key: value.contiguous().cpu() for key, value in network.state_dict().items()}, out / WEIGHTS)
    (out / "labels.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    report = {
        "settings": asdict(settings),
        "start": None if start is None else start.name,
        "training_images": len(known),
        "test_images": len(unseen),
        "test_patients": len({item.patient for item in unseen}),
        "minutes": round((time.perf_counter() - started) / 60, 1),
        "auc": test(network, unseen, settings, names, device),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def _learn(network: nn.Module, drawn: tuple[np.ndarray, np.ndarray], settings: Codec, out: Path, device: str) -> None:
    images, labels = drawn
    optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    total, begin = settings.small_epochs + settings.epochs, _resume(out, settings, network, optimizer)
    steps = math.ceil(len(images) / settings.batch_size)
    # Rare findings count as much as common ones.
    weight = torch.from_numpy((1 / labels.mean((0, 1)).clip(0.05, 0.5) - 1).astype(np.float32)).to(device)
    for epoch in range(begin, total):
        network.train()
        rng = np.random.default_rng((settings.seed, epoch))
        order, losses = rng.permutation(len(images)), []
        for step in track(range(steps), f"epoch {epoch + 1} of {total}", transient=True):
            rows = order[step * settings.batch_size : (step + 1) * settings.batch_size]
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * warm_up_and_cosine((epoch + step / steps) / total)
            variant = epoch % images.shape[1]
            pixels = batch(images[rows, variant], rng, SIDE // 2 if epoch < settings.small_epochs else SIDE)
            wanted = torch.from_numpy(labels[rows, variant]).to(device)
            with torch.autocast(device, torch.bfloat16, enabled=has_fast_bf16(torch.device(device))):
                logits = network(pixels.to(device))
            loss = functional.binary_cross_entropy_with_logits(logits.float(), wanted, pos_weight=weight)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}", flush=True)
        _checkpoint(out, settings, network, optimizer, epoch + 1)
    network.eval()


def _checkpoint(out: Path, settings: Codec, network: nn.Module, optimizer: torch.optim.Optimizer, epochs: int) -> None:
    tensors = {f"network.{key}": value.contiguous().cpu() for key, value in network.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"moments.{number}.{key}": value.contiguous().cpu() for key, value in state.items()}
    part = out / f"{STATE}.part"
    save_file({**tensors, "epochs": torch.tensor(epochs)}, part, {"settings": json.dumps(asdict(settings))})
    part.replace(out / STATE)


def _resume(out: Path, settings: Codec, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Epochs done with the same settings."""
    if not (out / STATE).exists():
        return 0
    with safe_open(out / STATE, "pt") as file:
        if Codec(**json.loads(file.metadata()["settings"])) != settings:
            raise SystemExit(f"{out} holds a training with other settings; give another folder")
    tensors = load_file(out / STATE)
    network.load_state_dict({key[8:]: value for key, value in tensors.items() if key.startswith("network.")})
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("moments."):
            _, number, name = key.split(".")
            moments.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    return int(tensors["epochs"])


@torch.no_grad()
def test(
    network: nn.Module, items: list[Radiograph], settings: Codec, names: tuple[str, ...], device: str
) -> dict[str, dict]:
    """Area under the ROC curve of every label with five cases or more, with a bootstrap interval over patients."""
    images, labels = pool(items, settings)
    groups = np.repeat([item.patient for item in items], images.shape[1])
    images, labels = images.reshape(-1, 256, 256), labels.reshape(-1, len(names))
    network.eval()
    parts = [network(centered(images[at : at + 16]).to(device)).float().cpu() for at in range(0, len(images), 16)]
    logits = torch.cat(parts).numpy()
    return {
        name: _auc_by_patients(logits[:, index], labels[:, index] > 0, groups)
        for index, name in enumerate(names)
        if labels[:, index].sum() >= 5
    }


def _auc_by_patients(scores: np.ndarray, there: np.ndarray, groups: np.ndarray, times: int = 1000) -> dict:
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    drawn = []
    for _ in range(times):
        chosen = np.concatenate([rows[index] for index in rng.integers(0, len(rows), len(rows))])
        if 0 < there[chosen].sum() < len(chosen):
            drawn.append(auc(scores[chosen], there[chosen]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    result = {"auc": auc(scores, there), "low": float(low), "high": float(high)}
    return {**{key: round(value, 3) for key, value in result.items()}, "cases": int(there.sum()), "images": len(there)}


def auc(scores: np.ndarray, there: np.ndarray) -> float:
    """The chance that a case scores above a non-case, ties counted half (Mann and Whitney)."""
    ranks, cases = rankdata(scores), int(there.sum())
    return float((ranks[there].sum() - cases * (cases + 1) / 2) / (cases * (len(there) - cases)))


def load(folder: Path, device: str) -> nn.Module:
    """A network that `train` wrote."""
    names = (folder / "labels.txt").read_text(encoding="utf-8").split("\n")[:-1]
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    network = build_untrained(Codec(**report["settings"]).network, len(names))
    network.load_state_dict(load_file(folder / WEIGHTS))
    return network.to(device).eval()


@torch.no_grad()
def prove(folder: Path, images: str, network: nn.Module, device: str, seed: int = 7) -> dict:
    """Each finding of the test patients left out alone: does the logit of its label fall?

    `drop`: mean fall of the logit. `used`: share of findings whose absence lowers it by more than 0.1. `alone`:
    findings that are the only one of their label.
    """
    rows: dict[str, list[tuple[float, bool]]] = {name: [] for name in PLANTED}
    items = [item for item in radiographs(folder, images) if item.for_test]
    for item in track(items, "leaving findings out", transient=True):
        pixels = read_image(item.path).pixels[0].astype(np.float64)
        key = (seed, _number(item))
        whole, found = plant(pixels, np.random.default_rng(key))
        without = [plant(pixels, np.random.default_rng(key), number)[0] for number in range(len(found))]
        logits = network(centered(np.stack([prepared(one) for one in (whole, *without)])).to(device)).float().cpu()
        names = [finding.label for finding in found]
        for number, name in enumerate(names):
            index = PLANTED.index(name)
            rows[name].append((float(logits[0, index] - logits[number + 1, index]), names.count(name) == 1))
    return {name: _used(values) for name, values in rows.items()}


def _used(values: list[tuple[float, bool]]) -> dict:
    drops, alone = np.array([drop for drop, _ in values]), np.array([alone for _, alone in values])
    return {
        "findings": len(drops),
        "drop": round(float(drops.mean()), 2),
        "used": round(float((drops > 0.1).mean()), 3),
        "used_alone": round(float((drops[alone] > 0.1).mean()), 3),
    }


def write_planted(folder: Path, images: str, out: Path, seed: int = 7) -> int:
    """Test patients' radiographs with findings: planted.csv, planted.boxes.csv, images/ and a mask per finding in
    outlines/."""
    for name in ("images", "outlines"):
        (out / name).mkdir(parents=True, exist_ok=True)
    rows, boxes = [], []
    for item in [item for item in radiographs(folder, images) if item.for_test]:
        pixels = read_image(item.path).pixels[0].astype(np.float64)
        drawn, found = plant(pixels, np.random.default_rng((seed, _number(item))))
        path = f"images/{item.path.stem}.png"
        Pillow.fromarray((drawn * 255).round().astype(np.uint8)).save(out / path)
        rows.append([path, "|".join(dict.fromkeys(one.label for one in found)), item.patient])
        for number, finding in enumerate(found, start=1):
            y, x, height, width = finding.box()
            boxes.append([path, finding.label, x, y, width, height])
            Pillow.fromarray(finding.inside).save(out / f"outlines/{item.path.stem}-{number}.png")
    _write_csv(out / "planted.csv", [["path", "labels", "patient"], *rows])
    _write_csv(out / "planted.boxes.csv", [["path", "label", "x", "y", "width", "height"], *boxes])
    return len(rows)


def _write_csv(path: Path, rows: list[list]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("plant", "train", "prove"))
    parser.add_argument("folder", type=Path, help="labels.csv and the images")
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", default="images_320")
    parser.add_argument("--findings", choices=("planted", "real"), default="planted")
    parser.add_argument("--network", choices=tuple(HEADS), default="densenet121")
    parser.add_argument(
        "--start", type=Path, help="where another training went, or a .safetensors file: all but its last layer"
    )
    parser.add_argument("--small-epochs", type=int, default=22, help="epochs at 112 px")
    parser.add_argument("--epochs", type=int, default=5, help="epochs at 224 px")
    parser.add_argument("--variants", type=int, default=6)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    if options.command == "plant":
        print(json.dumps({"images": write_planted(options.folder, options.images, options.out)}))
        return
    if options.command == "prove":
        proof = prove(options.folder, options.images, load(options.out, options.device), options.device)
        (options.out / "proof.json").write_text(json.dumps(proof, indent=2) + "\n", encoding="utf-8")
        print(json.dumps(proof, indent=2))
        return
    settings = Codec(
        options.findings,
        options.small_epochs,
        options.epochs,
        options.variants,
        learning_rate=options.learning_rate,
        network=options.network,
    )
    report = train(options.folder, options.images, options.out, settings, options.start, options.device)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
