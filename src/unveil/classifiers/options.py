"""What a caller may say about a classifier, beyond the model itself."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch

from unveil.classifiers.changes import PreprocessingChanges
from unveil.classifiers.outputs import Returns
from unveil.classifiers.preprocessing import Preprocessing
from unveil.predictions import Output


@dataclass(frozen=True)
class ClassifierOptions:
    """Everything that can be said about a classifier; whatever is said is applied or refused, never ignored.

    Attributes:
        weights: A name of published weights, a file, or `none`. None of the options says nothing by None.
        labels: One name per logit.
        preprocessing: Replaces the model's own, or changes of it.
        output: Whether exactly one label applies (softmax) or each label independently (sigmoid).
        head: The output to explain, of a model that returns several.
        returns: Whether the model returns logits or probabilities.
        device: Where the model runs.
        precision: `fp32`, `bf16` or `auto`.
    """

    weights: str | Path | None = None
    labels: Sequence[str] | None = None
    preprocessing: Preprocessing | PreprocessingChanges | None = None
    output: Output | None = None
    head: str | None = None
    returns: Returns | None = None
    device: torch.device | None = None
    precision: str | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the options that were given.

        >>> ClassifierOptions(weights="trained.pth", precision="bf16").given
        ('weights', 'precision')
        """
        return tuple(item.name for item in fields(self) if getattr(self, item.name) is not None)

    def preprocessing_over(self, own: Preprocessing) -> Preprocessing:
        """The preprocessing that was given, the changes of `own` that were given, or `own`."""
        if isinstance(self.preprocessing, PreprocessingChanges):
            return self.preprocessing.applied_to(own)
        return own if self.preprocessing is None else self.preprocessing

    def over(self, other: "ClassifierOptions") -> "ClassifierOptions":
        """These options, and those of `other` where these say nothing."""
        return replace(other, **{name: getattr(self, name) for name in self.given})
