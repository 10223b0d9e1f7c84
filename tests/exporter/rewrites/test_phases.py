"""Phases: the algebra over kernels, strides, paddings and sizes, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from styleexport.exporter.rewrites.phases import (
    Phases,
    of_transposed,
    of_upsampled,
    phase_weight,
)

SIDES = (7, 8)


def computed(
    x: Tensor, weight: Tensor, phases: Phases, output: tuple[int, int], pad: str
) -> Tensor:
    """The phase convolution of both axes alike."""
    rows, columns = (phases.pads(x.shape[2 + i], output[i]) for i in (0, 1))
    y = F.conv2d(F.pad(x, [*columns, *rows], mode=pad), phase_weight(weight, phases, phases))
    lines = (slice(phases.cut, phases.cut + side) for side in output)
    return F.pixel_shuffle(y, phases.scale)[:, :, next(lines), next(lines)]


def values(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 7, 9])
@pytest.mark.parametrize("dilation", [1, 2])
def test_transposed_convolutions(scale, kernel, dilation):
    x, weight = values(1, 3, *SIDES), values(3, 4, kernel, kernel)
    for padding in range(min(3, dilation * (kernel - 1)) + 1):
        phases = of_transposed(kernel, scale, padding, dilation)
        for extra in range(max(scale, dilation)):
            expected = F.conv_transpose2d(x, weight, None, scale, padding, extra, 1, dilation)
            output = (expected.shape[2], expected.shape[3])
            found = computed(x, weight.transpose(0, 1), phases, output, "constant")
            assert torch.allclose(found, expected, rtol=0, atol=1e-12), (padding, extra)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("mode", ["constant", "replicate", "reflect"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_convolutions_behind_upsampling(scale, kernel, mode, dilation):
    x, weight = values(1, 3, *SIDES), values(4, 3, kernel, kernel)
    for padding in range(scale if mode == "reflect" else 5):
        upsampled = F.interpolate(x, scale_factor=scale, mode="nearest")
        padded = F.pad(upsampled, [padding] * 4, mode=mode)
        if padded.shape[2] <= dilation * (kernel - 1):
            continue
        expected = F.conv2d(padded, weight, dilation=dilation)
        phases = of_upsampled(kernel, scale, padding, dilation)
        pad = "constant" if mode == "constant" else "replicate"
        found = computed(x, weight, phases, (expected.shape[2], expected.shape[3]), pad)
        assert torch.allclose(found, expected, rtol=0, atol=1e-12), padding


@pytest.mark.parametrize(
    ("phases", "length", "cut"),
    [
        (of_upsampled(3, 2, 1), 2, 1),  # 16 of 36 multiplications are left
        (of_upsampled(9, 2, 4), 5, 0),
        (of_upsampled(3, 4, 1), 2, 1),
        (of_transposed(4, 2, 1), 2, 1),  # as many as a transposed convolution has
        (of_transposed(2, 2, 0), 1, 0),
        (of_transposed(3, 2, 1), 2, 0),
    ],
)
def test_the_shared_window_is_the_shortest(phases, length, cut):
    assert (phases.length, phases.cut) == (length, cut)
