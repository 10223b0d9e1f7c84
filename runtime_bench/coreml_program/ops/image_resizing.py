"""Resizing the last two axes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from styleexport.runtime_bench.coreml_program.op import Ints, operations


def upsample_nearest_neighbor(
    x: Tensor, scale_factor_height: float = 1.0, scale_factor_width: float = 1.0
) -> Tensor:
    """Return x, floor(side·scale) long; place i takes value floor(i·side / new side)."""
    factors = (scale_factor_height, scale_factor_width)
    return _nearest(x, _scaled(x, factors), "DEFAULT")


def resize_nearest_neighbor(x: Tensor, target_size_height: int, target_size_width: int) -> Tensor:
    """Return x at a size; place i takes value floor(i·side / new side)."""
    return _nearest(x, (target_size_height, target_size_width), "DEFAULT")


def upsample_bilinear(
    x: Tensor,
    scale_factor_height: float = 1.0,
    scale_factor_width: float = 1.0,
    align_corners: bool = True,
    half_pixel_centers: bool | None = None,
) -> Tensor:
    """Return x, floor(side·scale) long, interpolated; the scale is that of the rounded sides."""
    half = not align_corners if half_pixel_centers is None else half_pixel_centers
    mode = "STRICT_ALIGN_CORNERS" if align_corners else "UNALIGN_CORNERS" if half else "DEFAULT"
    return _bilinear(x, _scaled(x, (scale_factor_height, scale_factor_width)), mode)


def resize_bilinear(
    x: Tensor,
    target_size_height: int = 1,
    target_size_width: int = 1,
    sampling_mode: str = "DEFAULT",
) -> Tensor:
    """Return x at a size, interpolated."""
    return _bilinear(x, (target_size_height, target_size_width), sampling_mode)


def resize(
    x: Tensor,
    shape: Ints,
    resized_dims: int,
    interpolation_mode: str = "LINEAR",
    sampling_mode: str = "DEFAULT",
) -> Tensor:
    """Return x with its last axes at the last sides of a shape, 0 standing for the side of x."""
    target = shape[len(shape) - resized_dims :]
    kept = x.shape[x.dim() - resized_dims :]
    sides = tuple(new or old for new, old in zip(target, kept, strict=True))
    resized = _nearest if interpolation_mode == "NEAREST_NEIGHBOR" else _bilinear
    return resized(x, sides, sampling_mode)


def crop(x: Tensor, crop_height: Ints, crop_width: Ints) -> Tensor:
    """Return x without some rows at top and bottom and columns at left and right."""
    (top, bottom), (left, right) = crop_height, crop_width
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


def affine(
    x: Tensor,
    transform_matrix: Tensor,
    output_height: int,
    output_width: int,
    sampling_mode: str = "bilinear",
    padding_mode: str = "constant",
    padding_value: float = 0.0,
    coordinates_mode: str = "normalized_minus_one_to_one",
    align_corners: bool = True,
) -> Tensor:
    """Return x [B, C, H, W] resampled through an affine map of coordinates in -1..1."""
    matrix = transform_matrix.reshape(-1, 2, 3).expand(x.shape[0], 2, 3)
    size = [x.shape[0], x.shape[1], output_height, output_width]
    grid = F.affine_grid(matrix, size, align_corners=align_corners)
    return F.grid_sample(x, grid, sampling_mode, "zeros", align_corners=align_corners)


def resample(
    x: Tensor,
    coordinates: Tensor,
    sampling_mode: str,
    padding_mode: str,
    padding_value: float,
    coordinates_mode: str,
    align_corners: bool,
) -> Tensor:
    """Return x [B, C, H, W] at coordinates [B, H', W', 2], x before y.

    Raises:
        ValueError: the value outside the image is constant and not 0.
    """
    if padding_mode == "constant" and padding_value != 0:
        raise ValueError(f"padding_value is {padding_value}, expected 0")
    grid = coordinates.float()
    if coordinates_mode == "unnormalized":
        sides = torch.tensor([x.shape[-1], x.shape[-2]])
        grid = 2 * grid / (sides - 1) - 1 if align_corners else (2 * grid + 1) / sides - 1
    elif coordinates_mode == "normalized_zero_to_one":
        grid = 2 * grid - 1
    padding = {"constant": "zeros", "border": "border"}.get(padding_mode, "reflection")
    return F.grid_sample(x, grid, sampling_mode, padding, align_corners=align_corners)


def _scaled(x: Tensor, factors: tuple[float, float]) -> Ints:
    return tuple(math.floor(s * f) for s, f in zip(x.shape[-2:], factors, strict=True))


def _places(side: int, count: int, mode: str) -> Tensor:
    """Return where along a side each of ``count`` samples lies, in pixels.

    Raises:
        ValueError: the mode is none of MIL's five.
    """
    steps = torch.arange(count, dtype=torch.float64)
    if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        if count == 1:
            return steps + (0 if mode.startswith("STRICT") else (side - 1) / 2)
        places = steps * (side - 1) / (count - 1)
    elif mode == "DEFAULT":
        places = steps * side / count
    elif mode == "OFFSET_CORNERS":
        places = (steps + 0.5) * max(1, side - 1) / count
    elif mode == "UNALIGN_CORNERS":
        places = (steps + 0.5) * side / count - 0.5
    else:
        raise ValueError(f"sampling mode is {mode}, expected one of MIL's five")
    return places.clamp(0, side - 1)


def _bilinear(x: Tensor, sides: Ints, mode: str) -> Tensor:
    for axis, count in zip(range(-len(sides), 0), sides, strict=True):
        if x.shape[axis] == count and mode != "OFFSET_CORNERS":
            continue
        places = _places(x.shape[axis], count, mode)
        low = places.floor().long()
        high = (low + 1).clamp(max=x.shape[axis] - 1)
        share = (places - low).float().reshape([-1] + [1] * (-1 - axis))
        x = torch.lerp(x.index_select(axis, low), x.index_select(axis, high), share)
    return x


def _nearest(x: Tensor, sides: Ints, mode: str) -> Tensor:
    """Return the values nearest to the samples; ``DEFAULT`` takes the one at or before them."""
    for axis, count in zip(range(-len(sides), 0), sides, strict=True):
        side = x.shape[axis]
        if side == count:
            continue
        if mode == "DEFAULT":
            index = torch.arange(count) * side // count
        else:
            index = (_places(side, count, mode) + 0.5).floor().long().clamp(max=side - 1)
        x = x.index_select(axis, index)
    return x


OPS = operations(globals())
