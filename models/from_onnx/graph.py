"""An ONNX graph as a torch module that computes its nodes one after the other.

What does not depend on the picture's pixels (weights, constants, chains of ``Shape`` and
``Gather``) is computed in numpy by onnx's own reference: a capture holds only what does.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from onnx import ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from styleexport.models.from_onnx.node import Call, Known, Node
from styleexport.models.from_onnx.ops_spatial import LAYERS, border
from styleexport.models.from_onnx.ops_tensor import MATHS, Result


@dataclass(frozen=True)
class Padded:
    """A tensor with zeros round it that are yet to be put there: (rows, columns)."""

    tensor: Tensor
    border: tuple[int, int]


Value = Tensor | Known | Padded

# What may be computed ahead: it makes no more elements than it is given, or names how many.
AHEAD = frozenset(
    (
        "Abs", "Add", "And", "Cast", "Ceil", "Concat", "Constant", "ConstantOfShape", "Div",
        "Equal", "Expand", "Flatten", "Floor", "Gather", "Greater", "Identity", "Less", "Max",
        "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow", "Range", "Reciprocal", "ReduceMax",
        "ReduceMin", "ReduceProd", "ReduceSum", "Reshape", "Round", "ScatterND", "Size", "Slice",
        "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tile", "Transpose", "Unsqueeze", "Where",
    )
)  # fmt: skip
# Only the first input of these is a tensor of values; the others say how.
HOW = frozenset(
    (
        "Clip", "Dropout", "Expand", "Gather", "Pad", "ReduceMax", "ReduceMean", "ReduceMin",
        "ReduceSum", "ReduceSumSquare", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Tile",
        "Unsqueeze", "Upsample",
    )
)  # fmt: skip

# A quarter of a gigabyte; all the weights of a style network are a tenth of it.
MOST_AHEAD = 2**26


class OnnxGraph(nn.Module):
    """The part of an ONNX model that leads to some of its values.

    Attributes:
        nodes: that depend on the inputs, in order.

    Args:
        model: checked, its weights in memory.
        inputs: names of the inputs that are fed.
        outputs: names of the values to compute.

    Raises:
        UnsupportedOp: a node that is not read, or the size of a tensor that cannot be meant.
    """

    def __init__(self, model: ModelProto, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.opset = opset_of(model)
        self.constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        kept: list[Node] = []
        shaped: set[str] = set()
        self.ahead: dict[str, ReferenceEvaluator] = {}
        for node in map(Node.of, leading_to(model, outputs).graph.node):
            given = [name for name in node.inputs if name]
            if all(name in self.constants or name in shaped for name in given) and node.op in AHEAD:
                evaluator = _evaluator(node, self.opset)
                if shaped.isdisjoint(given):
                    found = _ahead(node, evaluator, [self.constants[name] for name in given])
                    self.constants |= found
                    continue
                self.ahead[node.outputs[0]] = evaluator
                shaped |= set(node.outputs)
            elif node.op == "Shape" or (node.op == "Size" and given):
                shaped |= set(node.outputs)
            else:
                _check(node)
            kept.append(node)
        self.nodes = tuple(kept)
        self.weights = self._register()
        uses = Counter(name for node in kept for name in node.inputs)
        convolved = {node.inputs[0] for node in kept if node.op == "Conv"} - set(outputs)
        self.borders = {name for name in convolved if uses[name] == 1}

    def _register(self) -> dict[str, str]:
        """Hold the weights as buffers; return value → buffer."""
        buffers: dict[str, str] = {}
        for node in self.nodes:
            for name in node.inputs[:1] if node.op in HOW else node.inputs:
                value = self.constants.get(name)
                if value is None or value.dtype.kind != "f" or name in buffers:
                    continue
                buffer = f"{re.sub(r'[^A-Za-z0-9_]', '_', name)}_{len(buffers)}"
                tensor = torch.from_numpy(np.array(value, np.float32))
                self.register_buffer(f"w_{buffer}", tensor)
                buffers[name] = f"w_{buffer}"
        return buffers

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs, in order."""
        fed = dict(zip(self.inputs, inputs, strict=True))
        values = self.run(fed, self.nodes, self.outputs)
        return tuple(values[name] for name in self.outputs)

    def run(
        self, fed: Mapping[str, Tensor], nodes: Sequence[Node], wanted: Collection[str]
    ) -> dict[str, Tensor]:
        """Return the wanted values that nodes compute from those fed."""
        values: dict[str, Value] = dict(fed)
        last = {name: node for node in nodes for name in node.inputs}
        for node in nodes:
            for name, value in zip(node.outputs, self._results(node, values), strict=False):
                values[name] = value
            for name in set(node.inputs):
                if last[name] is node and name not in wanted:
                    values.pop(name, None)
        found = {name: values[name] for name in wanted}
        return {
            name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
            for name, value in found.items()
            if not isinstance(value, Padded)
        }

    def _results(self, node: Node, values: Mapping[str, Value]) -> Sequence[Value]:
        evaluator = self.ahead.get(node.outputs[0])
        if evaluator is not None:
            found = [self._known(name, values) for name in node.inputs if name]
            if all(value is not None for value in found):
                return tuple(_ahead(node, evaluator, [v for v in found if v is not None]).values())
        if node.op in ("Shape", "Size"):
            return (_measured(node, values[node.inputs[0]]),)
        padded = values.get(node.inputs[0])
        call = Call(
            node,
            [self._tensor(name, values) for name in node.inputs],
            [self._known(name, values) for name in node.inputs],
            self.opset,
            padded.border if isinstance(padded, Padded) else (0, 0),
        )
        zeros = border(call) if node.op == "Pad" and node.outputs[0] in self.borders else None
        if zeros is not None:
            return (Padded(call.tensor(0), zeros),)
        results = operations()[node.op](call)
        return (results,) if isinstance(results, Tensor) else tuple(results)

    def _tensor(self, name: str, values: Mapping[str, Value]) -> Tensor | None:
        if name in self.weights:
            return getattr(self, self.weights[name])
        value = values.get(name)
        if isinstance(value, Padded):
            return value.tensor
        return value if isinstance(value, Tensor) else None

    def _known(self, name: str, values: Mapping[str, Value]) -> Known | None:
        value = values.get(name)
        return value if isinstance(value, np.ndarray) else self.constants.get(name)


@cache
def operations() -> Mapping[str, Callable[[Call], Result]]:
    """Return what computes each operation, by name."""
    return {**LAYERS, **MATHS}


def opset_of(model: ModelProto) -> int:
    """Return the version of the standard operations that a model uses."""
    return max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)


def _check(node: Node) -> None:
    if node.op not in operations() or node.proto.domain not in ("", "ai.onnx"):
        known = "convolutions, normalisations, activations, pads, resizing, pooling, arithmetic"
        raise node.unsupported(f"is not an operation that is read here (those are {known})")


def leading_to(model: ModelProto, outputs: Sequence[str]) -> ModelProto:
    """Return a model without the nodes and outputs that some of its outputs do not need."""
    wanted, kept = set(outputs), list[NodeProto]()
    for node in reversed(model.graph.node):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.append(node)
    part = ModelProto()
    part.CopyFrom(model)
    del part.graph.node[:], part.graph.output[:]
    part.graph.node.extend(reversed(kept))
    part.graph.output.extend(value for value in model.graph.output if value.name in outputs)
    return part


def _evaluator(node: Node, opset: int) -> ReferenceEvaluator:
    """Return onnx's own arithmetic of a node, as it was in an opset."""
    given, made = (
        [ValueInfoProto(name=name) for name in dict.fromkeys(names) if name]
        for names in (node.inputs, node.outputs)
    )
    graph = helper.make_graph([node.proto], "ahead", given, made)
    return ReferenceEvaluator(graph, opsets={"": opset})


def _ahead(node: Node, evaluator: ReferenceEvaluator, given: Sequence[Known]) -> dict[str, Known]:
    """Return the outputs of a node whose inputs are all known."""
    if _most_elements(node, given) > MOST_AHEAD:
        raise node.unsupported("makes a tensor too large to be meant")
    names = [name for name in node.inputs if name]
    results = evaluator.run(list(node.outputs), dict(zip(names, given, strict=True)))
    return {n: np.asarray(v) for n, v in zip(node.outputs, results, strict=True)}


def _most_elements(node: Node, given: Sequence[Known]) -> int:
    if node.op in ("ConstantOfShape", "Expand"):
        return math.prod(max(1, int(side)) for side in given[-1].reshape(-1)) * (
            given[0].size if node.op == "Expand" else 1
        )
    if node.op == "Tile":
        return given[0].size * math.prod(max(1, int(times)) for times in given[1].reshape(-1))
    if node.op == "Range":
        start, end, step = (float(value.reshape(())) for value in given)
        return int(abs(end - start) / abs(step)) if step else MOST_AHEAD + 1
    if len(given) > 1 and node.op not in ("Concat", "Gather", "Reshape", "ScatterND"):
        return math.prod(max(sides) for sides in _aligned([value.shape for value in given]))
    if node.op == "Gather":
        return given[0].size * max(1, given[1].size)
    return sum(value.size for value in given)


def _aligned(shapes: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    rank = max(map(len, shapes))
    return list(zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True))


def _measured(node: Node, value: Value) -> Known:
    assert not isinstance(value, Padded), node.name
    shape = [int(side) for side in value.shape]
    if node.op == "Size":
        return np.array(math.prod(shape), np.int64)
    start, end = node.attributes.get("start", 0), node.attributes.get("end", len(shape))
    assert isinstance(start, int)
    assert isinstance(end, int)
    return np.array(shape[start:end], np.int64)
