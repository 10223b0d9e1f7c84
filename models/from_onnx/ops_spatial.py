"""ONNX operations on pictures: convolution, normalisation, padding, resizing, pooling.

After the operator specification of onnx.ai, opsets 7 and later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from styleexport.models.from_onnx.node import Call

Pair = tuple[int, int]


def _conv(call: Call) -> Tensor:
    data, weight = call.tensor(0), call.tensor(1)
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


def _conv_transpose(call: Call) -> Tensor:
    data, weight = call.tensor(0), call.tensor(1)
    _check_plane(call, data)
    if call.integers("output_shape") or call.text("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise call.node.unsupported("names its output's size, expected pads")
    stride, dilation = _pair(call, "strides"), _pair(call, "dilations")
    extra = call.integers("output_padding") or (0, 0)
    top, left, bottom, right = call.integers("pads") or (0, 0, 0, 0)
    groups, bias = call.integer("group", 1), call.optional(2)
    if (top, left) == (bottom, right):
        return functional.conv_transpose2d(
            data, weight, bias, stride, (top, left), extra, groups, dilation
        )
    whole = functional.conv_transpose2d(data, weight, bias, stride, 0, extra, groups, dilation)
    return whole[:, :, top : whole.shape[2] - bottom, left : whole.shape[3] - right]


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


def _sides(call: Call) -> list[int]:
    """Return what a pad adds, as torch has it: the last axis first, each before and after."""
    data, given = call.tensor(0), call.integers("pads", 1) or ()
    axes = call.integers("axes", 3) or tuple(range(data.dim()))
    before, after = [0] * data.dim(), [0] * data.dim()
    for position, axis in enumerate(axes):
        before[axis], after[axis] = given[position], given[position + len(axes)]
    call.bounded([sum(sides) for sides in zip(data.shape, before, after, strict=True)])
    return [side for pair in zip(reversed(before), reversed(after), strict=True) for side in pair]


def _filling(call: Call) -> float:
    return float(call.value(2).reshape(())) if call.has(2) else call.number("value", 0.0)


def border(call: Call) -> Pair | None:
    """Return the rows and columns that a pad puts on both sides alike, if they are of zeros."""
    flat = _sides(call)
    even = len(flat) == 8 and flat[0] == flat[1] and flat[2] == flat[3] and not any(flat[4:])
    if call.text("mode", "constant") != "constant" or not even or min(flat) < 0 or _filling(call):
        return None
    return flat[2], flat[0]


def _pad(call: Call) -> Tensor:
    data, mode, flat = call.tensor(0), call.text("mode", "constant"), _sides(call)
    if not any(flat):
        return data
    if mode == "constant":
        while len(flat) > 2 and not any(flat[-2:]):
            flat = flat[:-2]
        return functional.pad(data, flat, value=_filling(call))
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


def _upsample(call: Call) -> Tensor:
    given = call.node.attributes.get("scales", ())
    scales = call.value(1).reshape(-1).tolist() if call.has(1) else given
    if not isinstance(scales, list | tuple):
        raise call.node.unsupported("has no scales")
    return _resized(call, tuple(map(float, scales)), None, "asymmetric", "floor")


def _resize(call: Call) -> Tensor:
    data = call.tensor(0)
    old = len(call.node.inputs) == 2
    scales_at = 1 if old else 2
    scales = call.value(scales_at).reshape(-1) if call.has(scales_at) else np.empty(0)
    sizes = call.integers("", 3)
    axes = call.integers("axes") or tuple(range(data.dim()))
    if (
        call.integer("antialias", 0)
        or call.text("keep_aspect_ratio_policy", "stretch") != "stretch"
    ):
        raise call.node.unsupported("smooths or keeps proportions")
    by: list[float] = [1.0] * data.dim()
    to: list[int] = list(data.shape)
    for position, axis in enumerate(axes):
        if sizes:
            to[axis] = sizes[position]
            by[axis] = to[axis] / data.shape[axis]
        elif len(scales):
            by[axis] = float(scales[position])
    where = call.text("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    rounding = call.text("nearest_mode", "floor" if old else "round_prefer_floor")
    return _resized(call, tuple(by), tuple(to) if sizes else None, where, rounding)


def _resized(
    call: Call, scales: Sequence[float], sizes: Sequence[int] | None, where: str, rounding: str
) -> Tensor:
    data, mode = call.tensor(0), call.text("mode", "nearest")
    if data.dim() != 4 or tuple(scales[:2]) != (1.0, 1.0):
        raise call.node.unsupported(f"scales {list(data.shape)} by {list(scales)}")
    if sizes is None:
        sizes = [math.floor(side * by) for side, by in zip(data.shape, scales, strict=True)]
    call.bounded(sizes)
    to: Pair = (sizes[2], sizes[3])
    if to == tuple(data.shape[2:]):
        return data
    if mode == "nearest":
        return _nearest(call, data, to, tuple(scales[2:]), where, rounding)
    names = {"linear": "bilinear", "cubic": "bicubic"}
    corners = where == "align_corners"
    if mode not in names or where not in ("align_corners", "half_pixel", "pytorch_half_pixel"):
        raise call.node.unsupported(f"resizes in mode {mode}, {where}")
    return functional.interpolate(data, to, mode=names[mode], align_corners=corners)


def _nearest(
    call: Call, data: Tensor, to: Pair, scales: Sequence[float], where: str, rounding: str
) -> Tensor:
    """Return the resized picture by the rule of torch that picks the pixels that ONNX's does."""
    if all(_repeats(scale, where, rounding) for scale in scales):
        return functional.interpolate(data, scale_factor=[float(scale) for scale in scales])
    sides = list(zip(data.shape[2:], to, scales, strict=True))
    wanted = [_picked(call, n, m, scale, where, rounding) for n, m, scale in sides]
    for mode, offset in (("nearest", 0.0), ("nearest-exact", 0.5)):
        ours = [np.floor((np.arange(m) + offset) * (n / m)) for n, m, _ in sides]
        if all(np.array_equal(*pair) for pair in zip(ours, wanted, strict=True)):
            return functional.interpolate(data, to, mode=mode)
    raise call.node.unsupported(f"picks pixels by {where}, {rounding} at scales {list(scales)}")


def _repeats(scale: float, where: str, rounding: str) -> bool:
    """Return whether a rule writes each pixel ``scale`` times."""
    if scale < 1 or scale != int(scale):
        return False
    if where == "asymmetric":
        return rounding == "floor" or (scale == 2 and rounding == "round_prefer_floor")
    return where in HALF_PIXEL and rounding.startswith("round")


def _picked(
    call: Call, length: int, out: int, scale: float, where: str, rounding: str
) -> NDArray[np.float64]:
    """Return which of ``length`` rows each of ``out`` rows copies."""
    rows = np.arange(out, dtype=np.float64)
    if where == "align_corners":
        source = rows * (length - 1) / max(1, out - 1)
    elif where in HALF_PIXEL:
        source = (rows + 0.5) / scale - 0.5
    elif where == "asymmetric":
        source = rows / scale
    else:
        raise call.node.unsupported(f"picks pixels by {where}")
    if rounding.startswith("round"):
        up = rounding == "round_prefer_ceil"
        source = np.floor(source + 0.5) if up else np.ceil(source - 0.5)
    else:
        source = np.ceil(source) if rounding == "ceil" else np.floor(source)
    return np.clip(source, 0, length - 1)


def _depth_to_space(call: Call) -> Tensor:
    data, side = call.tensor(0), call.integer("blocksize", 1)
    if call.text("mode", "DCR") == "CRD":
        return functional.pixel_shuffle(data, side)
    batch, channels, height, width = data.shape
    blocks = data.reshape(batch, side, side, channels // side**2, height, width)
    return blocks.permute(0, 3, 4, 1, 5, 2).reshape(batch, -1, height * side, width * side)


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
    """Return (top, left, bottom, right), named or by the rule that ``auto_pad`` is."""
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


HALF_PIXEL = ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")
POOL = ("kernel_shape", "strides", "dilations")

LAYERS: Mapping[str, Callable[[Call], Tensor]] = {
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "GlobalAveragePool": _global_average,
    "GlobalMaxPool": _global_max,
    "InstanceNormalization": _instance_norm,
    "MaxPool": _max_pool,
    "Pad": _pad,
    "Resize": _resize,
    "SpaceToDepth": _space_to_depth,
    "Upsample": _upsample,
}
