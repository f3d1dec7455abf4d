"""Changes of a preprocessing: settings of a user that replace those of the model."""

from dataclasses import dataclass, replace
from math import isfinite, prod

from unveil.classifiers.preprocessing import Fit, Preprocessing
from unveil.errors import ClassifierError
from unveil.images.image import MIN_SIDE
from unveil.images.scaling import checked_range

MAX_SIDE, MAX_GRID, MAX_CHANNELS = 8192, 1 << 26, 1024
MAX_STD = 10.0


@dataclass(frozen=True)
class PreprocessingChanges:
    """What differs from a model's own preprocessing; None leaves a setting as the model has it.

    Attributes:
        size: The grid (height, width), or (depth, height, width), in px. An image that is resized before it is cropped
            is still cropped by the same share.
        channels: The number of channels. Means and deviations that aren't given are the average of the model's own.
        mean, std: For pixels in [0, 1], one value per channel, or one for all.
        value_range: The original values that become 0 and 1.

    Raises `ClassifierError` for values that no network can have, before any model is loaded.

    >>> changes = PreprocessingChanges(size=(28, 28), channels=1, mean=(0.13,), std=(0.31,))
    >>> changes.applied_to(Preprocessing((224, 224), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 256)).crop
    (28, 28)
    """

    size: tuple[int, ...] | None = None
    channels: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    value_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            _check_size(self.size)
        if self.channels is not None and not 1 <= self.channels <= MAX_CHANNELS:
            raise ClassifierError(f"1 to {MAX_CHANNELS} channels", str(self.channels), "3 is color, 1 is gray")
        if self.mean is not None and not all(0 <= value <= 1 for value in self.mean):
            do = "give means of pixels in [0, 1]; divide means of 0 … 255 by 255"
            raise ClassifierError("means in [0, 1]", _listed(self.mean), do)
        if self.std is not None and not all(0 < value <= MAX_STD and isfinite(value) for value in self.std):
            do = "give deviations of pixels in [0, 1]; divide those of 0 … 255 by 255"
            raise ClassifierError(f"deviations above 0, at most {MAX_STD:g}", _listed(self.std), do)
        if self.value_range is not None:
            checked_range(self.value_range)
        self._count(None)

    @property
    def is_empty(self) -> bool:
        """True if nothing is changed."""
        return self == PreprocessingChanges()

    @property
    def is_complete(self) -> bool:
        """True if size, channels, mean and standard deviation are all given, so that no model has to have its own."""
        return None not in (self.size, self.mean, self.std) and self._count(None) > 0

    def applied_to(self, own: Preprocessing) -> Preprocessing:
        """The model's own preprocessing with these changes."""
        changed = own if self.size is None else _resized(own, self.size)
        count = self._count(own.channels)
        return replace(
            changed,
            mean=_spread(self.mean, own.mean, count),
            std=_spread(self.std, own.std, count),
            value_range=own.value_range if self.value_range is None else self.value_range,
        )

    def _count(self, own: int | None) -> int:
        """The number of channels: as given, or by the number of means or deviations, or the model's own."""
        lengths = {len(values) for values in (self.mean, self.std) if values is not None} - {1}
        if self.channels is not None:
            lengths.add(self.channels)
        if len(lengths) > 1 or 0 in lengths:
            got = ", ".join(
                f"{len(values)} {name}" for name, values in (("means", self.mean), ("deviations", self.std)) if values
            )
            channels = "" if self.channels is None else f" for {self.channels} channels"
            do = "give one value per channel, or one for all"
            raise ClassifierError("as many means and deviations as channels", f"{got or 'none'}{channels}", do)
        if lengths:
            return lengths.pop()
        return 0 if own is None else own


def _check_size(size: tuple[int, ...]) -> None:
    text = "x".join(map(str, size))
    if len(size) not in (2, 3):
        raise ClassifierError("a size (height, width) or (depth, height, width)", text, "give two or three sides")
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in size) or prod(size) > MAX_GRID:
        do = "224 px is usual for images"
        raise ClassifierError(f"sides of {MIN_SIDE} to {MAX_SIDE} px, and at most {MAX_GRID:,} in all", text, do)


def _resized(own: Preprocessing, size: tuple[int, ...]) -> Preprocessing:
    if len(size) != len(own.crop):
        return replace(own, crop=size, resize=max(size), fit=Fit.SQUASH)
    if own.fit is Fit.SQUASH:
        return replace(own, crop=size, resize=round(own.resize * max(size) / max(own.crop)))
    return replace(own, crop=size, resize=round(own.resize * min(size) / min(own.crop)))


def _spread(given: tuple[float, ...] | None, own: tuple[float, ...], count: int) -> tuple[float, ...]:
    if given is None and len(own) == count:
        return own
    values = own if given is None else given
    return values if len(values) == count else (sum(values) / len(values),) * count


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values) or "none"
