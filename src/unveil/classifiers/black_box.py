"""A classifier that is a plain function: pixels in, answers out, no gradients."""

from collections.abc import Callable, Sequence
from enum import StrEnum

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unveil.classifiers.base import Classifier, check_labels, numbered_labels
from unveil.classifiers.preprocessing import Preprocessing
from unveil.errors import ClassifierError
from unveil.predictions import Output

Answer = Callable[[np.ndarray], np.ndarray]
SMALLEST = 1e-12  # of a probability, before its logarithm is taken


class Returns(StrEnum):
    """What a black box answers with."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"


class BlackBox(Classifier):
    """A classifier that is a function from an array of images to an array of outputs, without gradients.

    Attributions that need gradients refuse it; `Rise` and `Occlusion` don't need any.
    """

    def __init__(
        self,
        function: Answer,
        preprocessing: Preprocessing,
        labels: Sequence[str] | None = None,
        *,
        output: Output = Output.SOFTMAX,
        returns: Returns = Returns.LOGITS,
        name: str = "black box",
        fingerprint: str = "unknown",
    ) -> None:
        """Check the function with one blank image.

        Args:
            function: Maps a float32 array (n, c, h, w), normalized by `preprocessing`, to an array (n, labels).
            preprocessing: How images become inputs.
            labels: The names of the outputs; None numbers them.
            output: Whether exactly one label applies (softmax) or each label independently (sigmoid).
            returns: Whether the function returns logits or probabilities. Probabilities become logits: log p for
                softmax, log p − log(1 − p) for sigmoid.
            name: The name in records and messages.
            fingerprint: A hash of the function's weights, if there is one.

        Raises `ClassifierError` for a function that doesn't return one row per image.
        """
        self._function = function
        self.preprocessing, self.output, self.returns = preprocessing, Output(output), Returns(returns)
        self.name, self.fingerprint, self.device = name, fingerprint, torch.device("cpu")
        count = self._ask(np.zeros((1, preprocessing.channels, *preprocessing.crop), np.float32)).shape[1]
        self.labels = check_labels(labels) if labels is not None else numbered_labels(count)
        if len(self.labels) != count:
            raise ClassifierError(f"{count} labels for {name}", f"{len(self.labels)}", "give one name for each answer")

    def logits(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n k"]:
        """Logits of a batch; not differentiable."""
        rows = self._ask(self.preprocessing.normalize(pixels.detach().cpu().float()).numpy())
        if self.returns is Returns.PROBABILITIES:
            rows = _to_logits(rows, self.output)
        return torch.from_numpy(np.ascontiguousarray(rows))

    def _ask(self, inputs: np.ndarray) -> np.ndarray:
        try:
            rows = np.asarray(self._function(inputs), dtype=np.float64)
        except Exception as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
            shape = "x".join(map(str, inputs.shape))
            raise ClassifierError(
                f"{self.name} to answer an array {shape}", f"{type(error).__name__}: {said}", "mend it"
            ) from error
        if rows.ndim != 2 or len(rows) != len(inputs):
            got = f"shape {rows.shape} for {len(inputs)} images"
            raise ClassifierError(f"one row of answers an image from {self.name}", got, "return (images, labels)")
        return rows


def _to_logits(probabilities: np.ndarray, output: Output) -> np.ndarray:
    if np.nanmin(probabilities) < -1e-6 or np.nanmax(probabilities) > 1 + 1e-6:
        got = f"{np.nanmin(probabilities):.4g} to {np.nanmax(probabilities):.4g}"
        raise ClassifierError("probabilities in [0, 1]", got, "say that the function returns logits")
    log = np.log(np.clip(probabilities, SMALLEST, 1))
    return log if output is Output.SOFTMAX else log - np.log(np.clip(1 - probabilities, SMALLEST, 1))
