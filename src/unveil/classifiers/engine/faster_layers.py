"""Replaces two kinds of slow layers by equivalent faster ones: self-attention, and strided convolutions of images.

- `nn.MultiheadAttention` transposes its tokens so that the sequence is the first axis. PyTorch then multiplies them by
  a copy of the weights for every position of the sequence, forward and backward. The replacement doesn't transpose.
- A convolution with stride s (7 x 7 with stride 2 in ResNets) has a slow gradient, because an image has few channels.
  Over blocks of s x s pixels, whose pixels become channels, it is a convolution with stride 1 over fewer positions.
  Where the kernel is as large as the stride (the patches of transformers), it is a single matrix product.

Contiguous networks also get other batch norms: PyTorch (2.6 to 2.15 at least) has a wrong gradient of `BatchNorm2d`
on a CPU, for one contiguous image whose gradient arrives with channels last, as behind `x.flatten(2).transpose(1, 2)`.
"""

import copy
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from unveil.classifiers.engine.folding import Comparison, has_forward_hooks, outputs_match

FEW_TOKENS = 256  # up to here matrix products are used in bf16 on a CPU: 2 ms for 50 tokens, PyTorch's gradient 8 ms
FEW_CHANNELS = 4  # with more, PyTorch's own gradient is faster, except for large patches
SMALLEST_PATCH = 8  # px
SMALLEST_KERNEL = 4  # px; for 3 x 3, rearranging the blocks takes as long as is gained


def replace_slow_layers(
    module: nn.Module, blank: Tensor, matches: Comparison = outputs_match, *, contiguous: bool = False
) -> nn.Module:
    """Replace slow layers of a frozen `module`; return `module` itself if it has none or needs the original classes.

    `blank` is an input of the right shape, with which `matches` compares the outputs. Weights are shared with
    `module`, not copied. `contiguous`: replace batch norms as well, whose gradients may be wrong there.
    """
    kinds = {**KINDS, nn.BatchNorm2d: AffineNorm} if contiguous else KINDS
    replaceable = [
        name
        for name, part in module.named_modules()
        if name and type(part) in kinds and kinds[type(part)].can_replace(part) and not has_forward_hooks(part)
    ]
    if not replaceable:
        return module
    tensors = [*module.parameters(), *module.buffers()]
    faster = copy.deepcopy(module, {id(tensor): tensor for tensor in tensors})
    for name in replaceable:
        faster.set_submodule(name, replace_class(faster.get_submodule(name), kinds))
    try:
        return faster if matches(module, faster, blank) else module
    except Exception:  # noqa: BLE001 (the user's code may fail on layers of other classes)
        return module


class SelfAttention(nn.MultiheadAttention):
    """softmax(q·kᵀ/√d)·v of tokens (n, l, e) with themselves; any other call is passed to `nn.MultiheadAttention`."""

    @staticmethod
    def can_replace(layer: nn.MultiheadAttention) -> bool:
        """True for one weight matrix for q, k and v, the batch as first axis, nothing added to the keys, no dropout."""
        packed = layer.batch_first and layer.in_proj_weight is not None
        return packed and layer.bias_k is None and not layer.add_zero_attn and not layer.training

    def forward(  # type: ignore[override]
        self, query: Tensor, key: Tensor, value: Tensor, *args: object, **options: object
    ) -> tuple[Tensor, Tensor | None]:
        """Compute the tokens after attention, and its weights if `need_weights` is set."""
        is_self_attention = query is key and query is value and query.ndim == 3 and options.get("need_weights") is False
        if args or not is_self_attention or any(value is not None and value is not False for value in options.values()):
            return super().forward(query, key, value, *args, **options)  # type: ignore[arg-type]
        projected = functional.linear(query, self.in_proj_weight, self.in_proj_bias)
        q, k, v = projected.unflatten(-1, (3, self.num_heads, self.head_dim)).permute(2, 0, 3, 1, 4)
        if q.dtype is torch.bfloat16 and q.device.type == "cpu" and q.shape[-2] <= FEW_TOKENS:
            attended = (q @ k.transpose(-1, -2)).mul_(self.head_dim**-0.5).softmax(-1) @ v
        else:
            attended = functional.scaled_dot_product_attention(q, k, v)
        return functional.linear(attended.transpose(1, 2).flatten(2), self.out_proj.weight, self.out_proj.bias), None


class StridedConvolution(nn.Conv2d):
    """A convolution (n, c, h, w) → (n, o, h', w') with stride s, as one with stride 1 over blocks (n, c·s², h/s, w/s).

    The kernel is padded with zeros on the right and below to whole blocks: 7 x 7 of 3 channels to 4 x 4 of 12.
    """

    @staticmethod
    def can_replace(layer: nn.Conv2d) -> bool:
        """True for a kernel at least as large as its stride, on few channels or without overlap."""
        plain = layer.padding_mode == "zeros" and layer.dilation == (1, 1) and layer.groups == 1
        patches = layer.kernel_size == layer.stride and layer.padding in ((0, 0), "valid")
        if patches and min(layer.stride) >= SMALLEST_PATCH:
            return plain
        strided = min(layer.stride) >= 2 and min(layer.kernel_size) >= max(SMALLEST_KERNEL, *layer.stride)
        return plain and strided and layer.in_channels <= FEW_CHANNELS and not isinstance(layer.padding, str)

    def forward(self, input: Tensor) -> Tensor:
        """Compute the convolution; the parts of blocks beyond the padded image are zero."""
        padding = (0, 0) if isinstance(self.padding, str) else self.padding
        kernel_padding, image_padding = [], []
        for size, kernel, stride, edge in zip(input.shape[-2:], self.kernel_size, self.stride, padding, strict=True):
            kernel_padding.append(-kernel % stride)
            positions = (size + 2 * edge - kernel) // stride + 1
            image_padding.append((edge, (positions - 1) * stride + kernel + kernel_padding[-1] - size - edge))
        blocks = _to_blocks(functional.pad(input, (*image_padding[1], *image_padding[0])), self.stride)
        # Channels are last on both sides: pixels are read in memory order, and the weights of a patch are a view.
        weight = self.weight
        if any(kernel_padding):
            weight = functional.pad(weight, (0, kernel_padding[1], 0, kernel_padding[0]))
        weight = _to_blocks(weight, self.stride).contiguous()
        return functional.conv2d(blocks.permute(0, 3, 1, 2), weight.permute(0, 3, 1, 2), self.bias)


def _to_blocks(images: Tensor, size: tuple[int, ...]) -> Tensor:
    """Split images into blocks of a x b pixels: (n, c, h, w) → (n, h/a, w/b, a·b·c)."""
    height, width = size
    rows = images.permute(0, 2, 3, 1).unflatten(1, (-1, height))
    return rows.unflatten(3, (-1, width)).transpose(2, 3).flatten(3)


class AffineNorm(nn.BatchNorm2d):
    """A batch norm in evaluation mode by its definition: γ·(x − μ)/√(σ² + ε) + β, per channel."""

    @staticmethod
    def can_replace(layer: nn.BatchNorm2d) -> bool:
        """True in evaluation mode with statistics of its own."""
        return not layer.training and layer.running_var is not None and layer.running_mean is not None

    def forward(self, input: Tensor) -> Tensor:
        """Scale and shift every channel."""
        assert self.running_mean is not None and self.running_var is not None  # noqa: S101 (can_replace)
        scale = torch.rsqrt(self.running_var + self.eps)
        scale = scale if self.weight is None else scale * self.weight
        shift = -self.running_mean * scale
        shift = shift if self.bias is None else shift + self.bias
        return torch.addcmul(shift.reshape(-1, 1, 1), input, scale.reshape(-1, 1, 1))


KINDS = {nn.MultiheadAttention: SelfAttention, nn.Conv2d: StridedConvolution}


def replace_class(layer: nn.Module, kinds: Mapping[type, type] = MappingProxyType(KINDS)) -> nn.Module:
    """Copy a layer into its class of `kinds`; attributes that the user's code reads, such as `weight`, are kept."""
    faster = copy.copy(layer)
    faster.__class__ = kinds[type(layer)]
    return faster
