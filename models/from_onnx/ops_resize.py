"""ONNX ``Resize`` and ``Upsample`` as torch interpolation.

After the operator specification of onnx.ai, opsets 7 and later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from styleexport.models.from_onnx.node import Call

HALF_PIXEL = ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")


@dataclass(frozen=True)
class SamplingRule:
    """Rule by which an output position becomes an input position.

    Attributes:
        coordinates: ONNX's ``coordinate_transformation_mode``.
        rounding: ONNX's ``nearest_mode``.
    """

    coordinates: str
    rounding: str

    def repeats(self, scale: float) -> bool:
        """Whether nearest sampling repeats each element ``scale`` times."""
        if scale < 1 or scale != int(scale):
            return False
        if self.coordinates == "asymmetric":
            return self.rounding == "floor" or (
                scale == 2 and self.rounding == "round_prefer_floor"
            )
        return self.coordinates in HALF_PIXEL and self.rounding.startswith("round")

    def nearest(self, call: Call, length: int, out: int, scale: float) -> NDArray[np.float64]:
        """Return the input index that each output position copies, [out].

        Args:
            call: call, for messages.
            length: number of input elements along the axis.
            out: number of output elements.
            scale: scale of the axis.

        Raises:
            UnsupportedOp: the coordinates are not supported.
        """
        positions = np.arange(out, dtype=np.float64)
        if self.coordinates == "align_corners":
            source = positions * (length - 1) / max(1, out - 1)
        elif self.coordinates in HALF_PIXEL:
            source = (positions + 0.5) / scale - 0.5
        elif self.coordinates == "asymmetric":
            source = positions / scale
        else:
            raise call.node.unsupported(f"picks pixels by {self.coordinates}")
        if self.rounding.startswith("round"):
            up = self.rounding == "round_prefer_ceil"
            source = np.floor(source + 0.5) if up else np.ceil(source - 0.5)
        else:
            source = np.ceil(source) if self.rounding == "ceil" else np.floor(source)
        return np.clip(source, 0, length - 1)


def upsample(call: Call) -> Tensor:
    """Return ``Upsample`` of [N, C, H, W].

    Raises:
        UnsupportedOp: the scales are missing, depend on pixels, or are not supported.
    """
    attribute = call.node.attributes.get("scales", ())
    scales = call.value(1).reshape(-1).tolist() if call.has(1) else attribute
    if not isinstance(scales, list | tuple):
        raise call.node.unsupported("has no scales")
    return _resize(call, tuple(map(float, scales)), None, SamplingRule("asymmetric", "floor"))


def resize(call: Call) -> Tensor:
    """Return ``Resize`` of [N, C, H, W].

    Raises:
        UnsupportedOp: the mode is not supported, or the sizes depend on pixels.
    """
    data = call.tensor(0)
    opset_10 = len(call.node.inputs) == 2
    scales_at = 1 if opset_10 else 2
    scales = call.value(scales_at).reshape(-1) if call.has(scales_at) else np.empty(0)
    sizes = call.integers("", 3)
    axes = call.integers("axes") or tuple(range(data.dim()))
    if (
        call.integer("antialias", 0)
        or call.text("keep_aspect_ratio_policy", "stretch") != "stretch"
    ):
        raise call.node.unsupported("smooths or keeps proportions")
    all_scales: list[float] = [1.0] * data.dim()
    shape: list[int] = list(data.shape)
    for position, axis in enumerate(axes):
        if sizes:
            shape[axis] = sizes[position]
            all_scales[axis] = shape[axis] / data.shape[axis]
        elif len(scales):
            all_scales[axis] = float(scales[position])
    rule = SamplingRule(
        call.text("coordinate_transformation_mode", "asymmetric" if opset_10 else "half_pixel"),
        call.text("nearest_mode", "floor" if opset_10 else "round_prefer_floor"),
    )
    return _resize(call, tuple(all_scales), tuple(shape) if sizes else None, rule)


def _resize(
    call: Call, scales: Sequence[float], shape: Sequence[int] | None, rule: SamplingRule
) -> Tensor:
    data, mode = call.tensor(0), call.text("mode", "nearest")
    if data.dim() != 4 or tuple(scales[:2]) != (1.0, 1.0):
        raise call.node.unsupported(f"scales {list(data.shape)} by {list(scales)}")
    if shape is None:
        shape = [math.floor(side * scale) for side, scale in zip(data.shape, scales, strict=True)]
    call.bounded(shape)
    size = (shape[2], shape[3])
    if size == tuple(data.shape[2:]):
        return data
    if mode == "nearest":
        return _resize_nearest(call, data, size, tuple(scales[2:]), rule)
    modes = {"linear": "bilinear", "cubic": "bicubic"}
    supported = ("align_corners", "half_pixel", "pytorch_half_pixel")
    if mode not in modes or rule.coordinates not in supported:
        raise call.node.unsupported(f"resizes in mode {mode}, {rule.coordinates}")
    corners = rule.coordinates == "align_corners"
    return functional.interpolate(data, size, mode=modes[mode], align_corners=corners)


def _resize_nearest(
    call: Call, data: Tensor, size: tuple[int, int], scales: Sequence[float], rule: SamplingRule
) -> Tensor:
    """Return the resized [N, C, H, W] by the torch mode that copies the same pixels."""
    if all(rule.repeats(scale) for scale in scales):
        return functional.interpolate(data, scale_factor=[float(scale) for scale in scales])
    sides = list(zip(data.shape[2:], size, scales, strict=True))
    expected = [rule.nearest(call, n, m, scale) for n, m, scale in sides]
    for mode, offset in (("nearest", 0.0), ("nearest-exact", 0.5)):
        sources = [np.floor((np.arange(m) + offset) * (n / m)) for n, m, _ in sides]
        if all(np.array_equal(*pair) for pair in zip(sources, expected, strict=True)):
            return functional.interpolate(data, size, mode=mode)
    raise call.node.unsupported(
        f"picks pixels by {rule.coordinates}, {rule.rounding} at scales {list(scales)}"
    )
