"""fp16 ONNX files: weights and convolutions in fp16, interfaces and statistics in float32.

Covariances and what is computed of them as matrices, such as their roots, are statistics too. The
first whitening stays float32 with the convolutions in front of it (exporter/graph/whitening.py).

ONNX Runtime's own converter names its casts by tensor and writes the same one twice when two
float32 operations read it, as means and centred maps do here; the file then does not load. This one
keeps a tensor's casts in a table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from styleexport.core.thresholds import CHOICES
from styleexport.exporter.graph.graph import CHOSEN_BY
from styleexport.exporter.graph.whitening import WHITENED

# Means and variances of large maps: a sum of squares passes 65504, the largest fp16 value.
# Roundings and casts, from and to integers, compute in the float type that the graph gives them.
FLOAT32_OPS = ("ReduceMean", "ReduceSum", "Sqrt", "InstanceNormalization", "Cast", "Round")
ELEMENTWISE = ("Add", "Sub", "Mul", "Div")
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
# Where fp16 values come from: what reads them starts from their rounding, whatever its own type.
BODY = ("Conv", "ConvTranspose", "Relu", "LeakyRelu", "PRelu", "MaxPool")
SUFFIX: dict[int, str] = {TensorProto.FLOAT: "fp32", TensorProto.FLOAT16: "fp16"}


class _Converter:
    """Walks a model once; knows each float tensor's type and the casts made of it."""

    def __init__(
        self, model: onnx.ModelProto, whitened: Collection[str], *, exact_code: bool
    ) -> None:
        inferred = shape_inference.infer_shapes(model).graph
        self.graph = model.graph
        self.weights = {item.name: item for item in self.graph.initializer}
        self.types = {
            value.name: value.type.tensor_type.elem_type
            for value in (*inferred.value_info, *inferred.input, *inferred.output)
        }
        self.shapes = {
            value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            for value in (*inferred.value_info, *inferred.input, *inferred.output)
        }
        self.types |= {name: item.data_type for name, item in self.weights.items()}
        self.casts: dict[tuple[str, int], str] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.outputs = {value.name for value in self.graph.output}
        self.means = {n.output[0] for n in self.graph.node if n.op_type == "ReduceMean"}
        turned = {n.output[0]: n.input[0] for n in self.graph.node if n.op_type == "Transpose"}
        self.covariances = {
            n.output[0]
            for n in self.graph.node
            if n.op_type == "MatMul"
            and n.input[0] != n.input[1]
            and (turned.get(n.input[1]) == n.input[0] or turned.get(n.input[0]) == n.input[1])
        }
        choices = (name for n in self.graph.node if n.op_type in CHOICES for name in n.output)
        self.decisive = self._above([*choices, *(self.outputs if exact_code else ())], until=BODY)
        self.whitened = self._above(whitened)

    def _above(self, names: Iterable[str], until: Collection[str] = ()) -> set[str]:
        """Return these tensors and those that they depend on, back to some operations."""
        makers = {name: node for node in self.graph.node for name in node.output}
        pending, found = list(names), set[str]()
        while pending:
            node = makers.get(name := pending.pop())
            if node is not None and name not in found and node.op_type not in until:
                found.update(node.output)
                pending += node.input
        return found

    def element_type(self, node: onnx.NodeProto) -> int:
        """Return the float type that a node computes in."""
        squares = node.op_type == "Mul" and node.input[0] == node.input[1]
        centres = node.op_type == "Sub" and any(name in self.means for name in node.input)
        exact = node.op_type in FLOAT32_OPS or squares or centres or self._is_matrix(node)
        if node.op_type == "Clip":  # An activation has the type of what it limits.
            taken = self.types.get(node.input[0])
            exact = node.output[0] in self.outputs or taken == TensorProto.FLOAT
        exact = exact or node.output[0] in self.decisive | self.whitened
        return TensorProto.FLOAT if exact else TensorProto.FLOAT16

    def _is_matrix(self, node: onnx.NodeProto) -> bool:
        """Whether a node sums a map to a square matrix, or computes one of such matrices.

        Attention is told apart by its shape: its sums are shorter than its sides, and its factors
        two maps.
        """
        shape = self.shapes.get(node.output[0], [])
        if len(shape) != 3 or shape[1] != shape[2]:
            return False
        if node.op_type == "MatMul":
            return self.shapes.get(node.input[0], [0])[-1] >= shape[1] or (
                node.output[0] in self.covariances
            )
        computed = [name for name in node.input if name not in self.weights]
        return node.op_type in ELEMENTWISE and any(
            self.types.get(name) == TensorProto.FLOAT for name in computed
        )

    def as_type(self, name: str, element_type: int) -> str:
        """Return the tensor's name in a float type, casting or converting it the first time."""
        if self.types.get(name) not in FLOATS or self.types[name] == element_type:
            return name
        key = (name, element_type)
        if key not in self.casts:
            self.casts[key] = new = f"{name}_{SUFFIX[element_type]}"
            if name in self.weights:
                value = numpy_helper.to_array(self.weights[name])
                kind = np.float16 if element_type == TensorProto.FLOAT16 else np.float32
                self.graph.initializer.append(numpy_helper.from_array(value.astype(kind), new))
            else:
                cast = helper.make_node("Cast", [name], [new], name=f"cast_{new}", to=element_type)
                self.nodes.append(cast)
        return self.casts[key]

    def convert(self) -> None:
        """Rewrite every node's inputs, then the outputs."""
        for node in self.graph.node:
            element_type = self.element_type(node)
            for position, name in enumerate(node.input):
                # A Resize's region and scales are float32 by definition.
                if not (node.op_type == "Resize" and position > 0):
                    node.input[position] = self.as_type(name, element_type)
            self.nodes.append(node)
            for position, name in enumerate(node.output):
                if self.types.get(name) not in FLOATS:
                    continue
                if name in self.outputs and element_type == TensorProto.FLOAT16:
                    node.output[position] = inner = f"{name}_fp16"
                    self.types[inner] = element_type
                    self.casts[name, element_type] = inner
                    cast = helper.make_node(
                        "Cast", [inner], [name], name=f"cast_{name}", to=TensorProto.FLOAT
                    )
                    self.nodes.append(cast)
                else:
                    self.types[name] = element_type
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        read = {name for node in self.nodes for name in node.input}
        kept = [item for item in self.graph.initializer if item.name in read]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)
        del self.graph.value_info[:]


def half_precision(
    model: onnx.ModelProto, whitened: Collection[str] = (), *, exact_code: bool = False
) -> dict[str, tuple[str, ...]]:
    """Convert a float32 model to fp16 in place; inputs, outputs and statistics stay float32.

    Args:
        model: float32.
        whitened: tensors of the first whitening, which stays float32.
        exact_code: whether its style code is compared, and is computed in float32.

    Returns:
        Reason → tensors that stay float32 for it.
    """
    converter = _Converter(model, whitened, exact_code=exact_code)
    converter.convert()
    return {
        CHOSEN_BY: tuple(sorted(converter.decisive)),
        WHITENED: tuple(sorted(converter.whitened)),
    }
