"""Training of the benchmark's networks: first with the places of the cues, later with the labels of the image only."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unveil.planted.networks.architectures import Architecture, EvidenceNet, Head, build_evidence_net
from unveil.planted.networks.demo import normalized
from unveil.planted.training.schedule import warm_up_and_cosine
from unveil.planted.training.suite_pool import UNKNOWN, SuiteBatch, SuitePool, suite_batch

SPREAD = 32.0  # factor of the weights for an average head: one of hundreds of cells has to matter in the mean
NOTHING = -3.0  # initial logit of an average head where a label is absent
LARGEST_GRADIENT = 5.0


@dataclass(frozen=True)
class SuiteTraining:
    """Settings of the training of the benchmark's networks.

    Attributes:
        scenes: The number of training scenes.
        steps: The number of steps.
        batch_size: Scenes per step.
        learning_rate: The largest learning rate of AdamW for convolutional networks; a transformer's is half of it.
        weight_decay: The weight decay of AdamW.
        guided: During this first share of the steps, the loss also uses the cells of the cues, with decreasing weight;
            after that only the labels.
        seed: The seed of weights and batches.
        bf16: Whether the network runs in bf16 during training.
    """

    scenes: int = 24_000
    steps: int = 2400
    batch_size: int = 32
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    guided: float = 0.7
    seed: int = 0
    bf16: bool = True


FROM_NOTHING = SuiteTraining()
# Both heads are then trained separately from the trained trunk, with labels only.
FROM_TRUNK = SuiteTraining(steps=1500, learning_rate=2.5e-3, guided=0.0, seed=1)
Name = tuple[Architecture, Head]
OnStep = Callable[[int, int, str, Mapping[Name, EvidenceNet]], None]  # done, total, a remark, the networks so far


class _Trainee:
    """A network in training, with its optimizer."""

    def __init__(self, name: Name, settings: SuiteTraining, trunk: EvidenceNet | None) -> None:
        torch.manual_seed(settings.seed)
        architecture, head = name
        self.settings, self.network = settings, build_evidence_net(architecture, head)
        if trunk is not None:
            self.network.load_state_dict(trunk.state_dict())
        self.network.to(memory_format=torch.channels_last)
        self.rate = settings.learning_rate * (0.5 if architecture == "vit" else 1.0)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), self.rate, weight_decay=settings.weight_decay)
        self.network.train()
        self._to_spread = trunk is not None and head == "average"

    def learn(self, batch: SuiteBatch, done: float) -> float:
        """One step; `done` is the share of all steps already taken. Returns the loss."""
        if self._to_spread:
            _spread(self.network, batch)
            self._to_spread = False
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * warm_up_and_cosine(done)
        guided = self.settings.guided
        loss = self._loss(batch, max(0.0, 1 - done / guided) if guided else 0.0)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self.optimizer.step()
        return float(loss.detach())

    def _loss(self, batch: SuiteBatch, guidance: float) -> Tensor:
        """Binary cross entropy of the labels, plus that of the cells' labels times `guidance`."""
        pixels = normalized(batch.pixels).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bf16):
            maps = self.network.evidence_maps(pixels)
        maps = maps.float()
        loss = functional.binary_cross_entropy_with_logits(self.network.head(maps).flatten(1), batch.labels)
        if guidance:
            # A larger cell has a cue if one of the cells in it has.
            places = functional.max_pool2d(batch.places, batch.places.shape[-1] // maps.shape[-1])
            known = places != UNKNOWN
            cells = functional.binary_cross_entropy_with_logits(maps[known], places[known])
            loss = loss + 4 * guidance * cells
        return loss


def train_suite(
    trunks: Mapping[Name, EvidenceNet | None],
    settings: SuiteTraining,
    pool: SuitePool,
    on_step: OnStep = lambda done, total, remark, networks: None,
) -> dict[Name, EvidenceNet]:
    """Networks in evaluation mode, trained on the same batches, each from its trunk if it has one.

    The result for a network doesn't depend on the other networks trained in the same call.
    """
    trainees = {name: _Trainee(name, settings, trunk) for name, trunk in trunks.items()}
    networks = {name: trainee.network for name, trainee in trainees.items()}
    running = dict.fromkeys(trainees, math.nan)
    rng = np.random.default_rng(settings.seed)
    for step in range(settings.steps):
        rows = np.sort(rng.choice(settings.scenes, settings.batch_size, replace=False))
        batch = suite_batch(pool, rows, rng)
        for name, trainee in trainees.items():
            loss = trainee.learn(batch, step / settings.steps)
            running[name] = loss if step == 0 else 0.98 * running[name] + 0.02 * loss
        remark = "  ".join(f"{'-'.join(name)} {value:.4f}" for name, value in running.items())
        on_step(step + 1, settings.steps, remark, networks)
    return {name: network.eval() for name, network in networks.items()}


def _spread(network: EvidenceNet, batch: SuiteBatch) -> None:
    """Adapt evidence maps trained with a maximum to the mean: weights times `SPREAD`, and biases such that the mean is
    about `NOTHING` in images without the label."""
    bias = network.evidence.bias
    assert bias is not None  # noqa: S101 (a 1 x 1 convolution of our own)
    with torch.no_grad():
        means = network.evidence_maps(normalized(batch.pixels)).mean((2, 3)) - bias
        absent = 1 - batch.labels
        ground = (means * absent).sum(0) / absent.sum(0).clamp(min=1)
        network.evidence.weight *= SPREAD
        bias.copy_(NOTHING - SPREAD * ground)
