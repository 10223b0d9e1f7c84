"""ONNX operations on feature maps: convolution, normalisation, padding, pooling, resizing.

After the operator specification of onnx.ai, opsets 7 and later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional

from styleexport.models.from_onnx.node import Call
from styleexport.models.from_onnx.ops_resize import resize, upsample

# Of rows and columns.
Pair = tuple[int, int]


def _conv(call: Call) -> Tensor:
    data, weight = call.tensor(0), call.tensor(1)
    if data.dim() == 3:
        return _conv_of_rows(call, data, weight)
    _check_plane(call, data)
    stride, dilation = _pair(call, "strides"), _pair(call, "dilations")
    kernel: Pair = (weight.shape[2], weight.shape[3])
    top, left, bottom, right = _pads(call, data, kernel, stride, dilation)
    if (top, left) != (bottom, right):
        data = functional.pad(data, (left, right, top, bottom))
        top = left = 0
    top, left = top + call.border[0], left + call.border[1]
    groups = call.integer("group", 1)
    return functional.conv2d(data, weight, call.optional(2), stride, (top, left), dilation, groups)


def _conv_of_rows(call: Call, data: Tensor, weight: Tensor) -> Tensor:
    """Return the convolution of [N, C, L]."""
    before, after = call.integers("pads") or (0, 0)
    if call.text("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise call.node.unsupported("pads rows by a rule, expected amounts")
    (stride,), (dilation,) = (call.integers(name) or (1,) for name in ("strides", "dilations"))
    padded = functional.pad(data, (before, after)) if before != after else data
    side = 0 if before != after else before
    groups = call.integer("group", 1)
    return functional.conv1d(padded, weight, call.optional(2), stride, side, dilation, groups)


def _conv_transpose(call: Call) -> Tensor:
    data, weight = call.tensor(0), call.tensor(1)
    _check_plane(call, data)
    stride, dilation = _pair(call, "strides"), _pair(call, "dilations")
    extra = call.integers("output_padding") or (0, 0)
    kernel: Pair = (weight.shape[2], weight.shape[3])
    top, left, bottom, right = _transposed_pads(call, data, kernel, stride, dilation, extra)
    groups, bias = call.integer("group", 1), call.optional(2)
    if (top, left) == (bottom, right):
        return functional.conv_transpose2d(
            data, weight, bias, stride, (top, left), extra, groups, dilation
        )
    whole = functional.conv_transpose2d(data, weight, bias, stride, 0, extra, groups, dilation)
    return whole[:, :, top : whole.shape[2] - bottom, left : whole.shape[3] - right]


def _transposed_pads(
    call: Call, data: Tensor, kernel: Pair, stride: Pair, dilation: Pair, extra: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """Return (top, left, bottom, right) that a transposed convolution cuts off.

    As given, or what is over a named size or ``auto_pad``'s, which is the stride times the input's.

    Raises:
        UnsupportedOp: the named size is larger than what the convolution makes.
    """
    rule, sizes = call.text("auto_pad", "NOTSET"), call.integers("output_shape")
    if rule in ("NOTSET", "VALID") and sizes is None:
        top, left, bottom, right = call.integers("pads") or (0, 0, 0, 0)
        return top, left, bottom, right
    sides: list[Pair] = []
    for axis, (length, k, s, d, e) in enumerate(
        zip(data.shape[2:], kernel, stride, dilation, extra, strict=True)
    ):
        size = length * s if sizes is None else sizes[axis - 2]
        total = s * (length - 1) + e + (k - 1) * d + 1 - size
        if total < 0:
            raise call.node.unsupported("names a size larger than it makes")
        small, large = total // 2, total - total // 2
        sides.append((small, large) if rule == "SAME_UPPER" else (large, small))
    return sides[0][0], sides[1][0], sides[0][1], sides[1][1]


def _group_norm(call: Call) -> Tensor:
    # Opset 18 had another, which was withdrawn.
    epsilon = call.number("epsilon", 1e-5)
    groups = call.integer("num_groups", 1)
    return functional.group_norm(call.tensor(0), groups, call.tensor(1), call.tensor(2), epsilon)


def _variance_norm(call: Call) -> Tensor:
    data, axes = call.tensor(0), list(call.integers("axes") or (0, 2, 3))
    mean = data.mean(axes, keepdim=True)
    spread = ((data - mean) ** 2).mean(axes, keepdim=True).sqrt()
    return (data - mean) / (spread + 1e-9)


def _local_response_norm(call: Call) -> Tensor:
    data, size = call.tensor(0), call.integer("size", 1)
    before = (size - 1) // 2
    squared = functional.pad(data * data, (0, 0, 0, 0, before, size - 1 - before))
    total = sum(squared[:, first : first + data.shape[1]] for first in range(size))
    scale = call.number("alpha", 1e-4) / size
    return data / (call.number("bias", 1.0) + scale * total) ** call.number("beta", 0.75)


def _grid_sample(call: Call) -> Tensor:
    modes = {"linear": "bilinear", "cubic": "bicubic"}
    mode = call.text("mode", "linear")
    return functional.grid_sample(
        call.tensor(0),
        call.tensor(1),
        mode=modes.get(mode, mode),
        padding_mode=call.text("padding_mode", "zeros"),
        align_corners=bool(call.integer("align_corners", 0)),
    )


def _affine_grid(call: Call) -> Tensor:
    size = call.bounded(call.integers("", 1) or ())
    return functional.affine_grid(
        call.tensor(0), list(size), bool(call.integer("align_corners", 0))
    )


def _instance_norm(call: Call) -> Tensor:
    return functional.instance_norm(
        call.tensor(0),
        weight=call.tensor(1),
        bias=call.tensor(2),
        eps=call.number("epsilon", 1e-5),
    )


def _batch_norm(call: Call) -> Tensor:
    if call.integer("training_mode", 0):
        raise call.node.unsupported("is in training mode")
    scale, shift, mean, variance = (call.tensor(index) for index in range(1, 5))
    epsilon = call.number("epsilon", 1e-5)
    return functional.batch_norm(call.tensor(0), mean, variance, scale, shift, eps=epsilon)


def _pad_amounts(call: Call) -> list[int]:
    """Return the elements that a pad adds, in torch's order: last axis first, before and after."""
    data, given = call.tensor(0), call.integers("pads", 1) or ()
    axes = call.integers("axes", 3) or tuple(range(data.dim()))
    before, after = [0] * data.dim(), [0] * data.dim()
    for position, axis in enumerate(axes):
        before[axis], after[axis] = given[position], given[position + len(axes)]
    call.bounded([sum(sides) for sides in zip(data.shape, before, after, strict=True)])
    return [side for pair in zip(reversed(before), reversed(after), strict=True) for side in pair]


def _pad_value(call: Call) -> float:
    return float(call.value(2).reshape(())) if call.has(2) else call.number("value", 0.0)


def border(call: Call) -> Pair | None:
    """Return the rows and columns of zeros of a pad that is equal on both sides; None for others.

    Raises:
        UnsupportedOp: the amounts depend on pixels, or the result is too large.
    """
    flat = _pad_amounts(call)
    even = len(flat) == 8 and flat[0] == flat[1] and flat[2] == flat[3] and not any(flat[4:])
    if call.text("mode", "constant") != "constant" or not even or min(flat) < 0 or _pad_value(call):
        return None
    return flat[2], flat[0]


def _pad(call: Call) -> Tensor:
    data, mode, flat = call.tensor(0), call.text("mode", "constant"), _pad_amounts(call)
    if not any(flat):
        return data
    if mode == "constant":
        while len(flat) > 2 and not any(flat[-2:]):
            flat = flat[:-2]
        return functional.pad(data, flat, value=_pad_value(call))
    modes = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    if mode not in modes or data.dim() != 4 or any(flat[4:]):
        raise call.node.unsupported(f"pads {list(data.shape)} by {flat} in mode {mode}")
    return functional.pad(data, flat[:4], mode=modes[mode])


def _max_pool(call: Call) -> Tensor:
    data = call.tensor(0)
    _check_plane(call, data)
    kernel, stride, dilation = (_pair(call, name) for name in POOL)
    top, left, bottom, right = _pads(call, data, kernel, stride, dilation)
    if (top, left) != (bottom, right) or top > kernel[0] // 2 or left > kernel[1] // 2:
        data = functional.pad(data, (left, right, top, bottom), value=-math.inf)
        top = left = 0
    ceil = bool(call.integer("ceil_mode", 0))
    return functional.max_pool2d(data, kernel, stride, (top, left), dilation, ceil)


def _average_pool(call: Call) -> Tensor:
    data = call.tensor(0)
    _check_plane(call, data)
    kernel, stride, dilation = (_pair(call, name) for name in POOL)
    top, left, bottom, right = _pads(call, data, kernel, stride, dilation)
    count = bool(call.integer("count_include_pad", 0))
    uneven = (top, left) != (bottom, right)
    if dilation != (1, 1) or (uneven and not count):
        raise call.node.unsupported("is dilated or pads one side more than the other")
    if uneven:
        data = functional.pad(data, (left, right, top, bottom))
        top = left = 0
    ceil = bool(call.integer("ceil_mode", 0))
    return functional.avg_pool2d(data, kernel, stride, (top, left), ceil, count)


def _global_average(call: Call) -> Tensor:
    data = call.tensor(0)
    return data.mean(tuple(range(2, data.dim())), keepdim=True)


def _global_max(call: Call) -> Tensor:
    data = call.tensor(0)
    return data.amax(tuple(range(2, data.dim())), keepdim=True)


def _depth_to_space(call: Call) -> Tensor:
    data, side = call.tensor(0), call.integer("blocksize", 1)
    if call.text("mode", "DCR") == "CRD":
        return functional.pixel_shuffle(data, side)
    batch, channels, height, width = data.shape
    blocks = data.reshape(batch, side, side, channels // side**2, height, width)
    return blocks.permute(0, 3, 4, 1, 5, 2).reshape(batch, -1, height * side, width * side)


def _col_to_im(call: Call) -> Tensor:
    image, block = call.integers("", 1) or (), call.integers("", 2) or ()
    if len(image) != 2:
        raise call.node.unsupported(f"makes pictures of {len(image)} axes, expected 2")
    given = call.integers("pads") or (0, 0, 0, 0)
    if given[:2] != given[2:]:
        raise call.node.unsupported("pads one side more than the other")
    dilation, stride = (call.integers(name) or (1, 1) for name in ("dilations", "strides"))
    call.bounded(image)
    return functional.fold(call.tensor(0), image, block, dilation, given[:2], stride)


def _space_to_depth(call: Call) -> Tensor:
    data, side = call.tensor(0), call.integer("blocksize", 1)
    batch, channels, height, width = data.shape
    blocks = data.reshape(batch, channels, height // side, side, width // side, side)
    return blocks.permute(0, 3, 5, 1, 2, 4).reshape(batch, -1, height // side, width // side)


def _pair(call: Call, name: str) -> Pair:
    given = call.integers(name) or (1, 1)
    return given[0], given[1]


def _check_plane(call: Call, data: Tensor) -> None:
    if data.dim() != 4:
        raise call.node.unsupported(f"works on {list(data.shape)}, expected [N, C, H, W]")


def _pads(
    call: Call, data: Tensor, kernel: Pair, stride: Pair, dilation: Pair
) -> tuple[int, int, int, int]:
    """Return (top, left, bottom, right), as given or by the ``auto_pad`` rule."""
    rule = call.text("auto_pad", "NOTSET")
    if rule == "NOTSET":
        given = call.integers("pads") or (0, 0, 0, 0)
        return given[0], given[1], given[2], given[3]
    if rule == "VALID":
        return 0, 0, 0, 0
    sides: list[Pair] = []
    for length, k, s, d in zip(data.shape[2:], kernel, stride, dilation, strict=True):
        total = max(0, (math.ceil(length / s) - 1) * s + (k - 1) * d + 1 - length)
        small, large = total // 2, total - total // 2
        sides.append((small, large) if rule == "SAME_UPPER" else (large, small))
    return sides[0][0], sides[1][0], sides[0][1], sides[1][1]


POOL = ("kernel_shape", "strides", "dilations")

SPATIAL_OPS: Mapping[str, Callable[[Call], Tensor]] = {
    "AffineGrid": _affine_grid,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Col2Im": _col_to_im,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "GlobalAveragePool": _global_average,
    "GlobalMaxPool": _global_max,
    "GroupNormalization": _group_norm,
    "GridSample": _grid_sample,
    "InstanceNormalization": _instance_norm,
    "LRN": _local_response_norm,
    "MaxPool": _max_pool,
    "MeanVarianceNormalization": _variance_norm,
    "Pad": _pad,
    "Resize": resize,
    "SpaceToDepth": _space_to_depth,
    "Upsample": upsample,
}
