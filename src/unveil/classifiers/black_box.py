"""A classifier that is a plain function: arrays of images in, arrays of logits or probabilities out, no gradients."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from unveil.classifiers.base import Classifier, check_labels
from unveil.classifiers.engine.behavior import Behavior, Observer
from unveil.classifiers.engine.guard import guarded
from unveil.classifiers.options import ClassifierOptions
from unveil.classifiers.outputs import Returns, parse_output, parse_returns
from unveil.classifiers.preprocessing import Preprocessing
from unveil.errors import ClassifierError
from unveil.predictions import Output

BatchFunction = Callable[[np.ndarray], np.ndarray]


class FunctionNetwork(nn.Module):
    """A function as a module, so that it can be observed as networks are."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._function = function

    def forward(self, inputs: Tensor) -> Tensor:
        """Call the function."""
        return self._function(inputs)


class BlackBox(Classifier):
    """A classifier that is a function from an array of images to an array of outputs, without gradients.

    Attributions that need gradients refuse it; `Rise` and `Occlusion` don't need any.

    >>> def brightness(images):
    ...     return np.stack([images.mean((1, 2, 3)), -images.mean((1, 2, 3))], axis=1)
    >>> classifier = BlackBox(brightness, Preprocessing.square(32, (0.5,) * 3, (0.25,) * 3), ["bright", "dark"])
    >>> classifier.predict(torch.ones(1, 3, 32, 32))[0].logits
    array([ 2., -2.])
    """

    differentiable = False

    def __init__(
        self,
        function: BatchFunction,
        preprocessing: Preprocessing,
        labels: Sequence[str] | None = None,
        *,
        output: Output | str | None = None,
        returns: Returns | str | None = None,
        name: str = "black box",
        fingerprint: str = "unknown",
    ) -> None:
        """Call the function with two synthetic images, together and alone.

        Args:
            function: Maps a float32 array (n, c, h, w), normalized by `preprocessing`, to an array (n, labels). One
                that takes one image at a time gets one at a time.
            preprocessing: How images become inputs.
            labels: The names of the outputs; None numbers them. Two names for a single logit z name −z and z.
            output: Whether exactly one label applies (softmax) or each label independently (sigmoid); None is softmax,
                but sigmoid for a single logit.
            returns: Whether the function returns logits or probabilities; None finds out. Probabilities become logits:
                log p for softmax, log p − log(1 − p) for sigmoid.
            name: The name in records and messages.
            fingerprint: A hash of the function's weights, if there is one.

        Raises `ClassifierError` for a function that doesn't return one row per image, or returns other logits for the
        same image at each call.
        """
        self._function = function
        self.preprocessing, self.name, self.fingerprint = preprocessing, name, fingerprint
        self.device = torch.device("cpu")
        labels = None if labels is None else check_labels(labels)
        self._said = ClassifierOptions(labels=labels, output=parse_output(output), returns=parse_returns(returns))
        self._behavior = self._observe()
        self.output, self.returns = self._behavior.reader.output, self._behavior.reader.returns
        self.labels = self._behavior.reader.name_labels(labels)

    def logits(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n k"]:
        """Logits of a batch; not differentiable."""
        inputs = self._normalized(pixels)
        with guarded(self.name, f"take an array {'x'.join(map(str, inputs.shape))}"):
            return self._behavior.read(self._call, inputs, self.name)

    def with_options(self, options: ClassifierOptions) -> "BlackBox":
        """A new black box with what `options` say, and what was said here where they say nothing.

        Raises `ClassifierError` for options that a function can't have: weights, a head, a device, a precision.
        """
        refused = {
            "weights": options.weights is not None,
            "head": options.head is not None,
            "a device other than cpu": options.device is not None and options.device.type != "cpu",
            "a precision other than fp32": options.precision not in (None, "fp32"),
        }
        if any(refused.values()):
            got = f"{' and '.join(name for name, given in refused.items() if given)} for {self.name}"
            raise ClassifierError("labels, preprocessing, output or returns alone for a function", got, "leave it out")
        said = options.over(self._said)
        return BlackBox(
            self._function,
            said.preprocessing_over(self.preprocessing),
            said.labels,
            output=said.output,
            returns=said.returns,
            name=self.name,
            fingerprint=self.fingerprint,
        )

    def _call(self, inputs: Tensor) -> Tensor:
        returned = np.asarray(self._function(inputs.numpy()))
        if returned.dtype.kind not in "fiub":
            got = f"an array of {returned.dtype}"
            raise ClassifierError(f"numbers from {self.name}", got, "return an array (images, labels)")
        return torch.from_numpy(np.ascontiguousarray(returned, dtype=np.float64))

    def _normalized(self, pixels: Tensor) -> Tensor:
        return self.preprocessing.normalize(pixels.detach().cpu().float())

    def _observe(self) -> Behavior:
        network = FunctionNetwork(self._call)
        return Observer(
            network, torch.float32, self.preprocessing, self.device, self.name, self._normalized, self._said
        ).observe(channels_last=False)
