"""Convolutions and poolings: against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

mb = pytest.importorskip("coremltools.converters.mil").Builder

FAMILIES = ("conv", "pool")
RNG = np.random.default_rng(1)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


X = normal(1, 4, 9, 10)
LINE = normal(2, 4, 11)
CUBE = normal(1, 2, 5, 6, 4)
W = normal(6, 4, 3, 2)
GROUPED = normal(6, 2, 3, 3)
BIAS = normal(6)
UP = normal(4, 3, 4, 3)
UP_GROUPED = normal(4, 3, 3, 3)


def tensors(*arrays):
    return [torch.tensor(array) for array in arrays]


def same(x, kernel, strides, lower=False, value=0.0):
    """x padded as TensorFlow does for SAME."""
    flat = []
    for side, k, s in reversed(list(zip(x.shape[2:], kernel, strides, strict=True))):
        total = max(0, (-(-side // s) - 1) * s + k - side)
        small, large = total // 2, total - total // 2
        flat += [large, small] if lower else [small, large]
    return F.pad(x, flat, value=value)


CONV = {
    "conv valid": (
        lambda x: mb.conv(x=x, weight=W, bias=BIAS, pad_type="valid", strides=[2, 1]),
        [X],
        lambda x: F.conv2d(x, *tensors(W, BIAS), stride=(2, 1)),
    ),
    "conv same": (
        lambda x: mb.conv(x=x, weight=W, pad_type="same", strides=[2, 3]),
        [X],
        lambda x: F.conv2d(same(x, (3, 2), (2, 3)), *tensors(W), stride=(2, 3)),
    ),
    "conv same_lower": (
        lambda x: mb.conv(x=x, weight=W, pad_type="same_lower", strides=[1, 1]),
        [X],
        lambda x: F.conv2d(same(x, (3, 2), (1, 1), lower=True), *tensors(W)),
    ),
    "conv dilated": (
        lambda x: mb.conv(x=x, weight=W, pad_type="custom", pad=[2, 2, 1, 1], dilations=[2, 3]),
        [X],
        lambda x: F.conv2d(x, *tensors(W), padding=(2, 1), dilation=(2, 3)),
    ),
    "conv uneven pads": (
        lambda x: mb.conv(x=x, weight=W, pad_type="custom", pad=[1, 2, 3, 0]),
        [X],
        lambda x: F.conv2d(F.pad(x, (3, 0, 1, 2)), *tensors(W)),
    ),
    "conv groups": (
        lambda x: mb.conv(x=x, weight=GROUPED, pad_type="valid", groups=2),
        [X],
        lambda x: F.conv2d(x, *tensors(GROUPED), groups=2),
    ),
    "conv over one axis": (
        lambda x: mb.conv(x=x, weight=W[..., 0], pad_type="custom", pad=[1, 1], strides=[2]),
        [LINE],
        lambda x: F.conv1d(x, *tensors(W[..., 0]), padding=1, stride=2),
    ),
    "conv over three axes": (
        lambda x: mb.conv(x=x, weight=W[:, :2, :, :, None], pad_type="valid"),
        [CUBE],
        lambda x: F.conv3d(x, *tensors(W[:, :2, :, :, None])),
    ),
    "conv weights made by the program": (
        lambda x, w: mb.conv(x=x, weight=w, pad_type="valid"),
        [X, W],
        lambda x, w: F.conv2d(x, w),
    ),
    "conv_transpose valid": (
        lambda x: mb.conv_transpose(x=x, weight=UP, pad_type="valid", strides=[2, 1]),
        [X],
        lambda x: F.conv_transpose2d(x, *tensors(UP), stride=(2, 1)),
    ),
    "conv_transpose custom": (
        lambda x: mb.conv_transpose(
            x=x, weight=UP, bias=BIAS[:3], pad_type="custom", pad=[1, 1, 0, 2], strides=[2, 2]
        ),
        [X],
        lambda x: F.conv_transpose2d(x, *tensors(UP, BIAS[:3]), stride=2)[:, :, 1:-1, :-2],
    ),
    "conv_transpose same": (
        lambda x: mb.conv_transpose(x=x, weight=UP, pad_type="same", strides=[2, 2]),
        [X],
        lambda x: F.conv_transpose2d(x, *tensors(UP), stride=2)[:, :, 1:19, :20],
    ),
    "conv_transpose output shape": (
        lambda x: mb.conv_transpose(
            x=x,
            weight=UP_GROUPED,
            pad_type="custom",
            pad=[1, 1, 1, 1],
            strides=[2, 2],
            groups=2,
            output_shape=[1, 6, 18, 20],
        ),
        [X],
        lambda x: F.conv_transpose2d(
            x, *tensors(UP_GROUPED), stride=2, padding=1, output_padding=1, groups=2
        ),
    ),
    "conv_transpose dilated": (
        lambda x: mb.conv_transpose(
            x=x, weight=UP[..., 0], pad_type="valid", strides=[3], dilations=[2]
        ),
        [LINE],
        lambda x: F.conv_transpose1d(x, *tensors(UP[..., 0]), stride=3, dilation=2),
    ),
}

POOL = {
    "max_pool valid": (
        lambda x: mb.max_pool(x=x, kernel_sizes=[2, 3], strides=[2, 2], pad_type="valid"),
        [X],
        lambda x: F.max_pool2d(x, (2, 3), 2),
    ),
    "max_pool padded": (
        lambda x: mb.max_pool(
            x=x, kernel_sizes=[3, 3], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]
        ),
        [X - 5],
        lambda x: F.max_pool2d(x, 3, 2, 1),
    ),
    "max_pool ceil": (
        lambda x: mb.max_pool(
            x=x, kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid", ceil_mode=True
        ),
        [X - 5],
        lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True),
    ),
    "max_pool ceil and padded": (
        lambda x: mb.max_pool(
            x=x,
            kernel_sizes=[2, 3],
            strides=[2, 3],
            pad_type="custom",
            pad=[1, 1, 1, 1],
            ceil_mode=True,
        ),
        [X - 5],
        lambda x: F.max_pool2d(x, (2, 3), (2, 3), 1, ceil_mode=True),
    ),
    "max_pool same": (
        lambda x: mb.max_pool(x=x, kernel_sizes=[3, 2], strides=[2, 2], pad_type="same"),
        [X - 5],
        lambda x: F.max_pool2d(same(x, (3, 2), (2, 2), value=-99.0), (3, 2), 2),
    ),
    "max_pool over one axis": (
        lambda x: mb.max_pool(x=x, kernel_sizes=[3], strides=[2], pad_type="same_lower"),
        [LINE],
        lambda x: F.max_pool1d(same(x, (3,), (2,), lower=True, value=-99.0), 3, 2),
    ),
    "avg_pool": (
        lambda x: mb.avg_pool(x=x, kernel_sizes=[2, 3], strides=[2, 2], pad_type="valid"),
        [X],
        lambda x: F.avg_pool2d(x, (2, 3), 2),
    ),
    "avg_pool with its padding": (
        lambda x: mb.avg_pool(
            x=x, kernel_sizes=[3, 3], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]
        ),
        [X],
        lambda x: F.avg_pool2d(x, 3, 2, 1),
    ),
    "avg_pool without its padding": (
        lambda x: mb.avg_pool(
            x=x,
            kernel_sizes=[3, 3],
            strides=[2, 2],
            pad_type="custom",
            pad=[1, 1, 1, 1],
            exclude_padding_from_average=True,
        ),
        [X],
        lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    ),
    "avg_pool ceil": (
        lambda x: mb.avg_pool(
            x=x,
            kernel_sizes=[3, 3],
            strides=[3, 3],
            pad_type="custom",
            pad=[1, 1, 1, 1],
            ceil_mode=True,
        ),
        [X],
        lambda x: F.avg_pool2d(x, 3, 3, 1, ceil_mode=True),
    ),
    "avg_pool over three axes": (
        lambda x: mb.avg_pool(x=x, kernel_sizes=[2, 2, 2], strides=[1, 2, 1], pad_type="valid"),
        [CUBE],
        lambda x: F.avg_pool3d(x, 2, (1, 2, 1)),
    ),
    "l2_pool": (
        lambda x: mb.l2_pool(x=x, kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid"),
        [X],
        lambda x: F.lp_pool2d(x, 2, 2, 2),
    ),
}

# Padding a pool by same_lower is known from iOS 16 on.
CASES = {"iOS16": CONV | POOL, "iOS18": CONV}


@pytest.mark.parametrize(
    ("opset", "name"), [(opset, name) for opset, table in CASES.items() for name in table]
)
def test_operation_computes_what_torch_computes(cases, opset, name):
    cases.check(opset, name)


def test_every_operation_has_a_case(cases):
    assert not cases.untested(FAMILIES)
