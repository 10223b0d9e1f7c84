"""An ONNX graph as a torch module that computes its nodes one after the other.

Values that do not depend on the picture's pixels (weights, constants, chains of ``Shape`` and
``Gather``) are computed in numpy by constant folding, so that a capture holds only those that do.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from onnx import ModelProto, NodeProto, numpy_helper
from torch import Tensor, nn

from styleexport.models.from_onnx.folding import FOLDABLE, FoldedNode
from styleexport.models.from_onnx.node import Call, Constant, Node
from styleexport.models.from_onnx.ops_spatial import SPATIAL_OPS, border
from styleexport.models.from_onnx.ops_tensor import TENSOR_OPS, Result


@dataclass(frozen=True)
class Padded:
    """A tensor whose zero padding is left to the convolution that reads it.

    Attributes:
        tensor: tensor without the padding, [N, C, H, W].
        border: rows and columns of zeros on each side.
    """

    tensor: Tensor
    border: tuple[int, int]


@dataclass(frozen=True)
class StyleIndex:
    """An index of a style, as weights of all styles: one-hot for one of them, others are blends.

    Attributes:
        weights: weight of each style, [1, S].
        shape: shape of the index in the file, of one element.
    """

    weights: Tensor
    shape: tuple[int, ...]


Value = Tensor | Constant | Padded | StyleIndex

# They hand an index on.
INDEX_PASSING = ("Identity", "Cast", "Unsqueeze", "Squeeze", "Reshape", "Flatten")

REFERENCE = "docs/reference/onnx-operators.md"
# Only the first input of these is data; the others are parameters.
PARAMETRISED = frozenset(
    (
        "Clip", "CumSum", "Dropout", "Expand", "Gather", "Pad", "ReduceL1", "ReduceL2",
        "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
        "ReduceSum", "ReduceSumSquare", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Tile",
        "TopK", "Trilu", "Unsqueeze", "Upsample",
    )
)  # fmt: skip


class OnnxGraph(nn.Module):
    """The part of an ONNX model that leads to some of its values.

    Attributes:
        nodes: nodes that depend on the inputs, in order.

    Args:
        model: checked model with its weights in memory.
        inputs: names of the inputs that are fed.
        outputs: names of the values to compute.

    Raises:
        UnsupportedOp: a node is not supported, or a constant would be too large.
    """

    def __init__(self, model: ModelProto, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.opset = opset_of(model)
        self.constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.folded: dict[str, FoldedNode] = {}
        self.nodes = self._fold(map(Node.of, leading_to(model, outputs).graph.node))
        self.weights = self._register()
        uses = Counter(name for node in self.nodes for name in node.inputs)
        convolved = {node.inputs[0] for node in self.nodes if node.op == "Conv"} - set(outputs)
        self.borders = {name for name in convolved if uses[name] == 1}

    def _fold(self, nodes: Iterable[Node]) -> tuple[Node, ...]:
        """Compute the nodes of constants alone; return the others.

        Nodes that depend on the shape of an input, but not on its values, become `FoldedNode`.
        """
        kept: list[Node] = []
        shape_values: set[str] = set()
        for node in nodes:
            inputs = [name for name in node.inputs if name]
            constant = all(name in self.constants or name in shape_values for name in inputs)
            if constant and node.op in FOLDABLE:
                folded = FoldedNode(node, self.opset)
                if shape_values.isdisjoint(inputs):
                    self.constants |= folded([self.constants[name] for name in inputs])
                    continue
                self.folded[node.outputs[0]] = folded
                shape_values |= set(node.outputs)
            elif node.op == "Shape" or (node.op == "Size" and inputs):
                shape_values |= set(node.outputs)
            else:
                _check(node)
            kept.append(node)
        return tuple(kept)

    def _register(self) -> dict[str, str]:
        """Register the weights as buffers; return the buffer's name by the value's."""
        buffers: dict[str, str] = {}
        for node in self.nodes:
            for name in node.inputs[:1] if node.op in PARAMETRISED else node.inputs:
                value = self.constants.get(name)
                if value is None or value.dtype.kind != "f" or name in buffers:
                    continue
                buffer = f"{re.sub(r'[^A-Za-z0-9_]', '_', name)}_{len(buffers)}"
                tensor = torch.from_numpy(np.array(value, np.float32))
                self.register_buffer(f"w_{buffer}", tensor)
                buffers[name] = f"w_{buffer}"
        return buffers

    def forward(self, *inputs: Tensor | StyleIndex) -> tuple[Tensor, ...]:
        """Return the outputs, in order, for inputs in the order of ``inputs``."""
        feeds = dict(zip(self.inputs, inputs, strict=True))
        values = self.run(feeds, self.nodes, self.outputs)
        return tuple(values[name] for name in self.outputs)

    def run(
        self,
        feeds: Mapping[str, Tensor | StyleIndex],
        nodes: Sequence[Node],
        outputs: Collection[str],
    ) -> dict[str, Tensor]:
        """Return values that nodes compute, by name.

        Args:
            feeds: values of the inputs, by name.
            nodes: nodes to compute, in order.
            outputs: names of the values to return.
        """
        values: dict[str, Value] = dict(feeds)
        last = {name: node for node in nodes for name in node.inputs}
        for node in nodes:
            for name, value in zip(node.outputs, self._results(node, values), strict=False):
                values[name] = value
            for name in set(node.inputs):
                if last[name] is node and name not in outputs:
                    values.pop(name, None)
        results = {name: values[name] for name in outputs}
        return {
            name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
            for name, value in results.items()
            if not isinstance(value, Padded | StyleIndex)
        }

    def _results(self, node: Node, values: Mapping[str, Value]) -> Sequence[Value]:
        """Return the outputs of one node, in order."""
        folded = self.folded.get(node.outputs[0])
        if folded is not None:
            constants = [self._constant(name, values) for name in node.inputs if name]
            if all(value is not None for value in constants):
                return tuple(folded([v for v in constants if v is not None]).values())
        if node.op in ("Shape", "Size"):
            return (_shape(node, values[node.inputs[0]]),)
        if any(isinstance(values.get(name), StyleIndex) for name in node.inputs):
            return (self._of_index(node, values),)
        padded = values.get(node.inputs[0])
        call = Call(
            node,
            [self._tensor(name, values) for name in node.inputs],
            [self._constant(name, values) for name in node.inputs],
            self.opset,
            padded.border if isinstance(padded, Padded) else (0, 0),
        )
        zeros = border(call) if node.op == "Pad" and node.outputs[0] in self.borders else None
        if zeros is not None:
            return (Padded(call.tensor(0), zeros),)
        results = operations()[node.op](call)
        return (results,) if isinstance(results, Tensor) else tuple(results)

    def _of_index(self, node: Node, values: Mapping[str, Value]) -> Value:
        """Return the result of a node that reads the index of a style.

        Rows of a table that an index picks are its product with the weights, exact where they are
        one-hot.

        Raises:
            UnsupportedOp: the node does something else with it.
        """
        place = [isinstance(values.get(name), StyleIndex) for name in node.inputs].index(True)
        index = values[node.inputs[place]]
        assert isinstance(index, StyleIndex)
        if node.op in INDEX_PASSING and place == 0:
            tensors = [torch.zeros(index.shape), *[None] * (len(node.inputs) - 1)]
            constants = [self._constant(name, values) for name in node.inputs]
            if node.op == "Cast":
                return index
            result = operations()[node.op](Call(node, tensors, constants, self.opset))
            assert isinstance(result, Tensor)
            return StyleIndex(index.weights, tuple(result.shape))
        table = self._tensor(node.inputs[0], values) if place else None
        if node.op != "Gather" or table is None or node.attributes.get("axis", 0) != 0:
            raise node.unsupported(
                "takes the index of the style, which may pick rows of weights only"
            )
        rows = (
            index.weights @ table.flatten(1) if table.dim() > 1 else index.weights @ table[:, None]
        )
        return rows.reshape(*index.shape, *table.shape[1:])

    def style_count(self, name: str) -> int:
        """Return the number of styles that an index input chooses among; 0 where it is none."""
        names = {name}
        counts: list[int] = []
        for node in self.nodes:
            if node.inputs and node.inputs[0] in names and node.op in INDEX_PASSING:
                names |= set(node.outputs)
            elif (
                node.op == "Gather" and node.inputs[1] in names and node.inputs[0] in self.constants
            ):
                counts.append(len(self.constants[node.inputs[0]]))
        return min(counts, default=0)

    def _tensor(self, name: str, values: Mapping[str, Value]) -> Tensor | None:
        if name in self.weights:
            return getattr(self, self.weights[name])
        value = values.get(name)
        if isinstance(value, Padded):
            return value.tensor
        return value if isinstance(value, Tensor) else None

    def _constant(self, name: str, values: Mapping[str, Value]) -> Constant | None:
        value = values.get(name)
        return value if isinstance(value, np.ndarray) else self.constants.get(name)


@cache
def operations() -> Mapping[str, Callable[[Call], Result]]:
    """Return the function of each supported operation, by type."""
    return {**SPATIAL_OPS, **TENSOR_OPS}


def opset_of(model: ModelProto) -> int:
    """Return the opset version of a model's standard operations."""
    return max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)


def _check(node: Node) -> None:
    if node.op not in operations() or node.proto.domain not in ("", "ai.onnx"):
        raise node.unsupported(
            f"is not read here; {REFERENCE} lists the {len(operations())} that are"
        )


def leading_to(model: ModelProto, outputs: Sequence[str]) -> ModelProto:
    """Return the part of a model that some of its outputs depend on."""
    needed, kept = set(outputs), list[NodeProto]()
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    part = ModelProto()
    part.CopyFrom(model)
    del part.graph.node[:], part.graph.output[:]
    part.graph.node.extend(reversed(kept))
    part.graph.output.extend(value for value in model.graph.output if value.name in outputs)
    return part


def _shape(node: Node, value: Value) -> Constant:
    """Return the result of ``Shape`` or ``Size``."""
    assert not isinstance(value, Padded | StyleIndex), node.name
    shape = [int(side) for side in value.shape]
    if node.op == "Size":
        return np.array(math.prod(shape), np.int64)
    start, end = node.attributes.get("start", 0), node.attributes.get("end", len(shape))
    assert isinstance(start, int)
    assert isinstance(end, int)
    return np.array(shape[start:end], np.int64)
