"""Normalisations, resizing, products, reductions and attention: against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

mb = pytest.importorskip("coremltools.converters.mil").Builder

FAMILIES = ("normalization", "image_resizing", "linear", "reduction", "transformers")
RNG = np.random.default_rng(1)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def tensors(*arrays):
    return [torch.tensor(array) for array in arrays]


X = normal(1, 4, 9, 10)
LINE = normal(2, 4, 11)
W = normal(6, 4)
BIAS = normal(6)
GAMMA, BETA = normal(4), normal(4)
MEAN, VARIANCE = normal(4), np.abs(normal(4)) + 0.1
POINTS = np.array([[0.0, 0.0], [1.5, 2.25], [8.0, 4.5]], np.float32).reshape(1, 1, 3, 2)
THETA = np.array([[0.8, 0.1, 0.05, -0.1, 0.9, 0.0]], np.float32)
Q, K, V = normal(1, 2, 3, 4), normal(1, 2, 5, 4), normal(1, 2, 5, 6)

NORM = {
    "batch_norm": (
        lambda x: mb.batch_norm(
            x=x, mean=MEAN, variance=VARIANCE, gamma=GAMMA, beta=BETA, epsilon=1e-3
        ),
        [X],
        lambda x: F.batch_norm(x, *tensors(MEAN, VARIANCE, GAMMA, BETA), eps=1e-3),
    ),
    "instance_norm": (
        lambda x: mb.instance_norm(x=x, gamma=GAMMA, beta=BETA, epsilon=1e-3),
        [X],
        lambda x: F.instance_norm(x, weight=torch.tensor(GAMMA), bias=torch.tensor(BETA), eps=1e-3),
    ),
    "instance_norm plain": (lambda x: mb.instance_norm(x=x), [LINE], F.instance_norm),
    "layer_norm": (
        lambda x: mb.layer_norm(x=x, axes=[2, -1], gamma=X[0, 0], beta=X[0, 1], epsilon=1e-3),
        [X],
        lambda x: F.layer_norm(x, (9, 10), *tensors(X[0, 0], X[0, 1]), eps=1e-3),
    ),
    "layer_norm over channels": (
        lambda x: mb.layer_norm(x=x, axes=[1], gamma=GAMMA, beta=BETA),
        [X],
        lambda x: F.layer_norm(x.movedim(1, -1), (4,), *tensors(GAMMA, BETA)).movedim(-1, 1),
    ),
    "l2_norm": (
        lambda x: mb.l2_norm(x=x, epsilon=1e-6),
        [X],
        lambda x: x / (x.square().sum((1, 2, 3), True) + 1e-6).sqrt(),
    ),
    "local_response_norm": (
        lambda x: mb.local_response_norm(x=x, size=3, alpha=0.5, beta=0.6, k=2.0),
        [X],
        lambda x: F.local_response_norm(x, 3, 0.5, 0.6, 2.0),
    ),
}


def bilinear(mode, width, expected):
    """The sampling that MIL's documentation gives for the two values 0 and 1."""
    return (
        lambda x: mb.resize_bilinear(
            x=x, target_size_height=1, target_size_width=width, sampling_mode=mode
        ),
        [np.array([0.0, 1.0], np.float32).reshape(1, 1, 1, 2)],
        np.array(expected, np.float32).reshape(1, 1, 1, -1),
    )


RESIZE = {
    "upsample_nearest_neighbor": (
        lambda x: mb.upsample_nearest_neighbor(x=x, scale_factor_height=2, scale_factor_width=3),
        [X],
        lambda x: x.repeat_interleave(2, 2).repeat_interleave(3, 3),
    ),
    "upsample_nearest_neighbor by a fraction": (
        lambda x: mb.upsample_nearest_neighbor(
            x=x, scale_factor_height=1.5, scale_factor_width=2.5
        ),
        [X[..., :8, :]],
        lambda x: F.interpolate(x, scale_factor=(1.5, 2.5), mode="nearest"),
    ),
    "upsample_bilinear aligned": (
        lambda x: mb.upsample_bilinear(
            x=x, scale_factor_height=2, scale_factor_width=3, align_corners=True
        ),
        [X],
        lambda x: F.interpolate(x, scale_factor=(2, 3), mode="bilinear", align_corners=True),
    ),
    "upsample_bilinear by half pixels": (
        lambda x: mb.upsample_bilinear(
            x=x, scale_factor_height=2.0, scale_factor_width=1.5, align_corners=False
        ),
        [X],
        lambda x: F.interpolate(x, scale_factor=(2, 1.5), mode="bilinear"),
    ),
    "resize_nearest_neighbor": (
        lambda x: mb.resize_nearest_neighbor(x=x, target_size_height=7, target_size_width=23),
        [X],
        lambda x: F.interpolate(x, (7, 23), mode="nearest"),
    ),
    "resize_bilinear unaligned": (
        lambda x: mb.resize_bilinear(
            x=x, target_size_height=13, target_size_width=4, sampling_mode="UNALIGN_CORNERS"
        ),
        [X],
        lambda x: F.interpolate(x, (13, 4), mode="bilinear"),
    ),
    "resize_bilinear strictly aligned": bilinear(
        "STRICT_ALIGN_CORNERS", 5, [0, 0.25, 0.5, 0.75, 1]
    ),
    "resize_bilinear aligned to one": bilinear("ALIGN_CORNERS", 1, [0.5]),
    "resize_bilinear default": bilinear("DEFAULT", 5, [0, 0.4, 0.8, 1, 1]),
    "resize_bilinear offset": bilinear("OFFSET_CORNERS", 5, [0.1, 0.3, 0.5, 0.7, 0.9]),
    "resize": (
        lambda x: mb.resize(
            x=x,
            shape=[1, 0, 15],
            resized_dims=np.uint32(2),
            interpolation_mode="LINEAR",
            sampling_mode="UNALIGN_CORNERS",
        ),
        [X],
        lambda x: F.interpolate(x, (9, 15), mode="bilinear"),
    ),
    "resize nearest": (
        lambda x: mb.resize(
            x=x,
            shape=[5, 23],
            resized_dims=np.uint32(2),
            interpolation_mode="NEAREST_NEIGHBOR",
            sampling_mode="UNALIGN_CORNERS",
        ),
        [X],
        lambda x: F.interpolate(x, (5, 23), mode="nearest-exact"),
    ),
    "crop": (
        lambda x: mb.crop(x=x, crop_height=[1, 2], crop_width=[0, 3]),
        [X],
        lambda x: x[:, :, 1:-2, :-3],
    ),
    "resample": (
        lambda x: mb.resample(
            x=x,
            coordinates=POINTS,
            sampling_mode="bilinear",
            padding_mode="border",
            padding_value=0.0,
            coordinates_mode="unnormalized",
            align_corners=True,
        ),
        [X],
        lambda x: torch.stack(
            [
                x[:, :, 0, 0],
                0.75 * x[:, :, 2, 1:3].mean(-1) + 0.25 * x[:, :, 3, 1:3].mean(-1),
                0.5 * (x[:, :, 4, 8] + x[:, :, 5, 8]),
            ],
            -1,
        )[:, :, None],
    ),
    "affine": (
        lambda x: mb.affine(
            x=x,
            transform_matrix=THETA,
            output_height=6,
            output_width=7,
            sampling_mode="bilinear",
            padding_mode="constant",
            padding_value=0.0,
            coordinates_mode="normalized_minus_one_to_one",
            align_corners=True,
        ),
        [X],
        lambda x: F.grid_sample(
            x,
            F.affine_grid(torch.tensor(THETA).reshape(1, 2, 3), [1, 4, 6, 7], align_corners=True),
            align_corners=True,
        ),
    ),
}

PRODUCTS = {
    "linear": (
        lambda x: mb.linear(x=x, weight=W, bias=BIAS),
        [normal(5, 4)],
        lambda x: x @ torch.tensor(W).T + torch.tensor(BIAS),
    ),
    "matmul": (lambda x, y: mb.matmul(x=x, y=y), [normal(2, 3, 4), normal(4, 5)], torch.matmul),
    "matmul transposed": (
        lambda x, y: mb.matmul(x=x, y=y, transpose_x=True, transpose_y=True),
        [normal(2, 4, 3), normal(2, 5, 4)],
        lambda x, y: torch.einsum("bki,bjk->bij", x, y),
    ),
    "einsum": (
        lambda x, y: mb.einsum(values=(x, y), equation="nchw,nwhu->nchu"),
        [normal(2, 3, 4, 5), normal(1, 5, 4, 6)],
        lambda x, y: (x.transpose(1, 2) @ y.transpose(1, 2)).transpose(1, 2),
    ),
}


def reduction(function, **attributes):
    def make(kind):
        return (lambda x: getattr(mb, kind)(x=x, **attributes), [np.abs(X) + 0.1], function)

    return make


AXES = {"axes": [-1, 1], "keep_dims": True}
REDUCTIONS = {
    name: make(name.split()[0])
    for name, make in {
        "reduce_argmax": reduction(lambda x: x.argmax(1), axis=1),
        "reduce_argmin": reduction(lambda x: x.argmin(-1, True), keep_dims=True),
        "reduce_l1_norm": reduction(lambda x: x.abs().sum((1, 3), True), **AXES),
        "reduce_l2_norm": reduction(lambda x: x.norm(dim=(1, 3), keepdim=True), **AXES),
        "reduce_log_sum": reduction(lambda x: x.sum((1, 3), True).log(), **AXES),
        "reduce_log_sum_exp": reduction(lambda x: x.exp().sum((1, 3), True).log(), **AXES),
        "reduce_max": reduction(lambda x: x.amax((1, 3), True), **AXES),
        "reduce_mean": reduction(lambda x: x.mean((2, 3)), axes=[2, 3]),
        "reduce_mean of all": reduction(lambda x: x.mean()),
        "reduce_min": reduction(lambda x: x.amin((1, 3), True), **AXES),
        "reduce_prod": reduction(lambda x: x.prod(3).prod(1), axes=[1, 3]),
        "reduce_sum": reduction(lambda x: x.sum((1, 3), True), **AXES),
        "reduce_sum_square": reduction(lambda x: (x * x).sum((1, 3), True), **AXES),
    }.items()
}

ATTENTION = {
    "scaled_dot_product_attention": (
        lambda q, k, v: mb.scaled_dot_product_attention(query=q, key=k, value=v),
        [Q, K, V],
        F.scaled_dot_product_attention,
    ),
    "scaled_dot_product_attention masked": (
        lambda q, k, v, m: mb.scaled_dot_product_attention(query=q, key=k, value=v, attn_mask=m),
        [Q, K, V, normal(1, 1, 3, 5)],
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m),
    ),
}

# The operation resize is known from iOS 17 on.
OLD_RESIZE = {name: case for name, case in RESIZE.items() if name.split()[0] != "resize"}
CASES = {
    "iOS16": NORM | OLD_RESIZE,
    "iOS17": RESIZE | PRODUCTS | REDUCTIONS,
    "iOS18": ATTENTION,
}


@pytest.mark.parametrize(
    ("opset", "name"), [(opset, name) for opset, table in CASES.items() for name in table]
)
def test_operation_computes_what_torch_computes(cases, opset, name):
    cases.check(opset, name)


@pytest.mark.parametrize("name", ["matmul", "linear", *REDUCTIONS])
def test_operation_computes_what_coremltools_infers(cases, name):
    cases.value_inference("iOS17", name)


def test_every_operation_has_a_case(cases):
    assert not cases.untested(FAMILIES)
