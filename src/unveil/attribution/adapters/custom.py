"""Attributions made in Python: any method object of another library, or any function."""

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unveil.attribution.adapters.grad_cam import unstretched
from unveil.attribution.adapters.score_module import ScoreModule, answer
from unveil.attribution.base import Attribution, AttributionRequest, AttributionResult
from unveil.errors import AttributionError, RecipeError

Make = Callable[[ScoreModule], Any]


@dataclass(frozen=True, eq=False)
class CustomAttribution(Attribution):
    """What `make(module)` gives, asked for a map: `CustomAttribution("ig", IntegratedGradients, {"n_steps": 20})`.

    `module` takes pixels (n c *grid) in [0, 1] to one score (n, 1) an image, the target's; `module.model` is the
    classifier's own network and `module.find("layer4")` a layer of it. It is a fresh copy for every target, so it may
    be changed at will. What `make` gives is used as

    - an object with `attribute`, as those of Captum: `attribute(pixels, target=0, **arguments)`;
    - a map of pytorch-grad-cam: before it is stretched to [0, 1], as in `Cam`;
    - anything else that can be called, as attributors of zennit: `method(pixels, **arguments)`, the last of what it
      gives if that is a tuple.

    The map: a tensor or an array with one value or c values a place, (1 c *places), (c *places) or (*places); fewer
    places than the grid has are enlarged linearly. Nothing else is checked: a method that is wrong for a model stays
    wrong.

    A file can't hold an object. Records and TOML keep `name` and `note`, which says what it was; reading such a recipe
    raises `RecipeError`.
    """

    name: str
    make: InitVar[Make | None] = None
    arguments: InitVar[Mapping[str, Any] | None] = None
    note: str = ""

    def __post_init__(self, make: Make | None, arguments: Mapping[str, Any] | None) -> None:
        if make is None:
            got = f"{self.name!r}, {self.note or 'an object made in Python'}"
            do = "put it in again: replace(recipe, attribution=CustomAttribution(…))"
            raise RecipeError("an attribution that a file can hold", got, do)
        object.__setattr__(self, "_make", make)
        object.__setattr__(self, "_arguments", dict(arguments or {}))
        object.__setattr__(self, "note", self.note or f"made in Python: {_said(make, arguments or {})}")

    @classmethod
    def of_function(cls, name: str, function: Callable[..., Any], **arguments: Any) -> "CustomAttribution":
        """A plain function `function(module, pixels, **arguments)` that gives a map."""
        note = f"made in Python: {_said(function, arguments)}"
        return cls(name, lambda module: partial(function, module), arguments, note)

    def attribute(self, request: AttributionRequest) -> AttributionResult:
        """One map a scalar. Raises `AttributionError` for black boxes and for whatever the method raises."""
        grid = tuple(request.pixels.shape[1:])
        who, do = f"the attribution {self.name}", "the traceback of the method's own error stands above"

        def explain(asked: ScoreModule, pixels: Tensor) -> Tensor:
            return _shaped(self._found(asked, pixels), grid)

        return answer(request, who, who, do, explain)

    def _found(self, asked: ScoreModule, pixels: Tensor) -> Any:
        method, given = self._make(copy.deepcopy(asked)), self._arguments  # type: ignore[attr-defined]
        if hasattr(method, "attribute"):
            target = {"target": 0} if _takes(method.attribute, "target") else {}
            found = method.attribute(pixels, **{**target, **given})
            return found[0] if isinstance(found, tuple) else found
        if hasattr(method, "get_cam_image"):
            return unstretched(method, pixels, **given)
        if not callable(method):
            got = f"a {type(method).__name__}"
            raise AttributionError(f"a method from make(module) of {self.name}", got, "return one that can be called")
        targets = {"targets": None} if _takes(method, "targets") else {}
        found = method(pixels, **{**targets, **given})
        return found[-1] if isinstance(found, tuple) else found


def _shaped(found: Any, grid: tuple[int, ...]) -> Tensor:
    """(1, channels, *places)."""
    if not isinstance(found, Tensor | np.ndarray):
        do = "return a tensor or an array with a value for every place"
        raise AttributionError("a map", type(found).__name__, do)
    given = found if isinstance(found, Tensor) else torch.from_numpy(np.ascontiguousarray(found))
    missing = len(grid) + 2 - given.ndim
    if missing not in (0, 1, 2) or (missing == 0 and len(given) != 1):
        got = f"shape {tuple(given.shape)}"
        raise AttributionError(f"a map of one image with {len(grid)} axes", got, "return (1, channels, *places)")
    return given[(None,) * missing]


def _takes(function: Callable, name: str) -> bool:
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):  # some built-in functions don't say what they take
        return False


def _said(make: Any, arguments: Mapping[str, Any]) -> str:
    """What was made, in words that are the same in every process."""
    kind = make if hasattr(make, "__qualname__") else type(make)
    given = ", ".join(f"{name}={_plain(value)}" for name, value in arguments.items())
    return f"{kind.__module__}.{kind.__qualname__}({given})"


def _plain(value: object) -> str:
    return repr(value) if isinstance(value, bool | int | float | str | None) else f"a {type(value).__name__}"
