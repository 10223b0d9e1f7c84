"""Inputs of an ONNX file: pictures, style codes and strengths, and their layouts."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, TensorShapeProto, ValueInfoProto
from torch import Tensor, nn

from styleexport.core.errors import UsageError
from styleexport.models.from_onnx.graph import OnnxGraph

TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
STYLE_WORDS = ("style", "reference", "ref")


class InputKind(enum.Enum):
    """Kind of an input, with its shape."""

    NCHW = "picture [N, C, H, W]"
    NHWC = "picture [N, H, W, C]"
    CODE = "style code [1, K]"
    INDEX = "index of a style, an integer"
    STRENGTH = "strength [1]"


@dataclass(frozen=True)
class Input:
    """An input of an ONNX file.

    Attributes:
        name: name in the file.
        kind: kind of input.
        shape: length of each axis; None for any length.
        dtype: element type; pictures may be uint8.
    """

    name: str
    kind: InputKind
    shape: tuple[int | None, ...]
    dtype: Literal["float32", "uint8", "int64", "int32"] = "float32"

    @property
    def length(self) -> int:
        """Number of values of a style code or strength."""
        return math.prod(axis or 1 for axis in self.shape)

    @property
    def sides(self) -> tuple[int, int] | None:
        """Height and width of a picture; None where they are open."""
        if self.kind not in (InputKind.NCHW, InputKind.NHWC):
            return None
        height, width = self.shape[2:] if self.kind is InputKind.NCHW else self.shape[1:3]
        return (height, width) if height and width else None

    @property
    def channels(self) -> int:
        """Number of channels of a picture: 1, 3 or 4."""
        return self.shape[1 if self.kind is InputKind.NCHW else 3] or 3

    def random(self, size: tuple[int, int], generator: np.random.Generator) -> Any:  # noqa: ANN401
        """Return random values of the input's shape and type; see `shape_at`."""
        shape = self.shape_at(size)
        if self.dtype == "uint8":
            return generator.integers(0, 256, shape, np.uint8)
        return generator.random(shape, np.float32)

    def shape_at(self, size: tuple[int, int]) -> tuple[int, ...]:
        """Return the shape with open axes filled in: one picture of ``size``, height and width."""
        if self.kind is InputKind.NCHW:
            return (1, self.channels, *(self.sides or size))
        if self.kind is InputKind.NHWC:
            return (1, *(self.sides or size), self.channels)
        return tuple(axis or 1 for axis in self.shape)


@dataclass(frozen=True)
class Inputs:
    """The inputs of an ONNX file, by kind.

    Attributes:
        all: inputs in the file's order.
        content: photograph.
        style: picture of the style; None without one.
        code: style code, or index of a style; None without one.
        strength: strength of the style; None without one.
        named: whether the user named content or style.
    """

    all: tuple[Input, ...]
    content: Input
    style: Input | None = None
    code: Input | None = None
    strength: Input | None = None

    named: bool = False

    def swapped(self) -> Inputs:
        """Return the inputs with content and style exchanged."""
        assert self.style is not None
        return replace(self, content=self.style, style=self.content)

    @property
    def sides(self) -> tuple[int, int] | None:
        """Height and width that the file takes; None where it takes any."""
        return self.content.sides


class Picture(nn.Module):
    """A graph of one picture, called with [1, C, H, W] in whatever layout the file has.

    Args:
        graph: graph of one input.
        picture: input that the picture is fed to.
    """

    def __init__(self, graph: OnnxGraph, picture: Input) -> None:
        super().__init__()
        self.graph = graph
        self.picture = picture
        self.fixed_size = picture.sides

    def forward(self, image: Tensor) -> Tensor:
        """Return the graph's output for an image [1, C, H, W]."""
        return self.graph(to_layout(image, self.picture))[0]


def to_layout(image: Tensor, picture: Input) -> Tensor:
    """Return an image [1, C, H, W] in the layout of an input."""
    return image.permute(0, 2, 3, 1) if picture.kind is InputKind.NHWC else image


def to_channels_first(image: Tensor) -> Tensor:
    """Return a painting [1, C, H, W] or [1, H, W, C], of 1, 3 or 4 channels, as [1, C, H, W]."""
    last = image.shape[-1] in (1, 3, 4) and image.shape[1] not in (1, 3, 4)
    return image.permute(0, 3, 1, 2) if last else image


def inputs_of(model: ModelProto, path: Path, content: str | None, style: str | None) -> Inputs:
    """Return the inputs of a model, by kind.

    Args:
        model: model of the file.
        path: path of the file, for messages.
        content: name of the content input; None to infer it.
        style: name of the style input; None to infer it.

    Raises:
        UsageError: the inputs are not those of a style network, or have no such name.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = tuple(_input(v, path) for v in model.graph.input if v.name not in weights)
    for name in (content, style):
        if name is not None and name not in [item.name for item in inputs]:
            raise UsageError(
                f"network {path} has no input {name!r}: expected one of "
                f"{', '.join(item.name for item in inputs)}; type --content {inputs[0].name}"
            )
    pictures = [item for item in inputs if item.kind in (InputKind.NCHW, InputKind.NHWC)]
    codes = [item for item in inputs if item.kind in (InputKind.CODE, InputKind.INDEX)]
    strengths = [item for item in inputs if item.kind is InputKind.STRENGTH]
    if not 1 <= len(pictures) <= 2 or len(codes) > 2 - len(pictures) or len(strengths) > 1:
        listed = ", ".join(f"{item.name!r} {list(item.shape)}" for item in inputs)
        raise UsageError(
            f"network {path} takes {listed or 'no inputs'}; expected one picture, two pictures, or "
            "a picture and a style code or index: export the network with those"
        )
    for item in pictures if len(inputs) > 1 else ():
        if item.channels != 3 or item.dtype != "float32":
            raise UsageError(
                f"network {path} takes {item.name!r} as {item.dtype} {list(item.shape)}; beside "
                "other inputs, pictures must be float32 [1, 3, H, W] or [1, H, W, 3]"
            )
    first, second = pictures[0], None
    if len(pictures) == 2:
        first, second = _ordered(pictures, content, style)
        if second.sides != first.sides:
            raise UsageError(
                f"network {path} takes pictures of two sizes, {first.sides} and {second.sides}: "
                "export it with one"
            )
    return Inputs(
        inputs,
        first,
        second,
        code=next(iter(codes), None),
        strength=next(iter(strengths), None),
        named=content is not None or style is not None,
    )


def _ordered(
    pictures: Sequence[Input], content: str | None, style: str | None
) -> tuple[Input, Input]:
    """Return content and style: as named, by their names, or in the file's order."""
    first, second = pictures
    if content == second.name or style == first.name:
        return second, first
    if content is None and style is None and _is_style(first.name) > _is_style(second.name):
        return second, first
    return first, second


def _is_style(name: str) -> bool:
    return any(word in name.lower() for word in STYLE_WORDS)


def _input(value: ValueInfoProto, path: Path) -> Input:
    tensor = value.type.tensor_type
    shape = tuple(
        axis.dim_value if axis.HasField("dim_value") and axis.dim_value > 0 else None
        for axis in tensor.shape.dim
    )
    is_index = len(shape) <= 2 and all(axis in (1, None) for axis in shape)
    if tensor.elem_type in (TensorProto.INT64, TensorProto.INT32) and is_index:
        dtype = "int64" if tensor.elem_type == TensorProto.INT64 else "int32"
        return Input(value.name, InputKind.INDEX, shape, dtype)
    found = _kind(value.name, shape, path)
    picture = found in (InputKind.NCHW, InputKind.NHWC)
    if picture and tensor.elem_type == TensorProto.UINT8:
        return Input(value.name, found, shape, "uint8")
    if tensor.elem_type != TensorProto.FLOAT:
        kind = TensorProto.DataType.Name(tensor.elem_type).lower()
        raise UsageError(
            f"network {path} takes {value.name!r} as {kind}, expected float32, or uint8 for "
            "a picture: export it with those"
        )
    return Input(value.name, found, shape)


def _kind(name: str, shape: tuple[int | None, ...], path: Path) -> InputKind:
    batch = shape[0] if shape else 1
    if _is_code(shape):
        return InputKind.CODE
    if batch in (1, None) and len(shape) == 4 and shape.count(1) < 3:
        if shape[1] in (1, 3, 4) or (shape[1] is None and shape[3] not in (1, 3, 4)):
            return InputKind.NCHW
        if shape[3] in (1, 3, 4):
            return InputKind.NHWC
    if all(axis in (1, None) for axis in shape) and len(shape) <= 2:
        return InputKind.STRENGTH
    raise UsageError(
        f"network {path} takes {name!r} as {list(shape)}; expected a picture [1, 3, H, W] or "
        "[1, H, W, 3] (or of 1 or 4 channels), a style code [1, K] or a strength [1]: export it "
        "for one picture"
    )


def _is_code(shape: tuple[int | None, ...]) -> bool:
    """Whether a shape is [K], [1, K], [1, 1, 1, K] or the like: one axis longer than 1."""
    rest = shape[1:] if shape and shape[0] is None else shape
    return sum(axis != 1 for axis in rest) == 1 and None not in rest and len(shape) <= 4


def channels_first(model: ModelProto) -> ModelProto:
    """Return a model whose pictures are [N, 3, H, W] where it only transposed them to that.

    Converters from channels-last frameworks put a ``Transpose`` behind each input and before the
    output. Dropping both changes no value, and lets a pixel scaling be folded into the convolution
    behind it.
    """
    changed = ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    for value in graph.input:
        users = [node for node in graph.node if value.name in node.input]
        if users and all(_transposes(node, TO_FIRST) for node in users):
            for node in users:
                _pass_on(node)
            _reorder(value, TO_FIRST)
    inner = {name for node in graph.node for name in node.input}
    for value in graph.output:
        makers = [node for node in graph.node if value.name in node.output]
        if value.name not in inner and all(_transposes(node, TO_LAST) for node in makers):
            for node in makers:
                _pass_on(node)
            _reorder(value, TO_FIRST)
    return changed


def _transposes(node: NodeProto, order: tuple[int, ...]) -> bool:
    given = [tuple(attribute.ints) for attribute in node.attribute if attribute.name == "perm"]
    return node.op_type == "Transpose" and given == [order]


def _pass_on(node: NodeProto) -> None:
    node.op_type = "Identity"
    del node.attribute[:]


def _reorder(value: ValueInfoProto, order: tuple[int, ...]) -> None:
    shape = value.type.tensor_type.shape
    axes = [TensorShapeProto.Dimension.FromString(axis.SerializeToString()) for axis in shape.dim]
    if len(axes) == len(order):
        del shape.dim[:]
        shape.dim.extend(axes[index] for index in order)


def output_of(model: ModelProto) -> str:
    """Return the name of the painting: the first output of three channels, or the first."""
    for value in model.graph.output:
        shape = [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        if len(shape) == 4 and 3 in (shape[1], shape[3]):
            return value.name
    return model.graph.output[0].name
