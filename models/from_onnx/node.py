"""Nodes of an ONNX graph, and calls of a node with its inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import NodeProto
from torch import Tensor

from styleexport.core.errors import UnsupportedOp

# A value that does not depend on the picture's pixels.
Constant = NDArray[Any]
Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | Constant
# 4 GB of float32: more than any layer of a style network at the largest size that fits a phone.
MAX_ELEMENTS = 2**30


@dataclass(frozen=True)
class Node:
    """A node of an ONNX graph.

    Attributes:
        name: name of the node, or of its first output.
        op: type of the operation, such as ``Conv``.
        inputs: names of the input values; "" for an omitted one.
        outputs: names of the output values.
        attributes: plain attributes, by name.
        proto: node as in the file.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    proto: NodeProto

    @classmethod
    def of(cls, proto: NodeProto) -> Node:
        """Return a node of a file."""
        return cls(
            proto.name or next(iter(proto.output), proto.op_type),
            proto.op_type,
            tuple(proto.input),
            tuple(proto.output),
            {a.name: _attribute(a) for a in proto.attribute if a.type in PLAIN},
            proto,
        )

    def unsupported(self, what: str) -> UnsupportedOp:
        """Return the error of a node that is not supported.

        Args:
            what: reason, as the message continues after the node's name.
        """
        return UnsupportedOp(
            f"node {self.name!r} ({self.op}) {what}; export the network from PyTorch instead: "
            "styleexport onnx package.module:factory, or a .pt2 file of torch.export"
        )


PLAIN = (
    onnx.AttributeProto.INT,
    onnx.AttributeProto.FLOAT,
    onnx.AttributeProto.STRING,
    onnx.AttributeProto.INTS,
    onnx.AttributeProto.FLOATS,
    onnx.AttributeProto.TENSOR,
)


def _attribute(proto: onnx.AttributeProto) -> Attribute:
    value = onnx.helper.get_attribute_value(proto)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    return value if isinstance(value, int | float) else tuple(value)


@dataclass(frozen=True)
class Call:
    """A call of a node: its inputs and how they are read.

    Attributes:
        node: node to compute.
        tensors: inputs that depend on the picture, and weights; None for others.
        constants: inputs that do not depend on the picture's pixels; None for others.
        opset: opset version of the file.
        border: rows and columns of zeros that a ``Pad`` adds around the first input, which the
            convolution is to add itself.
    """

    node: Node
    tensors: Sequence[Tensor | None]
    constants: Sequence[Constant | None]
    opset: int
    border: tuple[int, int] = (0, 0)

    def has(self, index: int) -> bool:
        """Return whether an input is given."""
        return index < len(self.node.inputs) and self.node.inputs[index] != ""

    def tensor(self, index: int = 0) -> Tensor:
        """Return an input as a tensor."""
        tensor = self.tensors[index]
        if tensor is not None:
            return tensor
        value = self.constants[index]
        assert value is not None, (self.node.name, index)
        return torch.from_numpy(np.array(value, order="C"))

    def all_tensors(self) -> list[Tensor]:
        """Return every input as a tensor."""
        return [self.tensor(index) for index in range(len(self.node.inputs))]

    def optional(self, index: int) -> Tensor | None:
        """Return an input as a tensor; None where it is omitted."""
        return self.tensor(index) if self.has(index) else None

    def operand(self, index: int) -> Tensor | float:
        """Return an input as a tensor, or a constant of one float as a number."""
        value = self.constants[index]
        if value is not None and value.size == 1 and value.dtype.kind == "f":
            others = [t.dim() for t in self.tensors if t is not None and t.numel() > 1]
            if value.ndim <= max(others, default=0):
                return float(value.reshape(()))
        return self.tensor(index)

    def value(self, index: int) -> Constant:
        """Return an input that must be a constant.

        Raises:
            UnsupportedOp: the input depends on the picture's pixels.
        """
        value = self.constants[index]
        if value is None:
            raise self.node.unsupported(f"takes input {index} from the picture's values")
        return value

    def integers(self, name: str, index: int | None = None) -> tuple[int, ...] | None:
        """Return integers given as an attribute or, in later opsets, as an input; None for neither.

        Args:
            name: name of the attribute.
            index: index of the input; None where there is none.

        Raises:
            UnsupportedOp: the input depends on the picture's pixels.
        """
        if index is not None and self.has(index):
            return tuple(int(item) for item in self.value(index).reshape(-1))
        given = self.node.attributes.get(name)
        return tuple(int(item) for item in given) if isinstance(given, tuple) else None

    def integer(self, name: str, default: int) -> int:
        """Return an integer attribute."""
        value = self.node.attributes.get(name, default)
        return value if isinstance(value, int) else default

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is an integer or a float."""
        value = self.node.attributes.get(name, default)
        return float(value) if isinstance(value, int | float) else default

    def text(self, name: str, default: str) -> str:
        """Return a string attribute."""
        return str(self.node.attributes.get(name, default))

    def bounded(self, shape: Sequence[int]) -> Sequence[int]:
        """Return the shape of a result, checked against a limit of 2**30 elements.

        Raises:
            UnsupportedOp: the result has more elements.
        """
        if math.prod(shape) > MAX_ELEMENTS:
            raise self.node.unsupported(f"makes a tensor of {list(shape)}, too large to be meant")
        return shape
