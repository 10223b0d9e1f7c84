"""A captured graph that computes on images [N, H, W, C], its own being [N, C, H, W].

Every image stays channels-last from the input to the output. Operations that work element by
element do so in either layout; reductions, cuts and concatenations do with their axes renamed
(1, 2, 3 become 3, 1, 2); convolutions, pooling, resizing and mirrored padding are put between two
transpositions, which a converter to a channels-last format takes back one by one. What is left to a
converter's own choice otherwise, it gets wrong around normalisations: two transpositions each.

Instance normalisation becomes its definition, y = (x - μ)·w/√(var + ε) + b with
var = mean((x - μ)²), because converters reach it through a view of another rank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Interpreter
from torch.nn import functional as F

aten = torch.ops.aten

SPATIAL = frozenset(
    {
        aten.conv2d,
        aten.conv_transpose2d,
        aten.convolution,
        aten.max_pool2d,
        aten.avg_pool2d,
        aten.upsample_nearest2d,
        aten.upsample_bilinear2d,
        aten.reflection_pad2d,
        aten.replication_pad2d,
        aten.pad,
        aten.instance_norm,
    }
)
POINTWISE = frozenset({
    aten.relu, aten.relu_, aten.relu6, aten.leaky_relu, aten.elu, aten.gelu, aten.silu,
    aten.hardswish, aten.hardtanh, aten.tanh, aten.sigmoid, aten.clamp, aten.clamp_min, aten.add,
    aten.add_, aten.sub, aten.rsub, aten.mul, aten.mul_, aten.div, aten.div_, aten.neg, aten.abs,
    aten.square, aten.sqrt, aten.rsqrt, aten.reciprocal, aten.exp, aten.log, aten.pow,
    aten.maximum, aten.minimum, aten.gt, aten.ge, aten.where, aten.clone,
    aten.contiguous, aten.to, aten.dropout,
})  # fmt: skip
ALONG_AXES = frozenset(
    {
        aten.mean,
        aten.sum,
        aten.amax,
        aten.amin,
        aten.var,
        aten.std,
        aten.slice,
        aten.narrow,
        aten.cat,
        aten.concat,
    }
)
LAST_FROM_FIRST = {0: 0, 1: 3, 2: 1, 3: 2}
# Kernels add up in one float32: over a million pixels that costs 40 dB of what adding up row by row
# keeps.
PIXELS_OF_ONE_SUM = 2**18


@dataclass(frozen=True)
class _Phases:
    """Channels [N, H, W, s²·C] of a depth to space, the phases in front: see `shuffles`."""

    value: Tensor


@dataclass(frozen=True)
class _Image:
    """A tensor [N, H, W, C] that stands for one of [N, C, H, W]."""

    value: Tensor


def to_channels_last(value: Tensor) -> Tensor:
    """Return [N, C, H, W] as [N, H, W, C]; a reshape where only one axis is longer than 1."""
    n, c, h, w = value.shape
    moves = c > 1 and h * w > 1
    return value.permute(0, 2, 3, 1) if moves else value.reshape(n, h, w, c)


def to_channels_first(value: Tensor) -> Tensor:
    """Return [N, H, W, C] as [N, C, H, W]; a reshape where only one axis is longer than 1."""
    n, h, w, c = value.shape
    moves = c > 1 and h * w > 1
    return value.permute(0, 3, 1, 2) if moves else value.reshape(n, c, h, w)


class ChannelsLast(nn.Module):
    """Runs a captured module on channels-last images.

    Args:
        module: module of a `Graph`.
        images: whether each input is an image, in order.
    """

    def __init__(self, module: GraphModule, images: Sequence[bool]) -> None:
        super().__init__()
        self.module = module
        self.images = tuple(images)
        self.training = False

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the module's outputs; images as [N, H, W, C]."""
        marked = (_Image(x) if image else x for x, image in zip(inputs, self.images, strict=True))
        output = _Flow(self.module).run(*marked)
        return tuple(map(_made, output)) if isinstance(output, tuple | list) else _made(output)


def _made(output: Tensor | _Image) -> Tensor:
    """Return an output; one that no operation on images gave is put together from tokens."""
    if isinstance(output, _Image):
        return output.value
    return to_channels_last(output) if output.dim() == 4 else output


class _Flow(Interpreter):
    """Runs a graph node by node, an image being an `_Image`."""

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - any value of a graph
        """Return the value of one node."""
        operation = getattr(target, "overloadpacket", None)
        if operation is aten.channel_shuffle and isinstance(args[0], _Image):
            return _Phases(args[0].value)
        if operation is aten.pixel_shuffle and isinstance(args[0], _Phases):
            return _depth_to_space(args[0].value, args[1])
        if not any(isinstance(value, _Image) for value in _flat(args)):
            result = super().call_function(target, args, kwargs)
            # A map that was put together from a style code or from tokens is an image from here on.
            image = operation in SPATIAL and isinstance(result, Tensor) and result.dim() == 4
            return _Image(to_channels_last(result)) if image else result
        if operation is aten.pad:
            return _pad(*args, **kwargs)
        if operation is aten.prelu:  # its slopes are those of axis 1
            x, slope = args[0].value, args[1]
            return _Image(F.relu(x) - slope * F.relu(-x))
        if operation is aten.instance_norm and args[5]:
            return _instance_norm(args[0].value, args[1], args[2], args[7])
        if operation in POINTWISE:
            return _Image(target(*(_aligned(value) for value in args), **kwargs))
        if operation in ALONG_AXES:
            renamed = _with_axes_renamed(target, args, kwargs)
            if operation is aten.mean and renamed is not None and renamed[0][0].dim() == 4:
                return _mean(*renamed[0], **renamed[1])
            if renamed is not None:
                result = target(*renamed[0], **renamed[1])
                return _Image(result) if result.dim() == 4 else result
        result = target(*_channels_first(args), **kwargs)
        spatial = isinstance(result, Tensor) and result.dim() == 4
        return _Image(to_channels_last(result)) if spatial else result


def _depth_to_space(x: Tensor, scale: int) -> _Image:
    """Return an image whose phases have become pixels: rank 4, and one transposition."""
    n, height, width, channels = x.shape
    rows = x.reshape(n * height, width, scale, channels // scale).transpose(1, 2)
    return _Image(rows.reshape(n, scale * height, scale * width, channels // scale**2))


def _flat(values: Sequence[Any]) -> list[Any]:
    return [
        item
        for value in values
        for item in (value if isinstance(value, list | tuple) else (value,))
    ]


def _channels_first(values: Sequence[Any]) -> list[Any]:
    return [
        to_channels_first(value.value)
        if isinstance(value, _Image)
        else _channels_first(value)
        if isinstance(value, list | tuple)
        else value
        for value in values
    ]


def _aligned(value: Any) -> Any:  # noqa: ANN401 - any argument
    """Return an operand so that it broadcasts against channels-last images as it did before."""
    if isinstance(value, _Image):
        return value.value
    if not isinstance(value, Tensor) or value.numel() == 1:
        return value
    return to_channels_last(value.reshape((1,) * (4 - value.dim()) + tuple(value.shape)))


def _pad(x: _Image, pad: list[int], mode: str = "constant", value: float | None = None) -> _Image:
    """Return a padded image; ``pad`` counts from the last axis of [N, C, H, W]."""
    if mode == "constant" and len(pad) <= 4:
        return _Image(F.pad(x.value, [0, 0, *pad], value=value or 0.0))
    return _Image(to_channels_last(F.pad(to_channels_first(x.value), pad, mode, value)))


def _instance_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> _Image:
    """Return a normalised image: statistics over height and width, two passes."""
    centred = x - _mean(x, [1, 2], keepdim=True).value
    scale = torch.rsqrt(_mean(centred * centred, [1, 2], keepdim=True).value + eps)
    result = centred * (scale if weight is None else scale * weight)
    return _Image(result if bias is None else result + bias)


def _mean(x: Tensor, axes: list[int], keepdim: bool = False, **rest: Any) -> Any:  # noqa: ANN401
    """Return the mean of [N, H, W, C]; of many pixels, the mean of the rows' means."""
    if sorted(axes) == [1, 2] and x.shape[1] * x.shape[2] > PIXELS_OF_ONE_SUM:
        x, axes = x.mean([2], keepdim=True, **rest), [1] if keepdim else [1, 2]
    result = x.mean(axes, keepdim, **rest)
    return _Image(result) if result.dim() == 4 else result


def _with_axes_renamed(
    target: Any,  # noqa: ANN401 - an operator
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> tuple[list[Any], dict[str, Any]] | None:
    """Return an operator's arguments for channels-last images; None where axes would mix.

    A reduction that drops axes keeps the order of the rest only where both spatial axes go.
    """
    names = [argument.name for argument in target._schema.arguments]
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    axes = _axes(given.get("dim"))
    keeps = "keepdim" not in names or given.get("keepdim", False)
    if axes is None or not (keeps or set(axes) == {2, 3}):
        return None
    value: Callable[[Any], Any] = lambda item: item.value if isinstance(item, _Image) else item  # noqa: E731
    if "tensors" in given:
        if not all(isinstance(item, _Image) for item in given["tensors"]):
            return None
        given["tensors"] = [item.value for item in given["tensors"]]
    renamed = [LAST_FROM_FIRST[axis] for axis in axes]
    given["dim"] = renamed if isinstance(given["dim"], list | tuple) else renamed[0]
    positional = [value(given.pop(name)) for name in names[: len(args)]]
    return positional, {name: value(item) for name, item in given.items()}


def _axes(dim: Any) -> list[int] | None:  # noqa: ANN401 - an argument
    listed = dim if isinstance(dim, list | tuple) else (dim,)
    return [axis % 4 for axis in listed] if all(isinstance(a, int) for a in listed) else None
