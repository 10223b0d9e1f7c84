"""Gradients of layers by their inputs, written with the operations that every target has.

An exported file has no automatic differentiation. `with_gradient` returns what a layer computes,
and a function that maps the gradient of a loss by that, g = ∂L/∂y, to the gradient by the layer's
input, ∂L/∂x. It is called while the layer's result and input are at hand, so that a whole network
and its backward pass become one static graph. docs/reference/backward.md has the algebra:

    convolution, stride 1    g convolved with the kernels turned by 180°, channels exchanged
    convolution, stride s    g in a transposed convolution with the same kernels
    reflection padding       the border of g folded back onto what it mirrors
    ReLU, PReLU              g where the result is above 0; elsewhere 0, or g times the slope
    2x2 max pooling          g to the first pixel of the window that is as large as the maximum
    layers in sequence       one after the other, the last first

Other layers, also those of other files, are added by ``with_gradient.register``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Gradient = Callable[[Tensor], Tensor]


@functools.singledispatch
def with_gradient(layer: nn.Module, x: Tensor) -> tuple[Tensor, Gradient]:
    """Return a layer's result y, and the function from ∂L/∂y to ∂L/∂x.

    Args:
        layer: layer in inference mode.
        x: [N, C, H, W].

    Raises:
        TypeError: the gradient of such a layer is not written here.
    """
    raise TypeError(f"{type(layer).__name__} has no gradient: register one with with_gradient")


@with_gradient.register
def _identity(layer: nn.Identity, x: Tensor) -> tuple[Tensor, Gradient]:
    return layer(x), lambda g: g


@with_gradient.register
def _sequence(layer: nn.Sequential, x: Tensor) -> tuple[Tensor, Gradient]:
    gradients: list[Gradient] = []
    for each in layer:
        x, gradient = with_gradient(each, x)
        gradients.append(gradient)

    def backward(g: Tensor) -> Tensor:
        for gradient in reversed(gradients):
            g = gradient(g)
        return g

    return x, backward


@with_gradient.register
def _convolution(layer: nn.Conv2d, x: Tensor) -> tuple[Tensor, Gradient]:
    if layer.groups != 1 or layer.padding_mode not in ("zeros", "reflect"):
        raise TypeError(f"{layer} has no gradient: groups and other padding are not written here")
    rows, columns = x.shape[2:]
    assert isinstance(layer.padding, tuple)
    top, left = layer.padding

    def backward(g: Tensor) -> Tensor:
        if layer.padding_mode == "zeros":
            return _of_kernels(layer, g, (top, left), (rows, columns))
        padded = _of_kernels(layer, g, (0, 0), (rows + 2 * top, columns + 2 * left))
        return _folded(_folded(padded, 2, top), 3, left)

    return layer(x), backward


def _of_kernels(
    layer: nn.Conv2d, g: Tensor, padding: tuple[int, int], size: tuple[int, int]
) -> Tensor:
    """Return the gradient by the input, of a height and width, of a zero-padded convolution."""
    reach = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    if layer.stride == (1, 1):
        turned = layer.weight.transpose(0, 1).flip(2, 3)
        outside = [r - p for r, p in zip(reach, padding, strict=True)]
        return F.conv2d(g, turned, None, 1, outside, layer.dilation)
    given = [
        (rows - 1) * s - 2 * p + r + 1
        for rows, s, p, r in zip(g.shape[2:], layer.stride, padding, reach, strict=True)
    ]
    missing = [whole - part for whole, part in zip(size, given, strict=True)]
    return F.conv_transpose2d(
        g, layer.weight, None, layer.stride, padding, missing, 1, layer.dilation
    )


def _folded(g: Tensor, axis: int, pad: int) -> Tensor:
    """Return the gradient before reflection padding along an axis: borders added to their source.

    Padding by p repeats x[1..p] in front, the last first, and x[n-1-p..n-2] behind.
    """
    if pad == 0:
        return g
    length = g.shape[axis] - 2 * pad
    inner = g.narrow(axis, pad, length)
    front = g.narrow(axis, 0, pad).flip(axis)
    behind = g.narrow(axis, pad + length, pad).flip(axis)
    return (
        inner + _between(front, axis, 1, length) + _between(behind, axis, length - 1 - pad, length)
    )


def _between(g: Tensor, axis: int, start: int, length: int) -> Tensor:
    """Return a gradient that is zero but for a part that starts somewhere along an axis."""
    after = length - start - g.shape[axis]
    return F.pad(g, (0, 0, start, after) if axis == 2 else (start, after))


def _zero(like: Tensor) -> Tensor:
    return torch.zeros((), dtype=like.dtype, device=like.device)


@with_gradient.register
def _relu(layer: nn.ReLU, x: Tensor) -> tuple[Tensor, Gradient]:
    y = layer(x)
    return y, lambda g: torch.where(y > 0, g, _zero(g))


@with_gradient.register
def _prelu(layer: nn.PReLU, x: Tensor) -> tuple[Tensor, Gradient]:
    slope = layer.weight.reshape(1, -1, 1, 1)
    return layer(x), lambda g: torch.where(x > 0, g, g * slope)


@with_gradient.register
def _max_pool(layer: nn.MaxPool2d, x: Tensor) -> tuple[Tensor, Gradient]:
    """Pool pairs of columns, then pairs of rows: of equal pixels, the first in reading order."""
    if (layer.kernel_size, layer.stride, layer.padding) != (2, 2, 0):
        raise TypeError(f"{layer} has no gradient: windows other than 2x2 are not written here")
    across, from_columns = _pairs(x, 3, ceil=layer.ceil_mode)
    y, from_rows = _pairs(across, 2, ceil=layer.ceil_mode)
    return y, lambda g: from_columns(from_rows(g))


def _pairs(x: Tensor, axis: int, *, ceil: bool) -> tuple[Tensor, Gradient]:
    """Return the larger of every two neighbours along an axis, and the gradient's function."""
    length = x.shape[axis]
    even = length + length % 2 if ceil else length - length % 2
    if even > length:
        x = torch.cat([x, x.narrow(axis, length - 1, 1)], axis)
    places = [slice(None)] * 4
    first, second = (
        x[(*places[:axis], slice(start, even, 2), *places[axis + 1 :])] for start in (0, 1)
    )

    def backward(g: Tensor) -> Tensor:
        to_first = torch.where(first >= second, g, _zero(g))
        both = _interleaved(to_first, g - to_first, axis)
        if even > length:
            return both.narrow(axis, 0, length)
        return F.pad(both, (0, 0, 0, 1) if axis == 2 else (0, 1)) if even < length else both

    return torch.maximum(first, second), backward


def _interleaved(first: Tensor, second: Tensor, axis: int) -> Tensor:
    """Return two maps as one that is twice as long along an axis, their rows or columns in turn."""
    n, c, h, w = first.shape
    if axis == 2:  # rows of both, side by side, are the same memory as one below the other
        return torch.cat([first, second], 3).reshape(n, c, 2 * h, w)
    pairs = torch.cat([first.reshape(n, c, h * w, 1), second.reshape(n, c, h * w, 1)], 3)
    return pairs.reshape(n, c, h, 2 * w)
