"""Constant folding: nodes that do not depend on pixels, computed by onnx's reference evaluator."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from onnx import ValueInfoProto, helper
from onnx.reference import ReferenceEvaluator

from styleexport.models.from_onnx.node import Constant, Node

# Operations that may be folded: their results have no more elements than their inputs, or sizes
# that are inputs and can be checked.
FOLDABLE = frozenset(
    (
        "Abs", "Add", "And", "ArgMax", "ArgMin", "Cast", "CastLike", "Ceil", "Clip", "Concat",
        "Constant", "ConstantOfShape", "Cos", "CumSum", "Div", "Equal", "Erf", "Exp", "Expand",
        "EyeLike", "Flatten", "Floor", "Gather", "GatherElements", "GatherND", "Greater",
        "GreaterOrEqual", "Identity", "IsNaN", "Less", "LessOrEqual", "Log", "Max", "Min", "Mod",
        "Mul", "Neg", "NonZero", "Not", "Or", "Pow", "Range", "Reciprocal", "ReduceL2", "ReduceMax",
        "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Relu", "Reshape", "Round",
        "ScatterElements", "ScatterND", "Sigmoid", "Sign", "Sin", "Size", "Slice", "Split", "Sqrt",
        "Squeeze", "Sub", "Sum", "Tanh", "Tile", "Transpose", "Trilu", "Unsqueeze", "Where", "Xor",
    )
)  # fmt: skip

# Their inputs are not broadcast against each other.
UNALIGNED = frozenset(
    (
        "Concat", "CumSum", "Gather", "GatherElements", "GatherND", "ReduceL2", "ReduceMax",
        "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Reshape", "ScatterElements",
        "ScatterND", "Slice", "Split", "Squeeze", "Trilu", "Unsqueeze",
    )
)  # fmt: skip

# A quarter of a gigabyte; all the weights of a style network are a tenth of it.
MAX_ELEMENTS = 2**26


class FoldedNode:
    """A node that is computed in numpy where all its inputs are constants.

    Args:
        node: node of a `FOLDABLE` operation.
        opset: opset version of the file.
    """

    def __init__(self, node: Node, opset: int) -> None:
        self.node = node
        inputs, outputs = (
            [ValueInfoProto(name=name) for name in dict.fromkeys(names) if name]
            for names in (node.inputs, node.outputs)
        )
        graph = helper.make_graph([node.proto], "folded", inputs, outputs)
        self._evaluator = ReferenceEvaluator(graph, opsets={"": opset})

    def __call__(self, constants: Sequence[Constant]) -> dict[str, Constant]:
        """Return the node's outputs by name.

        Args:
            constants: values of the inputs that are not omitted, in order.

        Raises:
            UnsupportedOp: a result has more than 2**26 elements.
        """
        node = self.node
        if _max_elements(node, constants) > MAX_ELEMENTS:
            raise node.unsupported("makes a tensor too large to be meant")
        names = [name for name in node.inputs if name]
        results = self._evaluator.run(list(node.outputs), dict(zip(names, constants, strict=True)))
        return {n: np.asarray(v) for n, v in zip(node.outputs, results, strict=True)}


def _max_elements(node: Node, constants: Sequence[Constant]) -> int:
    """Return an upper bound of the number of elements of a node's results."""
    if node.op in ("ConstantOfShape", "Expand"):
        return math.prod(max(1, int(side)) for side in constants[-1].reshape(-1)) * (
            constants[0].size if node.op == "Expand" else 1
        )
    if node.op == "Tile":
        repeats = constants[1].reshape(-1)
        return constants[0].size * math.prod(max(1, int(times)) for times in repeats)
    if node.op == "Range":
        start, end, step = (float(value.reshape(())) for value in constants)
        return int(abs(end - start) / abs(step)) if step else MAX_ELEMENTS + 1
    if node.op == "NonZero":
        return constants[0].size * max(1, constants[0].ndim)
    if len(constants) > 1 and node.op not in UNALIGNED:
        return math.prod(max(sides) for sides in _aligned([value.shape for value in constants]))
    if node.op in ("Gather", "GatherND"):
        return constants[0].size * max(1, constants[1].size)
    return sum(value.size for value in constants)


def _aligned(shapes: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return the sides of shapes along each axis, aligned at the last as broadcasting does."""
    rank = max(map(len, shapes))
    return list(zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True))
