"""Activations, functions of one and two tensors, selection: against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

mb = pytest.importorskip("coremltools.converters.mil").Builder

FAMILIES = ("activation", "elementwise_unary", "elementwise_binary", "control_flow")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 4, 5)).astype(np.float32) * 2
UNIT = RNG.uniform(-0.9, 0.9, (2, 3)).astype(np.float32)
POSITIVE = RNG.uniform(0.1, 4, (2, 3)).astype(np.float32)
HALVES = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4], np.float32)
ROW = RNG.normal(size=(3, 1, 5)).astype(np.float32)
INTS = np.array([[7, -7, 6], [-6, 5, -1]], np.int32)
OTHER = np.array([[2, 2, -4], [4, -3, 3]], np.int32)
CHANNELS = np.array([0.1, 0.5, -0.2], np.float32)


def unary(kind, function, x):
    return kind, (lambda v: getattr(mb, kind)(x=v), [x], function)


def binary(kind, function, x=X, y=ROW):
    return kind, (lambda a, b: getattr(mb, kind)(x=a, y=b), [x, y], function)


def logical(kind, function):
    def make(a, b):
        x, y = mb.greater(x=a, y=np.float32(0)), mb.greater(x=b, y=np.float32(0))
        return getattr(mb, kind)(x=x, y=y)

    return kind, (make, [X, ROW], lambda a, b: function(a > 0, b > 0))


ACTIVATIONS = {
    "relu": (lambda x: mb.relu(x=x), [X], lambda x: x.clamp(min=0)),
    "relu6": (lambda x: mb.relu6(x=x), [X * 5], lambda x: x.clamp(0, 6)),
    "leaky_relu": (lambda x: mb.leaky_relu(x=x, alpha=0.2), [X], lambda x: F.leaky_relu(x, 0.2)),
    "clamped_relu": (
        lambda x: mb.clamped_relu(x=x, alpha=0.5, beta=1.5),
        [X],
        lambda x: torch.minimum(F.leaky_relu(x, 0.5), torch.tensor(1.5)),
    ),
    "thresholded_relu": (
        lambda x: mb.thresholded_relu(x=x, alpha=0.7),
        [X],
        lambda x: F.threshold(x, 0.7, 0),
    ),
    "prelu": (
        lambda x: mb.prelu(x=x, alpha=CHANNELS),
        [X],
        lambda x: F.prelu(x, torch.tensor(CHANNELS)),
    ),
    "elu": (lambda x: mb.elu(x=x, alpha=0.7), [X], lambda x: F.elu(x, 0.7)),
    "gelu": (lambda x: mb.gelu(x=x), [X], F.gelu),
    "gelu tanh": (
        lambda x: mb.gelu(x=x, mode="TANH_APPROXIMATION"),
        [X],
        lambda x: F.gelu(x, approximate="tanh"),
    ),
    "gelu sigmoid": (
        lambda x: mb.gelu(x=x, mode="SIGMOID_APPROXIMATION"),
        [X],
        lambda x: x / (1 + torch.exp(-1.702 * x)),
    ),
    "sigmoid": (lambda x: mb.sigmoid(x=x), [X], lambda x: 1 / (1 + torch.exp(-x))),
    "sigmoid_hard": (
        lambda x: mb.sigmoid_hard(x=x, alpha=0.2, beta=0.5),
        [X * 3],
        lambda x: torch.clamp(0.2 * x + 0.5, 0, 1),
    ),
    "silu": (lambda x: mb.silu(x=x), [X], lambda x: x * torch.sigmoid(x)),
    "softplus": (lambda x: mb.softplus(x=x), [X * 30], lambda x: F.softplus(x, threshold=80)),
    "softplus_parametric": (
        lambda x: mb.softplus_parametric(x=x, alpha=CHANNELS, beta=CHANNELS + 1),
        [X],
        lambda x: torch.stack(
            [a * F.softplus((a + 1) * x[:, i]) for i, a in enumerate(CHANNELS)], 1
        ),
    ),
    "softsign": (lambda x: mb.softsign(x=x), [X], F.softsign),
    "scaled_tanh": (
        lambda x: mb.scaled_tanh(x=x, alpha=1.7, beta=0.6),
        [X],
        lambda x: 1.7 * torch.tanh(0.6 * x),
    ),
    "linear_activation": (
        lambda x: mb.linear_activation(x=x, alpha=3.0, beta=-1.0),
        [X],
        lambda x: 3 * x - 1,
    ),
    "softmax": (lambda x: mb.softmax(x=x, axis=1), [X], lambda x: x.exp() / x.exp().sum(1, True)),
}

UNARY = dict(
    [
        unary("abs", torch.abs, X),
        unary("acos", torch.acos, UNIT),
        unary("asin", torch.asin, UNIT),
        unary("atan", torch.atan, X),
        unary("atanh", torch.atanh, UNIT),
        unary("ceil", torch.ceil, X),
        unary("cos", torch.cos, X),
        unary("cosh", torch.cosh, X),
        unary("erf", torch.erf, X),
        unary("exp", torch.exp, X),
        unary("exp2", lambda x: 2**x, X),
        unary("floor", torch.floor, X),
        unary("round", np.array([-2, -2, 0, 0, 2, 2, 2], np.float32), HALVES),
        unary("sign", torch.sign, np.array([-2.0, 0.0, 3.0], np.float32)),
        unary("sin", torch.sin, X),
        unary("sinh", torch.sinh, X),
        unary("sqrt", torch.sqrt, POSITIVE),
        unary("square", lambda x: x * x, X),
        unary("tan", torch.tan, UNIT),
        unary("tanh", torch.tanh, X),
    ]
) | {
    "logical_not": (
        lambda x: mb.logical_not(x=mb.greater(x=x, y=np.float32(0))),
        [X],
        lambda x: x <= 0,
    ),
    "inverse": (lambda x: mb.inverse(x=x, epsilon=0.5), [POSITIVE], lambda x: 1 / (x + 0.5)),
    "log": (lambda x: mb.log(x=x, epsilon=0.5), [POSITIVE], lambda x: torch.log(x + 0.5)),
    "rsqrt": (lambda x: mb.rsqrt(x=x, epsilon=0.5), [POSITIVE], lambda x: (x + 0.5) ** -0.5),
    "clip": (lambda x: mb.clip(x=x, alpha=-1.0, beta=0.5), [X], lambda x: x.clamp(-1, 0.5)),
    "threshold": (lambda x: mb.threshold(x=x, alpha=0.25), [X], lambda x: x.clamp(min=0.25)),
    "cast to integers": (lambda x: mb.cast(x=x, dtype="int32"), [X], torch.trunc),
    "cast to floats": (lambda x: mb.cast(x=x, dtype="fp32"), [INTS], lambda x: x.float()),
    "cast to truth": (
        lambda x: mb.cast(x=x, dtype="bool"),
        [np.array([0.0, 0.3, -2.0], np.float32)],
        np.array([0, 1, 1]),
    ),
}

BINARY = dict(
    [
        binary("add", torch.add),
        binary("sub", torch.sub),
        binary("mul", torch.mul),
        binary("real_div", torch.div),
        binary("floor_div", lambda x, y: torch.floor(x / y)),
        binary("mod", lambda x, y: x - y * torch.floor(x / y)),
        binary("pow", torch.pow, np.abs(X), ROW),
        binary("maximum", torch.maximum),
        binary("minimum", torch.minimum),
        binary("equal", lambda x, y: x == y, INTS, np.abs(INTS)),
        binary("not_equal", lambda x, y: x != y, INTS, OTHER),
        binary("greater", lambda x, y: x > y),
        binary("greater_equal", lambda x, y: x >= y),
        binary("less", lambda x, y: x < y),
        binary("less_equal", lambda x, y: x <= y),
        logical("logical_and", torch.logical_and),
        logical("logical_or", torch.logical_or),
        logical("logical_xor", torch.logical_xor),
    ]
) | {
    "floor_div of integers": (
        lambda x, y: mb.floor_div(x=x, y=y),
        [INTS, OTHER],
        np.array([[3, -4, -2], [-2, -2, -1]]),
    ),
    "mod of integers": (
        lambda x, y: mb.mod(x=x, y=y),
        [INTS, OTHER],
        np.array([[1, 1, -2], [2, -1, 2]]),
    ),
}

SELECT = {
    "select": (
        lambda x, y: mb.select(cond=mb.less(x=x, y=y), a=x, b=y),
        [X, ROW],
        torch.minimum,
    ),
}

CASES = {"iOS17": ACTIVATIONS | UNARY | BINARY | SELECT, "iOS16": ACTIVATIONS | UNARY}

INFERRED = [
    *("relu", "relu6", "leaky_relu", "elu", "gelu tanh", "sigmoid_hard", "softsign", "softmax"),
    *("prelu", "scaled_tanh", "thresholded_relu", "clamped_relu"),
    *("erf", "exp2", "round", "sign", "inverse", "log", "rsqrt", "clip", "cast to integers"),
    *("floor_div", "mod", "pow", "real_div", "floor_div of integers", "mod of integers", "select"),
]


@pytest.mark.parametrize(
    ("opset", "name"), [(opset, name) for opset, table in CASES.items() for name in table]
)
def test_operation_computes_what_torch_computes(cases, opset, name):
    cases.check(opset, name)


@pytest.mark.parametrize("name", INFERRED)
def test_operation_computes_what_coremltools_infers(cases, name):
    cases.value_inference("iOS17", name)


def test_every_operation_has_a_case(cases):
    assert not cases.untested(FAMILIES)
