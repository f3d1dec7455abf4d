"""Does a network classify the masks? Controls of a training on erased images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from unveil.classifiers import Classifier
from unveil.fills import Fill, FillContext, erase
from unveil.predictions import Output
from unveil.training import Examples
from unveil.training.batches import move_at_random
from unveil.training.losses import is_right

BATCH = 32
CELLS = 12  # rows and columns of the pictures of masks that a probe sees
FOLDS = 5
BINS = 15

Masks = Bool[np.ndarray, "n h w"]


def predict_erased(
    classifier: Classifier, examples: Examples, masks: Masks | None, fill: Fill, stream: str = "controls"
) -> Float[np.ndarray, "n k"]:
    """Probabilities of all labels for the examples with `masks` erased by `fill`; None erases nothing."""
    context = FillContext(torch.tensor(classifier.preprocessing.mean), stream)
    rows: list[np.ndarray] = []
    for start in range(0, len(examples), BATCH):
        numbers = range(start, min(len(examples), start + BATCH))
        pixels = examples.batch(numbers)
        if masks is not None:
            parts = zip(pixels, masks[numbers.start : numbers.stop], strict=True)
            pixels = torch.stack([erase(image, torch.from_numpy(gone), fill, context) for image, gone in parts])
        rows += [one.probabilities for one in classifier.predict(pixels.to(classifier.device), BATCH)]
    return np.stack(rows)


def accuracy(probabilities: Float[np.ndarray, "n k"], examples: Examples, classifier: Classifier) -> float:
    """The share of images whose label is predicted (softmax), or whose labels are predicted exactly (sigmoid)."""
    return float(is_right(probabilities, examples.targets, classifier.output).mean())


def expected_calibration_error(probabilities: Float[np.ndarray, "n k"], targets: Float[np.ndarray, "n k"]) -> float:
    """The expected calibration error of all labels together (Guo et al. 2017): Σ_b n_b / n · |mean p − mean y|.

    The n pairs of a probability p and an answer y in {0, 1} are put into 15 bins of equal width.

    >>> expected_calibration_error(np.array([[0.75], [0.75]]), np.array([[1.0], [0.0]]))
    0.25
    """
    p, y = probabilities.ravel(), targets.ravel()
    places = np.minimum((p * BINS).astype(int), BINS - 1)
    gaps = np.bincount(places, p - y, BINS)
    return float(np.abs(gaps).sum() / len(p))


@dataclass(frozen=True)
class MaskProbe:
    """How well labels can be told from masks alone.

    Attributes:
        accuracy: The share of masks whose label a probe tells, in folds that it wasn't fitted to.
        chance: The same for permuted labels: their mean.
        p_value: The share of permutations (and the unpermuted labels) that reach the accuracy.
        masks: The number of masks.
    """

    accuracy: float
    chance: float
    p_value: float
    masks: int


def probe_masks(masks: Masks, columns: Int[np.ndarray, " n"], permutations: int = 199, seed: int = 0) -> MaskProbe:
    """Fit a linear probe to masks alone: is the label in their shape, size or place?

    The probe is ridge regression from features to indicators of the labels, whose largest output is its answer. The
    features are the mask in 12 x 12 cells, the same after its center of mass was moved to the middle, and its area.
    """
    features = np.stack([_features(mask) for mask in masks])
    features = (features - features.mean(0)) / (features.std(0) + 1e-6)
    rng = np.random.default_rng(seed)
    folds = rng.permutation(len(masks)) % FOLDS
    observed = _probe_accuracy(features, columns, folds)
    permuted = np.array([_probe_accuracy(features, rng.permutation(columns), folds) for _ in range(permutations)])
    p_value = (1 + int((permuted >= observed).sum())) / (1 + permutations)
    return MaskProbe(observed, float(permuted.mean()), p_value, len(masks))


def _features(mask: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, " f"]:
    rows, columns = np.nonzero(mask)
    height, width = mask.shape
    center = (height // 2 - round(rows.mean()), width // 2 - round(columns.mean())) if len(rows) else (0, 0)
    moved = np.roll(mask, center, (0, 1))
    return np.concatenate([_cells(mask), _cells(moved), [mask.mean()]])


def _cells(mask: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, " cells"]:
    parts = [np.array_split(rows, CELLS, axis=1) for rows in np.array_split(mask.astype(float), CELLS, axis=0)]
    return np.array([part.mean() for row in parts for part in row])


def _probe_accuracy(features: np.ndarray, columns: np.ndarray, folds: np.ndarray, ridge: float = 10.0) -> float:
    kinds, answers = np.unique(columns, return_inverse=True)
    indicators = np.eye(len(kinds))[answers]
    right = 0
    for fold in range(FOLDS):
        known, asked = folds != fold, folds == fold
        x, y = features[known], indicators[known] - indicators[known].mean(0)
        weights = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)
        told = (features[asked] @ weights + indicators[known].mean(0)).argmax(1)
        right += int((told == answers[asked]).sum())
    return right / len(columns)


@dataclass(frozen=True)
class ForeignMasks:
    """What masks of one label do to images without this label.

    Attributes:
        images: The number of pairs of an image and a foreign mask.
        follows: The share of images in which the mask's label is predicted when the mask is erased.
        moved: The same for the mask, mirrored, turned and shifted.
        untouched: The same with nothing erased.
        accuracy: The share of images predicted right with the foreign mask erased.
    """

    images: int
    follows: float
    moved: float
    untouched: float
    accuracy: float


def try_foreign_masks(
    classifier: Classifier,
    examples: Examples,
    masks: Masks,
    columns: Sequence[int],
    fill: Fill,
    seed: int = 0,
) -> ForeignMasks:
    """Erase from each image a mask that was found in an image with another label.

    Args:
        classifier: The network.
        examples: Images.
        masks: Masks that were found in other images, for the label `columns` of each.
        columns: The labels of the masks.
        fill: What replaces erased pixels.
        seed: Draws the pairs and the moves.

    A network that classifies masks predicts the mask's label; `moved` and `untouched` say how often it does so anyway.
    """
    rng = np.random.default_rng(seed)
    labels = np.asarray(columns)
    picked = np.array([_foreign(row, labels, rng) for row in examples.targets])
    kept = picked >= 0
    chosen, picked = examples.choose(np.flatnonzero(kept)), picked[kept]
    own = masks[picked]
    moved = np.stack([move_at_random(mask, rng) for mask in own])
    answers = [predict_erased(classifier, chosen, erased, fill) for erased in (own, moved, None)]
    shares = [
        float(
            np.mean([column in _predicted(row, classifier) for row, column in zip(rows, labels[picked], strict=True)])
        )
        for rows in answers
    ]
    follows, moved_follows, untouched = shares
    return ForeignMasks(len(picked), follows, moved_follows, untouched, accuracy(answers[0], chosen, classifier))


def _foreign(targets: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> int:
    """The number of a mask whose label an image doesn't have; −1 if there is none."""
    others = np.flatnonzero(targets[labels] == 0)
    return int(rng.choice(others)) if len(others) else -1


def _predicted(probabilities: np.ndarray, classifier: Classifier) -> set[int]:
    if classifier.output is Output.SIGMOID:
        return set(np.flatnonzero(probabilities >= 0.5).tolist())
    return {int(probabilities.argmax())}
