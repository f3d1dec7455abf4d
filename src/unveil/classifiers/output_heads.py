"""Where the logits are in what a network returns: a tensor, or one inside of dictionaries, tuples and dataclasses."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from unveil.errors import ClassifierError

MAX_DEPTH = 3  # of dictionaries and tuples within each other
Head = tuple[str | int, ...]


def choose_head(returned: object, count: int, name: str, head: str | None, labels: int | None) -> Head:
    """The place of the logits in what a network returned for `count` images.

    `head`: its name or position, if the user chose one. Otherwise a tensor itself; the entry `logits`; or the only
    tensor with one row per image (and one column per label, if their number is known).

    Raises `ClassifierError` if none fits, or several.
    """
    if isinstance(returned, Tensor):
        if head is not None:
            got = f"{head!r} for {name}, which returns a single tensor"
            raise ClassifierError("no head", got, "leave head out")
        return ()
    found = dict(_tensors_in(returned))
    if head is not None:
        chosen = next((place for place in found if head_name(place) == head), None)
        if chosen is None:
            raise ClassifierError(f"one of the outputs of {name}: {_listed(found)}", repr(head), "choose one of them")
        return chosen
    for place in found:
        if place == ("logits",):
            return place
    fitting = [place for place, tensor in found.items() if _is_logits(tensor, count)]
    if labels is not None and len(fitting) > 1:
        fitting = [place for place in fitting if _columns(found[place], count) in (labels, *(1,) * (labels == 2))]
    if len(fitting) == 1:
        return fitting[0]
    if not found:
        got = f"{type(returned).__name__} without tensors"
        raise ClassifierError(f"logits from {name}", got, "wrap the model so that forward returns a tensor (n, labels)")
    if not fitting:
        do = "wrap the model so that forward returns logits (n, labels)"
        raise ClassifierError(f"one row of logits per image from {name}", f"{_listed(found)}", do)
    names = ", ".join(map(head_name, fitting))
    raise ClassifierError(f"one output of logits from {name}", f"{_listed(found)}", f"choose a head: {names}")


def as_rows(tensor: Tensor, count: int) -> Float[Tensor, "n k"] | None:
    """The tensor as one row per image, or None: (n, k), (n,), (n, k, 1, …), and (k,) for a single image."""
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point() or tensor.ndim == 0:
        return None
    if tensor.ndim == 1 and count == 1:
        return tensor[None]
    if len(tensor) != count:
        return None
    rows = tensor[:, None] if tensor.ndim == 1 else tensor
    if rows.ndim > 2 and all(side == 1 for side in rows.shape[2:]):
        rows = rows.flatten(1)
    return rows if rows.ndim == 2 and rows.shape[1] > 0 else None


def follow(returned: Any, head: Head) -> Any:
    """The entry of nested mappings, sequences and objects at `head`."""
    for key in head:
        if isinstance(key, str) and not isinstance(returned, Mapping):
            returned = getattr(returned, key)
        else:
            returned = returned[key]
    return returned


def _tensors_in(returned: object, place: Head = ()) -> Iterator[tuple[Head, Tensor]]:
    if isinstance(returned, Tensor):
        yield place, returned
    elif len(place) < MAX_DEPTH:
        for key, value in _entries(returned):
            yield from _tensors_in(value, (*place, key))


def _entries(returned: object) -> list[tuple[str | int, object]]:
    if isinstance(returned, Mapping):
        return [(key, value) for key, value in returned.items() if isinstance(key, str | int)]
    if is_dataclass(returned):
        return [(item.name, getattr(returned, item.name)) for item in fields(returned)]
    if isinstance(returned, tuple) and (names := getattr(returned, "_fields", ())):
        return list(zip(names, returned, strict=True))
    if isinstance(returned, list | tuple):
        return list(enumerate(returned))
    logits = getattr(returned, "logits", None)
    return [] if logits is None else [("logits", logits)]


def _columns(tensor: Tensor, count: int) -> int:
    rows = as_rows(tensor, count)
    return 0 if rows is None else rows.shape[1]


def _is_logits(tensor: Tensor, count: int) -> bool:
    return as_rows(tensor, count) is not None


def head_name(head: Head) -> str:
    """The keys and positions as the user writes them: `heads.0`."""
    return ".".join(map(str, head))


def _listed(found: Mapping[Head, Tensor]) -> str:
    shown = [f"{head_name(place)} {tuple(tensor.shape)}" for place, tensor in found.items()]
    return ", ".join(shown[:8]) + (" and more" if len(shown) > 8 else "")


def not_rows(name: str, tensor: object, count: int) -> ClassifierError:
    """The error for what isn't one row of logits per image."""
    expected = f"one row of logits per image from {name}"
    if not isinstance(tensor, Tensor):
        return ClassifierError(expected, type(tensor).__name__, "wrap the model so that forward returns (n, labels)")
    if not tensor.is_floating_point():
        got = f"{tensor.dtype}".removeprefix("torch.")
        return ClassifierError(expected, f"{got} numbers", "return logits and not the index of the largest one")
    got = f"shape {tuple(tensor.shape)} for {count} image{'s' * (count != 1)}"
    return ClassifierError(expected, got, "wrap the model so that forward returns (n, labels)")
