"""Training of the demo's network, reproducible on one machine; interrupted runs continue from their last checkpoint."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from unveil.atomic import written_atomically
from unveil.planted.networks.demo import PlantedNet, Pooling, build_network, logits_of
from unveil.planted.training.pool import Pool, batch, draw_pool
from unveil.planted.training.schedule import warm_up_and_cosine

TRAINING_SEEDS = 1_000_000  # first seed of the training scenes; lower seeds are for proofs, tests and the demo


@dataclass(frozen=True)
class DemoSettings:
    """Settings of the training; the defaults are those of the network that ships with `unveil`.

    Attributes:
        scenes: The number of training scenes.
        epochs: The number of passes over the scenes.
        batch_size: Scenes per step.
        learning_rate: The largest learning rate of AdamW.
        weight_decay: The weight decay of AdamW.
        seed: The seed of weights and batches.
        pooling: How evidence maps become logits.
        bf16: Whether the network runs in bf16 during training.
    """

    scenes: int = 24_000
    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    seed: int = 0
    pooling: Pooling = "max"
    bf16: bool = True


OnProgress = Callable[[str, int, int, str], None]  # what, done, total, a remark


def train(
    settings: DemoSettings,
    folder: Path,
    workers: int,
    on_progress: OnProgress = lambda what, done, total, text: None,
) -> PlantedNet:
    """Train, or continue training; `folder` has the checkpoint of the last epoch.

    The loss is the binary cross entropy of each label. Scenes are drawn by several `workers`, and `on_progress` is
    called with the step, the number done, their total and a remark.
    """
    torch.manual_seed(settings.seed)
    network = build_network(settings.pooling).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    begin = _resume(folder, settings, network, optimizer)
    if begin < settings.epochs:
        drawn = [0]

        def report(count: int) -> None:
            drawn[0] += count
            on_progress("drawing scenes", drawn[0], settings.scenes, "")

        pool = draw_pool(TRAINING_SEEDS, settings.scenes, workers, report)
        for epoch in range(begin, settings.epochs):
            _epoch(settings, network, optimizer, pool, epoch, on_progress)
            _checkpoint(folder, settings, network, optimizer, epoch + 1)
    return network.eval()


def _epoch(
    settings: DemoSettings,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    pool: Pool,
    epoch: int,
    on_progress: OnProgress,
) -> None:
    network.train()
    rng = np.random.default_rng((settings.seed, epoch))
    rows = rng.permutation(settings.scenes)
    steps = settings.scenes // settings.batch_size
    running = 0.0
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * warm_up_and_cosine(
                (epoch * steps + step) / (settings.epochs * steps)
            )
        chosen = np.sort(rows[step * settings.batch_size : (step + 1) * settings.batch_size])
        pixels, labels = batch(pool, chosen, rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bf16):
            logits = logits_of(network, pixels.contiguous(memory_format=torch.channels_last))
        loss = functional.binary_cross_entropy_with_logits(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        running = float(loss.detach()) if step == 0 else 0.98 * running + 0.02 * float(loss.detach())
        on_progress("training", epoch * steps + step + 1, settings.epochs * steps, f"loss {running:.4f}")


def _checkpoint(
    folder: Path, settings: DemoSettings, network: nn.Module, optimizer: torch.optim.Optimizer, epochs: int
) -> None:
    """Weights and moments as safetensors; the file that names them is replaced last, in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"network.{name}": value.contiguous() for name, value in network.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"moments.{number}.{name}": value.contiguous() for name, value in state.items()}
    name = f"epoch-{epochs}.safetensors"
    save_file(tensors, folder / name)
    with written_atomically(folder / "checkpoint.json", "a checkpoint") as part:
        part.write_text(json.dumps({"epochs": epochs, "file": name, "settings": asdict(settings)}), encoding="utf-8")
    for old in folder.glob("epoch-*.safetensors"):
        if old.name != name:
            old.unlink()


def _resume(folder: Path, settings: DemoSettings, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Load the checkpoint of the same settings, if there is one; returns the number of epochs done."""
    manifest = folder / "checkpoint.json"
    if not manifest.exists():
        return 0
    stored = json.loads(manifest.read_text(encoding="utf-8"))
    if stored["settings"] != asdict(settings):
        return 0
    tensors = load_file(folder / f"epoch-{int(stored['epochs'])}.safetensors")
    network.load_state_dict(
        {name.removeprefix("network."): value for name, value in tensors.items() if name.startswith("network.")}
    )
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("moments."):
            _, number, kind = name.split(".")
            moments.setdefault(int(number), {})[kind] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    return int(stored["epochs"])
