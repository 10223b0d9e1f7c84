"""ONNX operations on tensors of any rank: arithmetic, activations, reductions, shape changes.

After the operator specification of onnx.ai, opsets 7 and later.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from styleexport.models.from_onnx.node import Call

Result = Tensor | Sequence[Tensor]
Binary = Callable[[Tensor | float, Tensor | float], Tensor | float]


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[Call], Tensor]:
    return lambda call: function(call.tensor(0))


def _binary(function: Binary) -> Callable[[Call], Tensor]:
    def apply(call: Call) -> Tensor:
        result = function(call.operand(0), call.operand(1))
        return result if isinstance(result, Tensor) else torch.tensor(result)

    return apply


def _many(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Call], Tensor]:
    return lambda call: functools.reduce(function, call.all_tensors())


def _clip(call: Call) -> Tensor:
    low, high = (
        float(call.value(index).reshape(())) if call.has(index) else call.number(name, default)
        for index, name, default in ((1, "min", -torch.inf), (2, "max", torch.inf))
    )
    return torch.clamp(
        call.tensor(0), None if low == -torch.inf else low, None if high == torch.inf else high
    )


def _prelu(call: Call) -> Tensor:
    data, slope = call.tensor(0), call.tensor(1)
    if slope.numel() not in (1, data.shape[1]) or slope.numel() != max(slope.shape):
        raise call.node.unsupported(f"has a slope of {list(slope.shape)}, expected one a channel")
    return functional.prelu(data, slope.reshape(-1))


def _gelu(call: Call) -> Tensor:
    return functional.gelu(call.tensor(0), approximate=call.text("approximate", "none"))


def _hard_sigmoid(call: Call) -> Tensor:
    slope, shift = call.number("alpha", 0.2), call.number("beta", 0.5)
    return torch.clamp(call.tensor(0) * slope + shift, 0.0, 1.0)


Reduction = Callable[[Tensor, list[int], bool], Tensor]


def _reduce(function: Reduction) -> Callable[[Call], Tensor]:
    def apply(call: Call) -> Tensor:
        data, axes = call.tensor(0), call.integers("axes", 1)
        if not axes and call.integer("noop_with_empty_axes", 0):
            return data
        kept = bool(call.integer("keepdims", 1))
        return function(data, list(axes or range(data.dim())), kept)

    return apply


def _softmax(call: Call) -> Tensor:
    data, axis = call.tensor(0), call.node.attributes.get("axis")
    if call.opset >= 13:
        return torch.softmax(data, axis if isinstance(axis, int) else -1)
    first = axis if isinstance(axis, int) else 1
    return torch.softmax(data.flatten(first), -1).reshape(data.shape)


def _matmul(call: Call) -> Tensor:
    return torch.matmul(call.tensor(0), call.tensor(1))


def _gemm(call: Call) -> Tensor:
    left, right = call.tensor(0), call.tensor(1)
    left = left.t() if call.integer("transA", 0) else left
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    if alpha == beta == 1.0 and call.integer("transB", 0) and call.has(2):
        return functional.linear(left, right, call.tensor(2))
    result = left @ (right.t() if call.integer("transB", 0) else right) * alpha
    return result + call.tensor(2) * beta if call.has(2) else result


def _concat(call: Call) -> Tensor:
    return torch.cat(call.all_tensors(), call.integer("axis", 0))


def _split(call: Call) -> Result:
    data, axis = call.tensor(0), call.integer("axis", 0)
    lengths = call.integers("split", 1)
    if lengths is None:
        each = -(-data.shape[axis] // len(call.node.outputs))
        return torch.split(data, each, axis)
    return torch.split(data, list(lengths), axis)


def _slice(call: Call) -> Tensor:
    data = call.tensor(0)
    starts, ends = call.integers("starts", 1) or (), call.integers("ends", 2) or ()
    axes = call.integers("axes", 3) or tuple(range(len(starts)))
    steps = call.integers("steps", 4) or (1,) * len(starts)
    if min(steps, default=1) < 1:
        raise call.node.unsupported(f"steps by {list(steps)}, expected forwards")
    index = [slice(None)] * data.dim()
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        index[axis] = slice(start, end, step)
    return data[tuple(index)]


def _reshape(call: Call) -> Tensor:
    data, shape = call.tensor(0), call.integers("shape", 1) or ()
    if call.integer("allowzero", 0):
        return data.reshape(shape)
    return data.reshape([data.shape[i] if n == 0 else n for i, n in enumerate(shape)])


def _transpose(call: Call) -> Tensor:
    data = call.tensor(0)
    return data.permute(call.integers("perm") or tuple(reversed(range(data.dim()))))


def _flatten(call: Call) -> Tensor:
    data, axis = call.tensor(0), call.integer("axis", 1)
    axis += data.dim() if axis < 0 else 0
    rows = 1
    for side in data.shape[:axis]:
        rows *= side
    return data.reshape(rows, -1)


def _squeeze(call: Call) -> Tensor:
    axes = call.integers("axes", 1)
    return call.tensor(0).squeeze() if axes is None else call.tensor(0).squeeze(axes)


def _unsqueeze(call: Call) -> Tensor:
    data, axes = call.tensor(0), call.integers("axes", 1) or ()
    rank = data.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        data = data.unsqueeze(axis)
    return data


def _expand(call: Call) -> Tensor:
    data = call.tensor(0)
    shape = torch.broadcast_shapes(data.shape, call.integers("shape", 1) or ())
    return data.expand(call.bounded(shape))


def _tile(call: Call) -> Tensor:
    data, repeats = call.tensor(0), call.integers("repeats", 1) or ()
    call.bounded([side * times for side, times in zip(data.shape, repeats, strict=True)])
    return data.repeat(repeats)


def _gather(call: Call) -> Tensor:
    data, index, axis = call.tensor(0), call.value(1), call.integer("axis", 0)
    if index.ndim == 0:
        return data.select(axis, int(index))
    rows = index.reshape(-1).tolist()
    steps = {after - before for before, after in itertools.pairwise(rows)} or {1}
    if index.ndim > 1 or steps != {1} or rows[0] < 0:
        raise call.node.unsupported("picks rows that do not follow one another")
    return data.narrow(axis, rows[0], len(rows))


def _identity(call: Call) -> Tensor:
    return call.tensor(0)


# Number of a type in ONNX → type in torch.
PICTURE_TYPES = {1: torch.float32, 2: torch.uint8}


def _cast(call: Call) -> Tensor:
    data, dtype = call.tensor(0), PICTURE_TYPES.get(call.integer("to", 1))
    if dtype is None or data.dtype not in PICTURE_TYPES.values():
        raise call.node.unsupported("makes pictures into another type than float32 or uint8")
    return data.to(dtype)


TENSOR_OPS: Mapping[str, Callable[[Call], Result]] = {
    "Abs": _unary(torch.abs),
    "Add": _binary(lambda a, b: a + b),
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Div": _binary(lambda a, b: a / b),
    "Dropout": _identity,
    "Elu": lambda call: functional.elu(call.tensor(0), call.number("alpha", 1.0)),
    "Erf": _unary(torch.erf),
    "Exp": _unary(torch.exp),
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _unary(functional.hardswish),
    "Identity": _identity,
    "LeakyRelu": lambda call: functional.leaky_relu(call.tensor(0), call.number("alpha", 0.01)),
    "Log": _unary(torch.log),
    "MatMul": _matmul,
    "Max": _many(torch.maximum),
    "Min": _many(torch.minimum),
    "Mul": _binary(lambda a, b: a * b),
    "Neg": _unary(torch.neg),
    "PRelu": _prelu,
    "Pow": _binary(lambda a, b: a**b),
    "Reciprocal": _unary(torch.reciprocal),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceMin": _reduce(torch.amin),
    "ReduceSum": _reduce(torch.sum),
    "ReduceSumSquare": _reduce(lambda x, axes, kept: torch.sum(x * x, axes, kept)),
    "Relu": _unary(torch.relu),
    "Reshape": _reshape,
    "Sigmoid": _unary(torch.sigmoid),
    "Slice": _slice,
    "Softmax": _softmax,
    "Softplus": _unary(functional.softplus),
    "Split": _split,
    "Sqrt": _unary(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _binary(lambda a, b: a - b),
    "Sum": _many(torch.add),
    "Tanh": _unary(torch.tanh),
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
