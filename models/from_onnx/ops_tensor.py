"""ONNX operations on tensors of any rank: arithmetic, activations, reductions, shape changes.

After the operator specification of onnx.ai, opsets 7 and later.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence

import torch
from onnx import TensorProto
from torch import Tensor
from torch.nn import functional

from styleexport.models.from_onnx.node import Call

Result = Tensor | Sequence[Tensor]
Binary = Callable[[Tensor | float, Tensor | float], Tensor | float]


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[Call], Tensor]:
    return lambda call: function(call.tensor(0))


def _compare(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Call], Tensor]:
    return lambda call: function(call.tensor(0), call.tensor(1))


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
    if slope.numel() in (1, data.shape[1]) and slope.numel() == max(slope.shape, default=1):
        return functional.prelu(data, slope.reshape(-1))
    return torch.relu(data) - slope * torch.relu(-data)


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


def _softmax(function: Callable[[Tensor, int], Tensor]) -> Callable[[Call], Tensor]:
    def apply(call: Call) -> Tensor:
        data, axis = call.tensor(0), call.node.attributes.get("axis")
        if call.opset >= 13:
            return function(data, axis if isinstance(axis, int) else -1)
        first = axis if isinstance(axis, int) else 1
        return function(data.flatten(first), -1).reshape(data.shape)

    return apply


def _thresholded(call: Call) -> Tensor:
    data = call.tensor(0)
    return torch.where(data > call.number("alpha", 1.0), data, torch.zeros_like(data))


def _shrink(call: Call) -> Tensor:
    data, edge, bias = call.tensor(0), call.number("lambd", 0.5), call.number("bias", 0.0)
    zero = torch.zeros_like(data)
    above = torch.where(data > edge, data - bias, zero)
    return torch.where(data < -edge, data + bias, above)


def _selu(call: Call) -> Tensor:
    alpha = call.number("alpha", 1.6732632423543772)
    return functional.elu(call.tensor(0), alpha) * call.number("gamma", 1.0507009873554805)


def _swish(call: Call) -> Tensor:
    return call.tensor(0) * torch.sigmoid(call.tensor(0) * call.number("alpha", 1.0))


def _product(data: Tensor, axes: list[int], kept: bool) -> Tensor:
    for axis in sorted((axis % data.dim() for axis in axes), reverse=True):
        data = data.prod(axis, keepdim=kept)
    return data


def _lp_normal(call: Call) -> Tensor:
    data, axis = call.tensor(0), call.integer("axis", -1)
    return data / torch.linalg.vector_norm(data, call.integer("p", 2), axis, keepdim=True)


def _layer_norm(call: Call) -> Tensor:
    data, scale, axis = call.tensor(0), call.tensor(1), call.integer("axis", -1)
    shape = data.shape[axis:]
    bias = call.optional(2)
    return functional.layer_norm(
        data,
        shape,
        scale.expand(shape),
        None if bias is None else bias.expand(shape),
        call.number("epsilon", 1e-5),
    )


def _divide(left: Tensor | float, right: Tensor | float) -> Tensor | float:
    """Return the quotient; that of integers is cut towards zero."""
    whole = [isinstance(x, Tensor) and not x.is_floating_point() for x in (left, right)]
    if all(whole):
        assert isinstance(left, Tensor)
        return torch.div(left, right, rounding_mode="trunc")
    return left / right


def _mod(call: Call) -> Tensor:
    function = torch.fmod if call.integer("fmod", 0) else torch.remainder
    return function(call.tensor(0), call.tensor(1))


def _cumsum(call: Call) -> Tensor:
    data, axis = call.tensor(0), int(call.value(1).reshape(()))
    reverse = bool(call.integer("reverse", 0))
    ordered = data.flip(axis) if reverse else data
    total = torch.cumsum(ordered, axis)
    total = total - ordered if call.integer("exclusive", 0) else total
    return total.flip(axis) if reverse else total


def _top_k(call: Call) -> Result:
    count, largest = int(call.value(1).reshape(())), bool(call.integer("largest", 1))
    return torch.topk(call.tensor(0), count, call.integer("axis", -1), largest)


def _arg(function: Callable[[Tensor, int, bool], Tensor]) -> Callable[[Call], Tensor]:
    def apply(call: Call) -> Tensor:
        if call.integer("select_last_index", 0):
            raise call.node.unsupported("takes the last of equal values")
        return function(call.tensor(0), call.integer("axis", 0), bool(call.integer("keepdims", 1)))

    return apply


def _trilu(call: Call) -> Tensor:
    offset = int(call.value(1).reshape(())) if call.has(1) else 0
    return (torch.triu if call.integer("upper", 1) else torch.tril)(call.tensor(0), offset)


def _einsum(call: Call) -> Tensor:
    return torch.einsum(call.text("equation", "").replace(" ", ""), *call.all_tensors())


def _where(call: Call) -> Tensor:
    return torch.where(call.tensor(0), call.tensor(1), call.tensor(2))


def _mean(call: Call) -> Tensor:
    values = call.all_tensors()
    return functools.reduce(torch.add, values) / len(values)


def _gather_elements(call: Call) -> Tensor:
    data, axis = call.tensor(0), call.integer("axis", 0)
    index = call.tensor(1).long()
    return torch.gather(data, axis, torch.where(index < 0, index + data.shape[axis], index))


def _scatter_elements(call: Call) -> Tensor:
    if call.text("reduction", "none") != "none":
        raise call.node.unsupported("combines what it writes with what is there")
    data, axis = call.tensor(0), call.integer("axis", 0)
    return torch.scatter(data, axis, call.tensor(1).long(), call.tensor(2))


def _gather_nd(call: Call) -> Tensor:
    if call.integer("batch_dims", 0):
        raise call.node.unsupported("picks within a batch")
    return call.tensor(0)[tuple(call.tensor(1).long().unbind(-1))]


def _scatter_nd(call: Call) -> Tensor:
    if call.text("reduction", "none") != "none":
        raise call.node.unsupported("combines what it writes with what is there")
    places = tuple(torch.tensor(call.value(1), dtype=torch.int64).unbind(-1))
    return torch.index_put(call.tensor(0), places, call.tensor(2))


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
    index = [slice(None)] * data.dim()
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if step < 0:
            rows = range(data.shape[axis])[_backwards(start, end, step, data.shape[axis])]
            whole = list(rows) == list(reversed(range(data.shape[axis])))
            picked = torch.tensor(list(rows), dtype=torch.int64)
            data = data.flip(axis) if whole else data.index_select(axis, picked)
        else:
            index[axis] = slice(start, end, step)
    return data[tuple(index)]


def _backwards(start: int, end: int, step: int, length: int) -> slice:
    """Return a slice that steps backwards; ONNX writes its open end as a large negative number."""
    return slice(start, None if end < -length else end, step)


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
    if index.ndim == 1 and steps == {1} and rows[0] >= 0:
        return data.narrow(axis, rows[0], len(rows))
    axis %= data.dim()
    shape = (*data.shape[:axis], *index.shape, *data.shape[axis + 1 :])
    call.bounded(shape)
    picked = torch.tensor([row % data.shape[axis] for row in rows], dtype=torch.int64)
    return data.index_select(axis, picked).reshape(shape)


def _identity(call: Call) -> Tensor:
    return call.tensor(0)


def _cast(call: Call) -> Tensor:
    kind = call.integer("to", 1)
    if kind not in TYPES:
        raise call.node.unsupported(
            f"makes numbers of ONNX's type {kind}, expected float or integers"
        )
    return call.tensor(0).to(TYPES[kind])


def _cast_like(call: Call) -> Tensor:
    return call.tensor(0).to(call.tensor(1).dtype)


# Number of a type in ONNX → type in torch. Half precision is refused before; double is computed in
# float32, as everything is.
TYPES: Mapping[int, torch.dtype] = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.DOUBLE: torch.float32,
    TensorProto.INT64: torch.int64,
    TensorProto.INT32: torch.int32,
    TensorProto.UINT8: torch.uint8,
    TensorProto.BOOL: torch.bool,
}

TENSOR_OPS: Mapping[str, Callable[[Call], Result]] = {
    "Abs": _unary(torch.abs),
    "Acos": _unary(torch.acos),
    "Acosh": _unary(torch.acosh),
    "Add": _binary(lambda a, b: a + b),
    "And": _compare(torch.logical_and),
    "ArgMax": _arg(torch.argmax),
    "ArgMin": _arg(torch.argmin),
    "Asin": _unary(torch.asin),
    "Asinh": _unary(torch.asinh),
    "Atan": _unary(torch.atan),
    "Atanh": _unary(torch.atanh),
    "Cast": _cast,
    "CastLike": _cast_like,
    "Ceil": _unary(torch.ceil),
    "Celu": lambda call: functional.celu(call.tensor(0), call.number("alpha", 1.0)),
    "Clip": _clip,
    "Concat": _concat,
    "Cos": _unary(torch.cos),
    "Cosh": _unary(torch.cosh),
    "CumSum": _cumsum,
    "Div": _binary(_divide),
    "Dropout": _identity,
    "Einsum": _einsum,
    "Elu": lambda call: functional.elu(call.tensor(0), call.number("alpha", 1.0)),
    "Equal": _compare(torch.eq),
    "Erf": _unary(torch.erf),
    "Exp": _unary(torch.exp),
    "Expand": _expand,
    "Flatten": _flatten,
    "Floor": _unary(torch.floor),
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "Greater": _compare(torch.gt),
    "GreaterOrEqual": _compare(torch.ge),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _unary(functional.hardswish),
    "Identity": _identity,
    "IsNaN": _unary(torch.isnan),
    "LayerNormalization": _layer_norm,
    "LeakyRelu": lambda call: functional.leaky_relu(call.tensor(0), call.number("alpha", 0.01)),
    "Less": _compare(torch.lt),
    "LessOrEqual": _compare(torch.le),
    "Log": _unary(torch.log),
    "LogSoftmax": _softmax(torch.log_softmax),
    "LpNormalization": _lp_normal,
    "MatMul": _matmul,
    "Max": _many(torch.maximum),
    "Mean": _mean,
    "Min": _many(torch.minimum),
    "Mish": _unary(functional.mish),
    "Mod": _mod,
    "Mul": _binary(lambda a, b: a * b),
    "Neg": _unary(torch.neg),
    "Not": _unary(torch.logical_not),
    "Or": _compare(torch.logical_or),
    "PRelu": _prelu,
    "Pow": _binary(lambda a, b: a**b),
    "Reciprocal": _unary(torch.reciprocal),
    "ReduceL1": _reduce(lambda x, axes, kept: torch.sum(torch.abs(x), axes, kept)),
    "ReduceL2": _reduce(lambda x, axes, kept: torch.sqrt(torch.sum(x * x, axes, kept))),
    "ReduceLogSum": _reduce(lambda x, axes, kept: torch.log(torch.sum(x, axes, kept))),
    "ReduceLogSumExp": _reduce(torch.logsumexp),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceMin": _reduce(torch.amin),
    "ReduceProd": _reduce(_product),
    "ReduceSum": _reduce(torch.sum),
    "ReduceSumSquare": _reduce(lambda x, axes, kept: torch.sum(x * x, axes, kept)),
    "Relu": _unary(torch.relu),
    "Reshape": _reshape,
    "Round": _unary(torch.round),
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Selu": _selu,
    "Shrink": _shrink,
    "Sigmoid": _unary(torch.sigmoid),
    "Sign": _unary(torch.sign),
    "Sin": _unary(torch.sin),
    "Sinh": _unary(torch.sinh),
    "Slice": _slice,
    "Softmax": _softmax(torch.softmax),
    "Softplus": _unary(functional.softplus),
    "Softsign": _unary(functional.softsign),
    "Split": _split,
    "Sqrt": _unary(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _binary(lambda a, b: a - b),
    "Sum": _many(torch.add),
    "Swish": _swish,
    "Tan": _unary(torch.tan),
    "Tanh": _unary(torch.tanh),
    "ThresholdedRelu": _thresholded,
    "Tile": _tile,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
    "Xor": _compare(torch.logical_xor),
}
