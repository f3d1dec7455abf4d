"""The same network with two parts done in a faster order: attention, and convolutions of pictures in steps.

- `nn.MultiheadAttention` turns its tokens so that the sequence comes first. PyTorch then multiplies them by a copy of
  the weights for every place of the sequence, forward and backward; here the tokens stay as they lie.
- A convolution in steps of s (7 x 7 in steps of 2 in ResNets) has a slow gradient, because a picture has few channels.
  Over blocks of s x s pixels, whose pixels are channels, it is a convolution of fewer places in steps of one. Where the
  kernel is a step (the patches of transformers), a single matrix product.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from unveil.classifiers.engine.folding import has_forward_hooks, outputs_match

FEW_TOKENS = 256  # in bf16 on a CPU, up to here: PyTorch's gradient takes 8 ms of 50 tokens, that of products 2
FEW_CHANNELS = 4  # with more, PyTorch's own gradient is faster, but for large patches
SMALLEST_PATCH = 8  # px
SMALLEST_IN_STEPS = 4  # px of a kernel; at 3 x 3 the time that turning takes is all that it wins


def rearranged(module: nn.Module, blank: Tensor) -> nn.Module:
    """The frozen `module` with these parts replaced, or itself where there are none or it wants them as they were.

    `blank`: an input of the right shape. Weights are shared with the module given, not copied.
    """
    fitting = [
        name
        for name, part in module.named_modules()
        if name and type(part) in KINDS and KINDS[type(part)].fits(part) and not has_forward_hooks(part)
    ]
    if not fitting:
        return module
    tensors = [*module.parameters(), *module.buffers()]
    made = copy.deepcopy(module, {id(tensor): tensor for tensor in tensors})
    for name in fitting:
        made.set_submodule(name, replace_class(made.get_submodule(name)))
    try:
        return made if outputs_match(module, made, blank) else module
    except Exception:  # noqa: BLE001 (the user's code, asked about parts of other classes)
        return module


class SelfAttention(nn.MultiheadAttention):
    """softmax(q·kᵀ/√d)·v of tokens (n, l, e) with themselves. What it is asked beyond that it does as before."""

    @staticmethod
    def fits(layer: nn.MultiheadAttention) -> bool:
        """True for one matrix of weights for q, k and v, batches first, nothing added to the keys, no dropout."""
        alike = layer.batch_first and layer.in_proj_weight is not None
        return alike and layer.bias_k is None and not layer.add_zero_attn and not layer.training

    def forward(  # type: ignore[override]
        self, query: Tensor, key: Tensor, value: Tensor, *args: object, **options: object
    ) -> tuple[Tensor, Tensor | None]:
        """The tokens after attention, and its weights, if they are wanted."""
        alone = query is key and query is value and query.ndim == 3 and options.get("need_weights") is False
        if args or not alone or any(one is not None and one is not False for one in options.values()):
            return super().forward(query, key, value, *args, **options)  # type: ignore[arg-type]
        mixed = functional.linear(query, self.in_proj_weight, self.in_proj_bias)
        q, k, v = mixed.unflatten(-1, (3, self.num_heads, self.head_dim)).permute(2, 0, 3, 1, 4)
        if q.dtype is torch.bfloat16 and q.device.type == "cpu" and q.shape[-2] <= FEW_TOKENS:
            found = (q @ k.transpose(-1, -2)).mul_(self.head_dim**-0.5).softmax(-1) @ v
        else:
            found = functional.scaled_dot_product_attention(q, k, v)
        return functional.linear(found.transpose(1, 2).flatten(2), self.out_proj.weight, self.out_proj.bias), None


class SteppedConvolution(nn.Conv2d):
    """A convolution (n, c, h, w) → (n, o, h', w') in steps of s: one in steps of 1 over blocks (n, c·s², h/s, w/s).

    The kernel is filled up with zeros at the right and below to whole blocks: from 7 x 7 of 3 channels to 4 x 4 of 12.
    """

    @staticmethod
    def fits(layer: nn.Conv2d) -> bool:
        """True for a kernel as large as its step or larger, on few channels or without overlap."""
        plain = layer.padding_mode == "zeros" and layer.dilation == (1, 1) and layer.groups == 1
        patches = layer.kernel_size == layer.stride and layer.padding in ((0, 0), "valid")
        if patches and min(layer.stride) >= SMALLEST_PATCH:
            return plain
        stepped = min(layer.stride) >= 2 and min(layer.kernel_size) >= max(SMALLEST_IN_STEPS, *layer.stride)
        return plain and stepped and layer.in_channels <= FEW_CHANNELS and not isinstance(layer.padding, str)

    def forward(self, input: Tensor) -> Tensor:
        """As many places as the convolution has: what of the blocks lies beyond the picture is zero."""
        padding = (0, 0) if isinstance(self.padding, str) else self.padding
        filled, edges = [], []
        for size, kernel, step, edge in zip(input.shape[-2:], self.kernel_size, self.stride, padding, strict=True):
            filled.append(-kernel % step)
            places = (size + 2 * edge - kernel) // step + 1
            edges.append((edge, (places - 1) * step + kernel + filled[-1] - size - edge))
        blocks = _blocks(functional.pad(input, (*edges[1], *edges[0])), self.stride)
        # Channels last on both sides: pixels are read in the order in which they lie, and a patch's weights are a view.
        weight = functional.pad(self.weight, (0, filled[1], 0, filled[0])) if any(filled) else self.weight
        weight = _blocks(weight, self.stride).contiguous()
        return functional.conv2d(blocks.permute(0, 3, 1, 2), weight.permute(0, 3, 1, 2), self.bias)


def _blocks(images: Tensor, size: tuple[int, ...]) -> Tensor:
    """(n, c, h, w) → (n, h/a, w/b, a·b·c) by blocks of a x b pixels that fill the images."""
    high, wide = size
    rows = images.permute(0, 2, 3, 1).unflatten(1, (-1, high))
    return rows.unflatten(3, (-1, wide)).transpose(2, 3).flatten(3)


KINDS = {nn.MultiheadAttention: SelfAttention, nn.Conv2d: SteppedConvolution}


def replace_class(layer: nn.Module) -> nn.Module:
    """The layer under its faster class: attributes that the user's code reads, like `weight`, stay."""
    made = copy.copy(layer)
    made.__class__ = KINDS[type(layer)]
    return made
