"""One node of an ONNX graph and what it is called with."""

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

Known = NDArray[Any]
Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | Known
# 4 GB of float32: more than any layer of a style network at the largest size that fits a phone.
MOST_ELEMENTS = 2**30


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        name: its own, or that of its first output.
        op: what it computes.
        inputs: names of values; "" for one that is left out.
        outputs: names of values.
        attributes: by name.
        proto: as the file has it.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    proto: NodeProto

    @classmethod
    def of(cls, proto: NodeProto) -> Node:
        """Return the node that a file describes."""
        return cls(
            proto.name or next(iter(proto.output), proto.op_type),
            proto.op_type,
            tuple(proto.input),
            tuple(proto.output),
            {a.name: _attribute(a) for a in proto.attribute if a.type in PLAIN},
            proto,
        )

    def unsupported(self, what: str) -> UnsupportedOp:
        """Return the error that says what this node has that is not read."""
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
    """A node with its inputs.

    Attributes:
        node: what is to be computed.
        tensors: inputs that depend on the picture, and weights; None for others.
        known: inputs that are known without the picture's pixels; None for others.
        opset: of the file.
        border: rows and columns of zeros that a ``Pad`` puts round the first input, for a
            convolution to put there itself.
    """

    node: Node
    tensors: Sequence[Tensor | None]
    known: Sequence[Known | None]
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
        value = self.known[index]
        assert value is not None, (self.node.name, index)
        return torch.from_numpy(np.ascontiguousarray(value))

    def all_tensors(self) -> list[Tensor]:
        """Return every input as a tensor."""
        return [self.tensor(index) for index in range(len(self.node.inputs))]

    def optional(self, index: int) -> Tensor | None:
        """Return an input as a tensor, None where it is left out."""
        return self.tensor(index) if self.has(index) else None

    def operand(self, index: int) -> Tensor | float:
        """Return an input, a single known float as a number."""
        value = self.known[index]
        if value is not None and value.size == 1 and value.dtype.kind == "f":
            others = [t.dim() for t in self.tensors if t is not None and t.numel() > 1]
            if value.ndim <= max(others, default=0):
                return float(value.reshape(()))
        return self.tensor(index)

    def value(self, index: int) -> Known:
        """Return an input that must be known without the picture's pixels."""
        value = self.known[index]
        if value is None:
            raise self.node.unsupported(f"takes input {index} from the picture's values")
        return value

    def integers(self, name: str, index: int | None = None) -> tuple[int, ...] | None:
        """Return whole numbers given as an attribute or, in later opsets, as an input."""
        if index is not None and self.has(index):
            return tuple(int(item) for item in self.value(index).reshape(-1))
        given = self.node.attributes.get(name)
        return tuple(int(item) for item in given) if isinstance(given, tuple) else None

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is a whole number."""
        value = self.node.attributes.get(name, default)
        return value if isinstance(value, int) else default

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is a number."""
        value = self.node.attributes.get(name, default)
        return float(value) if isinstance(value, int | float) else default

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is a word."""
        return str(self.node.attributes.get(name, default))

    def bounded(self, shape: Sequence[int]) -> Sequence[int]:
        """Return a shape that an operation may make."""
        if math.prod(shape) > MOST_ELEMENTS:
            raise self.node.unsupported(f"makes a tensor of {list(shape)}, too large to be meant")
        return shape
