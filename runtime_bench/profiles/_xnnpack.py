"""Matching of XNNPACK's operators to a file's operations, by order and kind alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from styleexport.runtime_bench.formats._tflite_graph import TfliteGraph

# XNNPACK's name of an operator in a profile → operations of a file that it implements.
KINDS: dict[str, frozenset[str]] = {
    name: frozenset(operations.split())
    for name, operations in {
        "Convolution": "CONV_2D DEPTHWISE_CONV_2D",
        "Deconvolution": "TRANSPOSE_CONV",
        "Fully Connected": "FULLY_CONNECTED",
        "Batch Matrix Multiply": "BATCH_MATMUL",
        "Clamp": "RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 MINIMUM MAXIMUM",
        "Mean": "MEAN", "Mean Squared": "MEAN", "Sum": "SUM",
        "Add": "ADD", "Subtract": "SUB", "Multiply": "MUL", "Divide": "DIV",
        "Squared Difference": "SQUARED_DIFFERENCE", "Minimum": "MINIMUM", "Maximum": "MAXIMUM",
        "Square Root": "SQRT", "Reciprocal Square Root": "RSQRT", "Square": "SQUARE",
        "Abs": "ABS", "Negate": "NEG", "Exp": "EXP", "Sigmoid": "LOGISTIC", "Tanh": "TANH",
        "HardSwish": "HARD_SWISH", "ELU": "ELU", "GELU": "GELU", "Leaky ReLU": "LEAKY_RELU",
        "PReLU": "PRELU", "Softmax": "SOFTMAX",
        "Static Reshape": "RESHAPE EXPAND_DIMS SQUEEZE", "Copy": "CONCATENATION RESHAPE",
        "Slice": "SLICE STRIDED_SLICE SPLIT", "Constant Pad": "PAD PADV2",
        "Transpose": "TRANSPOSE", "Convert": "QUANTIZE DEQUANTIZE CAST",
        "Resize Bilinear": "RESIZE_BILINEAR", "Max Pooling": "MAX_POOL_2D",
        "Average Pooling": "AVERAGE_POOL_2D", "Depth To Space": "DEPTH_TO_SPACE",
        "Space To Depth": "SPACE_TO_DEPTH",
    }.items()
}  # fmt: skip
PRODUCTS = frozenset(
    {
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "TRANSPOSE_CONV",
        "FULLY_CONNECTED",
        "BATCH_MATMUL",
    }
)


@dataclass(frozen=True)
class Partition:
    """Operations, by index, that one delegate kernel or LiteRT itself runs consecutively."""

    delegated: bool
    operations: tuple[int, ...]


def partitions(graph: TfliteGraph, builtin: Collection[int]) -> tuple[Partition, ...]:
    """Return LiteRT's partitions of a graph for a delegate, in execution order.

    Follows its partitioner: a partition starts at the first operation whose inputs are ready, and
    takes all further ready operations of the same side, wherever they are in the file.

    Args:
        graph: graph of the file.
        builtin: operations that the delegate does not take.
    """
    ready = set(graph.inputs.values())
    ready |= {i for i, tensor in enumerate(graph.tensors) if tensor.stored is not None}
    waiting = list(range(len(graph.operations)))
    parts: list[Partition] = []
    while waiting:
        part: list[int] = []
        side: bool | None = None
        for index in waiting:
            operation = graph.operations[index]
            delegated = index not in builtin
            if {i for i in operation.inputs if i >= 0} <= ready and side in (None, delegated):
                side = delegated
                part.append(index)
                ready |= set(operation.outputs)
        if not part:
            break
        parts.append(Partition(bool(side), tuple(part)))
        waiting = [index for index in waiting if index not in part]
    return tuple(parts)


def aligned(graph: TfliteGraph, part: Partition, names: Sequence[str]) -> list[int]:
    """Return the file's operation of each of XNNPACK's operators, in order.

    Both are in the file's order. An operator that XNNPACK adds belongs to the operation before it;
    an operation that it fuses has no operator. No step skips a convolution, so that an error does
    not propagate.

    Args:
        graph: graph of the file.
        part: partition that XNNPACK runs.
        names: names of its operators, such as ``Convolution (NHWC, F32) IGEMM``.
    """
    kinds = [graph.operations[index].name for index in part.operations]
    matches: list[int] = []
    at = -1
    for name in names:
        expected = KINDS.get(name.partition(" (")[0], frozenset[str]())
        for step in range(at + 1, len(kinds)):
            if kinds[step] in expected:
                at = step
                break
            if kinds[step] in PRODUCTS:
                break
        matches.append(part.operations[max(at, 0)])
    return matches
