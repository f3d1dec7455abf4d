"""Settings of a training."""

from dataclasses import dataclass, field
from enum import StrEnum

from unveil.codec import require_numbers
from unveil.errors import UnveilError
from unveil.fills import Blur, Constant, Fill, Mean, Noise
from unveil.recipes import Recipe, recommended


class TrainingError(UnveilError):
    """A classifier can't be trained with this data or these settings."""


class Erasing(StrEnum):
    """What is erased from the images of a training.

    - `NONE`: nothing.
    - `RANDOM`: regions found in other images, turned, mirrored and shifted: the shapes and areas of `FOUND`, in places
      that say nothing about the image.
    - `FOUND`: regions found in the image itself, by the network as it is at the beginning of each epoch.
    - `MIX`: half of the images as in `FOUND`, half as in `RANDOM`.
    """

    NONE = "none"
    RANDOM = "random"
    FOUND = "found"
    MIX = "mix"


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training.

    Attributes:
        erase: What is erased.
        epochs: The number of epochs. Each begins with a search for regions, unless nothing is erased, and ends with a
            test on the validation images and a checkpoint.
        steps: Steps per epoch.
        batch_size: Images per step.
        learning_rate: The largest learning rate of AdamW; it rises for the first 5 % of all steps, and falls as a
            cosine to 0.
        weight_decay: The weight decay of AdamW.
        clean_share: The share of images from which nothing is erased, between 0 and 1.
        rounds: The largest number of rounds of a search. An image is erased up to a random one of its rounds.
        samples: Noisy samples per image and round of a search; even, at least 4.
        searched: The number of images that are searched at the beginning of an epoch, drawn at random; 0 for all.
        fills: One is drawn for each image that is erased, so that none of them becomes a cue.
        balanced: Whether rare labels weigh as much as frequent ones in the loss.
        patience: Epochs without a smaller loss on the validation images after which the training ends; 0 for none.
        validation_share: The share of images, by groups (patients) where there are any, that is kept for validation.
        seed: The seed of batches, erasing and noise.
        recipe: The recipe of the search: its selector, magnitude, noise and backward rule are used.

    Raises `TrainingError` for settings out of range.
    """

    erase: Erasing = Erasing.FOUND
    epochs: int = 10
    steps: int = 100
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    clean_share: float = 0.5
    rounds: int = 2
    samples: int = 8
    searched: int = 0
    fills: tuple[Fill, ...] = (Mean(), Constant(0.0), Constant(1.0), Blur(), Noise())
    balanced: bool = True
    patience: int = 0
    validation_share: float = 0.15
    seed: int = 0
    recipe: Recipe = field(default_factory=recommended)

    def __post_init__(self) -> None:
        require_numbers(self)
        object.__setattr__(self, "erase", Erasing(self.erase))
        for name, least in (("epochs", 1), ("steps", 1), ("batch_size", 2), ("rounds", 1), ("samples", 4)):
            self._require(name, getattr(self, name) >= least, f"at least {least}")
        for name in ("searched", "patience", "weight_decay", "seed"):
            self._require(name, getattr(self, name) >= 0, "at least 0")
        self._require("samples", self.samples % 2 == 0, "an even number")
        self._require("learning_rate", self.learning_rate > 0, "above 0")
        self._require("clean_share", 0 <= self.clean_share <= 1, "between 0 and 1")
        self._require("validation_share", 0 < self.validation_share < 1, "between 0 and 1")
        self._require("fills", len(self.fills) > 0, "at least one")

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise TrainingError(f"{name}: {expected}", str(getattr(self, name)), "change this setting")
