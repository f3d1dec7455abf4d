"""Attributions defined in Python: any method object of another library, or any function."""

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unveil.attribution.adapters.grad_cam import compute_unscaled_cam
from unveil.attribution.adapters.score_module import ScoreModule, attribute_each_score
from unveil.attribution.base import Attribution, AttributionRequest, AttributionResult
from unveil.errors import AttributionError, RecipeError

MakeMethod = Callable[[ScoreModule], Any]


@dataclass(frozen=True, eq=False)
class CustomAttribution(Attribution):
    """The map computed by the method that `make(module)` returns.

    `module` maps pixels (n, c, *grid) in [0, 1] to the target's score, shape (n, 1); `module.model` is the classifier's
    own network, and `module.find("layer4")` returns a layer of it. It is a new copy for every target, so it may be
    modified. The method is called according to its type:

    - an object with `attribute`, as in Captum: `attribute(pixels, target=0, **arguments)`;
    - a method of pytorch-grad-cam: its map before it is scaled to [0, 1], as in `Cam`;
    - any other callable, as attributors of zennit: `method(pixels, **arguments)`; of a tuple, the last element.

    The map is a tensor or an array of shape (1, channels, *positions), (channels, *positions) or (*positions); a
    smaller map is enlarged linearly to the grid. Nothing else is checked: a method that is wrong for a model stays
    wrong.

    A file can't contain an object, so records and TOML store only `name` and `note`, and reading such a recipe raises
    `RecipeError`.

    Attributes:
        name: The name in records, figures and messages.
        make: Makes the method from a `ScoreModule`.
        arguments: Keyword arguments of the method.
        note: Describes the method in records; by default its qualified name and arguments.

    Raises `RecipeError` without `make`, as in a recipe read from a file.

    >>> attribution = CustomAttribution("mean", lambda module: lambda pixels: pixels.mean(1))
    >>> attribution.name
    'mean'
    """

    name: str
    make: InitVar[MakeMethod | None] = None
    arguments: InitVar[Mapping[str, Any] | None] = None
    note: str = ""

    def __post_init__(self, make: MakeMethod | None, arguments: Mapping[str, Any] | None) -> None:
        if make is None:
            got = f"{self.name!r}, {self.note or 'an object made in Python'}"
            advice = "set it again: replace(recipe, attribution=CustomAttribution(…))"
            raise RecipeError("an attribution that a file can store", got, advice)
        object.__setattr__(self, "_make", make)
        given = {} if arguments is None else dict(arguments)
        object.__setattr__(self, "_arguments", given)
        object.__setattr__(self, "note", self.note or f"made in Python: {_describe(make, given)}")

    @classmethod
    def of_function(cls, name: str, function: Callable[..., Any], **arguments: Any) -> "CustomAttribution":
        """Use a plain function, `function(module, pixels, **arguments)`, that returns a map.

        >>> def edges(module, pixels):
        ...     return pixels.diff(dim=-1, prepend=pixels[..., :1])
        >>> CustomAttribution.of_function("edges", edges).name
        'edges'
        """
        note = f"made in Python: {_describe(function, arguments)}"
        return cls(name, lambda module: partial(function, module), arguments, note)

    def attribute(self, request: AttributionRequest) -> AttributionResult:
        """Compute one map per target score.

        Raises `AttributionError` for black boxes and for any error of the method.
        """
        grid = tuple(request.pixels.shape[1:])
        what, advice = f"the attribution {self.name}", "the traceback of the method's own error stands above"

        def compute_map(module: ScoreModule, pixels: Tensor) -> Tensor:
            return _to_map(self._call(module, pixels), grid)

        return attribute_each_score(request, what, what, advice, compute_map)

    def _call(self, module: ScoreModule, pixels: Tensor) -> Any:
        method, arguments = self._make(copy.deepcopy(module)), self._arguments  # type: ignore[attr-defined]
        if hasattr(method, "attribute"):
            target = {"target": 0} if _takes(method.attribute, "target") else {}
            result = method.attribute(pixels, **{**target, **arguments})
            return result[0] if isinstance(result, tuple) else result
        if hasattr(method, "get_cam_image"):
            return compute_unscaled_cam(method, pixels, **arguments)
        if not callable(method):
            got = f"a {type(method).__name__}"
            raise AttributionError(f"a method from make(module) of {self.name}", got, "return a callable")
        targets = {"targets": None} if _takes(method, "targets") else {}
        result = method(pixels, **{**targets, **arguments})
        return result[-1] if isinstance(result, tuple) else result


def _to_map(result: Any, grid: tuple[int, ...]) -> Tensor:
    """A tensor of shape (1, channels, *positions)."""
    if not isinstance(result, Tensor | np.ndarray):
        advice = "return a tensor or an array with a value for every position"
        raise AttributionError("a map", type(result).__name__, advice)
    attribution = result if isinstance(result, Tensor) else torch.from_numpy(np.ascontiguousarray(result))
    missing = len(grid) + 2 - attribution.ndim
    if missing not in (0, 1, 2) or (missing == 0 and len(attribution) != 1):
        got = f"shape {tuple(attribution.shape)}"
        raise AttributionError(f"a map of one image with {len(grid)} axes", got, "return (1, channels, *positions)")
    return attribution[(None,) * missing]


def _takes(function: Callable, name: str) -> bool:
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):  # some built-in functions have no signature
        return False


def _describe(make: Any, arguments: Mapping[str, Any]) -> str:
    """Describe a call by qualified name and arguments, the same in every process."""
    kind = make if hasattr(make, "__qualname__") else type(make)
    listed = ", ".join(f"{name}={_plain(value)}" for name, value in arguments.items())
    return f"{kind.__module__}.{kind.__qualname__}({listed})"


def _plain(value: object) -> str:
    return repr(value) if isinstance(value, bool | int | float | str | None) else f"a {type(value).__name__}"
