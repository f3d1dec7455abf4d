"""A frozen copy of a stranger's module: unwrapped, in evaluation mode, without gradients of weights; and its hash."""

import copy
import hashlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from unveil.errors import ClassifierError, first_line


def unwrap(module: object) -> nn.Module:
    """The network inside of what runs it: torch.compile, DataParallel, an exported program.

    Its numbers are the same, and it can be copied and run in batches of any size. Raises `ClassifierError` for anything
    that isn't a module.
    """
    if isinstance(module, torch.export.ExportedProgram):
        module = module.module()
    while isinstance(module, nn.Module):
        # A compiled module is a wrapper as well, of a class that is private to PyTorch.
        compiled = getattr(module, "_orig_mod", None)
        if isinstance(compiled, nn.Module):
            module = compiled
        elif isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        else:
            return module
    raise ClassifierError("a torch.nn.Module", type(module).__name__, "give the model itself")


@torch.inference_mode(False)
@torch.no_grad()
def copy_module(module: nn.Module) -> nn.Module:
    """A deep copy that shares no tensor with the module, whatever state that is in.

    Tensors that can't be copied as they are, because they belong to an autograd graph (weight norm, pruning, kept
    activations) or were made in inference mode, are detached and cloned. Raises `ClassifierError` for weights without
    values, and for a module that can't be copied.
    """
    check_initialized(module)
    copies: dict[int, Any] = {}
    for tensor in _tensors_of(module):
        if tensor.grad_fn is not None or tensor.is_inference():
            cloned = tensor.detach().clone()
            is_parameter = isinstance(tensor, nn.Parameter)
            copies[id(tensor)] = nn.Parameter(cloned, tensor.requires_grad) if is_parameter else cloned
    try:
        made = copy.deepcopy(module, copies)
    except Exception as error:
        raise ClassifierError(
            "a module that can be copied",
            f"{type(module).__name__}: {first_line(error)}",
            "detach the tensors it keeps",
        ) from error
    for part in made.modules():
        for name, child in list(part.named_children()):
            if isinstance(getattr(child, "_orig_mod", None), nn.Module):
                setattr(part, name, unwrap(child))
    return made


def freeze(module: nn.Module) -> nn.Module:
    """The module itself in evaluation mode, with weights that need no gradients and without backward hooks."""
    for part in module.modules():
        # Forward hooks may be part of the model (weight norms); backward hooks would change the gradients asked for.
        for hooks in (part.__dict__.get("_backward_hooks"), part.__dict__.get("_backward_pre_hooks")):
            if hooks:
                hooks.clear()
    # Frozen TorchScript and exported programs are in the mode they were made in, and can't leave it.
    is_fixed = isinstance(module, torch.jit.ScriptModule) and not hasattr(module, "training")
    if not is_fixed:
        with suppress(NotImplementedError):
            module.eval()
    for weight in module.parameters():
        weight.grad = None
        weight.requires_grad_(False)
    return module


def check_initialized(module: nn.Module) -> None:
    """Raise `ClassifierError` for lazy layers that were never run, and for weights on the meta device."""
    for name, weight in _weights_of(module):
        if is_lazy(weight):
            raise ClassifierError(
                "a model with weights", f"the lazy layer of {name}, which was never run", "run it once, or load weights"
            )
        if weight.device.type == "meta":
            do = "load its weights (Module.to_empty and load_state_dict)"
            raise ClassifierError("a model with weights", f"{name} on the meta device, without values", do)


def fingerprint(module: nn.Module) -> str:
    """SHA-256 of all parameters and buffers with their names, whatever file they came from.

    Of TorchScript also the constants that freezing made of them.
    """
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        _add(digest, name, value)
    if isinstance(module, torch.jit.ScriptModule):
        for number, constant in enumerate(_constants(module)):
            _add(digest, f"constant {number}", constant)
    return digest.hexdigest()


def _add(digest: Any, name: str, value: object) -> None:
    if isinstance(value, tuple | list):
        for index, item in enumerate(value):
            _add(digest, f"{name}.{index}", item)
    elif not isinstance(value, Tensor):
        # Extra state and settings of quantized layers.
        digest.update(f"{name}:{value!r};".encode())
    else:
        digest.update(f"{name}:{value.dtype}:{tuple(value.shape)};".encode())
        for part in _dense_parts(value.detach().cpu()):
            digest.update(part.contiguous().flatten().view(torch.uint8).numpy().data)


def _dense_parts(tensor: Tensor) -> Iterator[Tensor]:
    if tensor.is_quantized:
        yield tensor.int_repr()
        per_channel = tensor.qscheme() in (torch.per_channel_affine, torch.per_channel_affine_float_qparams)
        yield tensor.q_per_channel_scales() if per_channel else torch.tensor(tensor.q_scale())
        yield tensor.q_per_channel_zero_points() if per_channel else torch.tensor(tensor.q_zero_point())
    elif tensor.layout is not torch.strided:
        yield tensor.to_dense()
    elif tensor.numel():
        yield tensor


def _constants(module: torch.jit.ScriptModule) -> Iterator[Tensor]:
    # Nodes are gone with their graph, so it is held here.
    graph = cast(Any, module).inlined_graph
    for node in graph.findAllNodes("prim::Constant"):
        if node.hasAttribute("value") and node.kindOf("value") == "t":
            yield node.t("value")


def _weights_of(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _tensors_of(module: nn.Module) -> Iterator[Tensor]:
    """All parameters, buffers and tensors in attributes, also inside of lists, tuples and dictionaries."""
    yield from module.parameters()
    yield from module.buffers()
    for part in module.modules():
        waiting = [value for name, value in vars(part).items() if name not in ("_parameters", "_buffers", "_modules")]
        seen: set[int] = set()
        while waiting:
            value = waiting.pop()
            if isinstance(value, Tensor):
                yield value
            elif isinstance(value, dict | list | tuple) and id(value) not in seen:
                seen.add(id(value))
                waiting.extend(value.values() if isinstance(value, dict) else value)
