"""The training loop, by Lightning: the only module that imports it.

Each epoch is a function of the weights at its beginning and of the seed: images, erasing, noise and the state of
PyTorch's generator are drawn by the numbers of epoch and step. So a training that was killed and goes on from its last
checkpoint ends with the same weights.
"""

import logging
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from unveil.classifiers.torch_module import TorchClassifier
from unveil.predictions import Output
from unveil.training.batches import Batch, BatchMaker
from unveil.training.examples import Examples
from unveil.training.losses import Loss, is_right
from unveil.training.settings import TrainingError, TrainingSettings

WARM_UP = 0.05
MakeBatches = Callable[[nn.Module, int], BatchMaker]  # the network and the number of the epoch
OnStep = Callable[[int, int, str], None]  # steps done, all steps, a remark
OnEpoch = Callable[[int, dict[str, float], nn.Module], float]  # epochs done, measures, the network; the objective


class _Steps(Dataset):
    """The batches of one epoch, this process's share of each."""

    def __init__(self, maker: BatchMaker, first: int, steps: int, rank: int, world: int) -> None:
        self._maker, self._first, self._steps, self._rank, self._world = maker, first, steps, rank, world

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if not 0 <= index < self._steps:
            raise IndexError(index)
        batch: Batch = self._maker.make(self._first + index)
        share = slice(self._rank, None, self._world)
        return batch.pixels[share], batch.targets[share]


class _Validation(Dataset):
    """Validation images in batches."""

    def __init__(self, examples: Examples, batch_size: int) -> None:
        self._examples, self._batch_size = examples, batch_size

    def __len__(self) -> int:
        return math.ceil(len(self._examples) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        rows = range(index * self._batch_size, min(len(self._examples), (index + 1) * self._batch_size))
        return self._examples.batch(rows), torch.from_numpy(self._examples.targets[rows.start : rows.stop])


class TrainingModule(lightning.LightningModule):
    """A network with its loss, for Lightning."""

    def __init__(
        self,
        network: nn.Module,
        classifier: TorchClassifier,
        settings: TrainingSettings,
        loss: Loss,
        make_batches: MakeBatches,
        validation: Examples,
        on_step: OnStep,
        on_epoch: OnEpoch,
    ) -> None:
        super().__init__()
        self.network = network
        self._settings, self._loss, self._make_batches = settings, loss, make_batches
        self._read = (classifier,)  # in a tuple: a module that is kept as it is would become a part of this one
        self._validation, self._on_step, self._on_epoch = validation, on_step, on_epoch
        self._sums = [0.0, 0.0, 0.0]

    def _logits(self, pixels: Tensor) -> Tensor:
        (classifier,) = self._read
        inputs = classifier.preprocessing.normalize(pixels)
        return classifier.read_logits(self.network, inputs)

    def training_step(self, batch: Sequence[Tensor], index: int) -> Tensor:
        """The loss of a batch. Raises `TrainingError` where it isn't finite."""
        pixels, targets = batch
        loss = self._loss(self._logits(pixels), targets)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                "a finite loss",
                f"{value} at step {self.global_step + 1}",
                "use a smaller learning rate; the best weights until then are kept",
            )
        total = self._settings.epochs * self._settings.steps
        self._on_step(self.global_step + 1, total, f"loss {value:.3f}")
        return loss

    def on_train_epoch_start(self) -> None:
        """Dropout and the like draw from a generator that depends on the epoch alone."""
        torch.manual_seed(hash((self._settings.seed, self.current_epoch)) % 2**31)

    def on_validation_epoch_start(self) -> None:
        """Begin new sums."""
        self._sums = [0.0, 0.0, 0.0]

    def validation_step(self, batch: Sequence[Tensor], index: int) -> None:
        """Add the loss of a batch, and the number of images that are predicted right."""
        pixels, targets = batch
        logits = self._logits(pixels)
        self._sums[0] += float(self._loss(logits, targets)) * len(pixels)
        scores = logits.softmax(1) if self._loss.output is Output.SOFTMAX else logits.sigmoid()
        self._sums[1] += int(is_right(scores.cpu().numpy(), targets.cpu().numpy(), self._loss.output).sum())
        self._sums[2] += len(pixels)

    def on_validation_epoch_end(self) -> None:
        """Hand the network over, and log the objective."""
        loss, right, count = self._sums
        measures = {"loss": loss / count, "accuracy": right / count}
        self.log("objective", self._on_epoch(self.current_epoch + 1, measures, self.network))

    def train_dataloader(self) -> DataLoader:
        """The batches of the next epoch; its search is done here."""
        epoch, trainer, steps = self.current_epoch, self.trainer, self._settings.steps
        maker = self._make_batches(self.network, epoch)
        rows = _Steps(maker, epoch * steps, steps, trainer.global_rank, trainer.world_size)
        return DataLoader(rows, batch_size=None)

    def val_dataloader(self) -> DataLoader:
        """The validation images."""
        return DataLoader(_Validation(self._validation, self._settings.batch_size), batch_size=None)

    def configure_optimizers(self) -> Any:
        """AdamW, whose rate rises, and falls as a cosine."""
        settings = self._settings
        weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(weights, settings.learning_rate, weight_decay=settings.weight_decay)
        total = settings.epochs * settings.steps
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at((step + 1) / (total + 1)))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def rate_at(done: float) -> float:
    """The learning rate, as a share of the largest, when this share of all steps is done.

    >>> rate_at(0.05), round(rate_at(1.0), 6)
    (1.0, 0.0)
    """
    if done <= WARM_UP:
        return done / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def fit(
    module: TrainingModule,
    settings: TrainingSettings,
    folder: Path,
    *,
    accelerator: str = "auto",
    devices: int = 1,
    precision: str = "32-true",
) -> None:
    """Train, or go on from the checkpoint in `folder`."""
    keep = ModelCheckpoint(folder, "last", save_top_k=1, every_n_epochs=1, enable_version_counter=False)
    callbacks: list[Any] = [keep]
    if settings.patience:
        callbacks.append(EarlyStopping("objective", patience=settings.patience))
    last = folder / "last.ckpt"
    with _quiet():
        trainer = lightning.Trainer(
            max_epochs=settings.epochs,
            accelerator=accelerator,
            devices=devices,
            precision=precision,  # pyright: ignore[reportArgumentType]
            callbacks=callbacks,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
            default_root_dir=folder,
        )
        # A checkpoint of Lightning is a pickle; with weights_only nothing but tensors and plain values is read from it.
        trainer.fit(module, ckpt_path=last if last.exists() else None, weights_only=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's advice on loaders, devices and versions; errors aren't touched."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", module="torch.optim.lr_scheduler")
        try:
            yield
        finally:
            logger.setLevel(level)
