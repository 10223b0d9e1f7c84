"""What LiteRT's GPU delegate takes of a ``.tflite`` file, operation by operation.

The rules are those of LiteRT 2.3 for the operations that our converters write. An operation must be
in two lists of google-ai-edge/LiteRT: ``ml_drift_delegate/tflite/model_builder.cc``, and
``tflite/tools/versioning/gpu_compatibility.cc``, which the delegates of LiteRT 1 read too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from types import MappingProxyType

from styleexport.runtime_bench.formats._tflite_graph import TfliteGraph, TfliteOperation

# Operator → the newest version that the delegate parses.
NEWEST: Mapping[str, int] = MappingProxyType({
    "ABS": 5, "ADD": 6, "AVERAGE_POOL_2D": 2, "CEIL": 2, "CONCATENATION": 6, "CONV_2D": 6, "COS": 2,
    "CUMSUM": 1, "DEPTHWISE_CONV_2D": 6, "DEQUANTIZE": 3, "DIV": 2, "ELU": 2, "EQUAL": 2, "EXP": 2,
    "FLOOR": 2, "FLOOR_DIV": 3, "FLOOR_MOD": 2, "FULLY_CONNECTED": 14, "GELU": 3, "GREATER": 2,
    "GREATER_EQUAL": 2, "LEAKY_RELU": 2, "LESS": 2, "LESS_EQUAL": 2, "LOG": 2, "LOGICAL_AND": 2,
    "LOGICAL_NOT": 2, "LOGICAL_OR": 2, "LOGISTIC": 2, "MAXIMUM": 4, "MAX_POOL_2D": 2, "MINIMUM": 4,
    "MIRROR_PAD": 5, "MUL": 8, "NEG": 2, "NOT_EQUAL": 2, "ONE_HOT": 1, "PAD": 5, "PADV2": 5,
    "POW": 2, "PRELU": 1, "QUANTIZE": 2, "RELU": 2, "RELU6": 2, "RELU_N1_TO_1": 2, "RESHAPE": 1,
    "RESIZE_BILINEAR": 3, "RESIZE_NEAREST_NEIGHBOR": 3, "ROUND": 2, "RSQRT": 2, "SELECT": 1,
    "SELECT_V2": 1, "SIGN": 2, "SIN": 2, "SLICE": 8, "SOFTMAX": 4, "SPACE_TO_DEPTH": 2, "SQRT": 2,
    "SQUARE": 2, "SQUARED_DIFFERENCE": 2, "STRIDED_SLICE": 2, "SUB": 2, "TANH": 2, "TRANSPOSE": 9,
    "TRANSPOSE_CONV": 3,
})  # fmt: skip
# Operators whose version is not checked.
ANY_VERSION = frozenset({
    "ADD_N", "BATCH_MATMUL", "CAST", "DEPTH_TO_SPACE", "DYNAMIC_UPDATE_SLICE", "GATHER",
    "HARD_SWISH", "MEAN", "PACK", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REVERSE_V2", "SPLIT",
    "SPLIT_V", "SUM", "TILE", "UNPACK",
})  # fmt: skip
REDUCTIONS = frozenset({"MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"})
PADS = frozenset({"PAD", "PADV2", "MIRROR_PAD"})
# Operators of two tensors; of ADD and MUL both may be the same one.
OF_TWO = frozenset({
    "ADD", "DIV", "EQUAL", "FLOOR_DIV", "FLOOR_MOD", "GREATER", "GREATER_EQUAL", "LESS",
    "LESS_EQUAL", "LOGICAL_AND", "LOGICAL_OR", "MAXIMUM", "MINIMUM", "MUL", "NOT_EQUAL", "POW",
    "SQUARED_DIFFERENCE", "SUB",
})  # fmt: skip
OF_ONE_TWICE = frozenset({"ADD", "MUL"})
MASKS = ("ellipsisMask", "newAxisMask", "shrinkAxisMask")
# Element types of activations; int32 is that of indices.
ACTIVATIONS = frozenset({"float32", "float16", "int8", "uint8", "int32"})
MAX_RANK = 4
REFLECT = 0  # of the enumeration MirrorPadMode


@dataclass(frozen=True)
class Refusal:
    """An operation that the GPU delegate refuses.

    Attributes:
        operation: operation.
        reason: what about it the delegate does not take.
    """

    operation: TfliteOperation
    reason: str


def gpu_refusals(graph: TfliteGraph) -> tuple[Refusal, ...]:
    """Return the operations that the GPU delegate refuses, in execution order."""
    prepared = _prepared(graph)
    found = [
        Refusal(item, reason)
        for item in graph.operations
        if item.outputs[0] not in prepared and (reason := next(_reasons(graph, item), None))
    ]
    return tuple(found)


def gpu_text(graph: TfliteGraph) -> str:
    """Return whether the GPU delegate takes the whole file, and what it leaves, in one line."""
    refused, count = gpu_refusals(graph), len(graph.operations)
    if not refused:
        return f"whole: all {count} operations"
    names = [f"{one.operation.name} {_output(graph, one.operation)}" for one in refused]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{count - len(names)} of {count} operations: not {', '.join(names[:3])}{more}"


def _output(graph: TfliteGraph, item: TfliteOperation) -> str:
    return graph.tensors[item.outputs[0]].name


def _prepared(graph: TfliteGraph) -> Set[int]:
    """Return the tensors that are computed once from constants, such as weights of float16."""
    found: set[int] = set()
    for item in graph.operations:
        if item.name == "DEQUANTIZE" and not graph.activations(item):
            found |= {*item.outputs}
    return found


def _reasons(graph: TfliteGraph, item: TfliteOperation) -> Iterator[str]:
    """Yield why an operation is refused; nothing where it is taken."""
    if item.name not in ANY_VERSION and item.name not in NEWEST:
        yield f"{item.name} is none of its operations"
    elif item.version > NEWEST.get(item.name, item.version):
        yield f"version {item.version} of {item.name} is newer than {NEWEST[item.name]}"
    tensors = [graph.tensors[index] for index in (*item.inputs, *item.outputs) if index >= 0]
    for tensor in tensors:
        if len(tensor.shape) > MAX_RANK:
            yield f"{tensor.name} has {len(tensor.shape)} axes, at most {MAX_RANK}"
        if tensor.stored is None and tensor.dtype not in ACTIVATIONS:
            yield f"{tensor.name} is {tensor.dtype}"
    if item.name in OF_TWO:
        yield from _of_two(graph, item)
    elif item.name in REDUCTIONS and not _is_constant(graph, item, 1):
        yield "its axes are computed"
    elif item.name in PADS:
        yield from _pad(graph, item)
    elif item.name == "SLICE" and not all(_is_constant(graph, item, place) for place in (1, 2)):
        yield "where it begins and its size are computed"
    elif item.name == "STRIDED_SLICE":
        if any(item.option(mask) for mask in MASKS):
            yield "it adds, removes or skips axes"
        if len(graph.tensors[item.inputs[0]].shape) not in (3, 4):
            yield "it slices a tensor of neither 3 nor 4 axes"
    elif item.option("alignCorners") and item.option("halfPixelCenters"):
        yield "it aligns corners and takes centres of pixels at once"


def _of_two(graph: TfliteGraph, item: TfliteOperation) -> Iterator[str]:
    if len(item.inputs) != 2:
        yield f"it reads {len(item.inputs)} tensors, not 2"
        return
    if item.inputs[0] == item.inputs[1] and item.name not in OF_ONE_TWICE:
        yield "it reads one tensor twice"
    shapes = [graph.tensors[index].shape for index in item.inputs]
    if all(graph.tensors[index].stored is None for index in item.inputs):
        pairs = zip(reversed(shapes[0]), reversed(shapes[1]), strict=False)
        if any(1 not in pair and pair[0] != pair[1] for pair in pairs):
            yield f"{list(shapes[0])} and {list(shapes[1])} do not fit together"
    elif not graph.activations(item):
        yield "it computes with constants alone"


def _pad(graph: TfliteGraph, item: TfliteOperation) -> Iterator[str]:
    if item.name == "MIRROR_PAD" and item.option("mode") != REFLECT:
        yield "it mirrors with the edge, not at the edge"
    if not _is_constant(graph, item, 1):
        yield "its widths are computed"
    if len(graph.tensors[item.inputs[0]].shape) not in (3, 4):
        yield "it pads a tensor of neither 3 nor 4 axes"


def _is_constant(graph: TfliteGraph, item: TfliteOperation, place: int) -> bool:
    """Whether an operation reads a constant at a place; false where it reads nothing there."""
    reads = item.inputs[place : place + 1]
    return all(index >= 0 and graph.tensors[index].stored is not None for index in reads or (-1,))
