"""A quantized ONNX graph on its way to float: steps of its tensors, and the nodes made so far."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from styleexport.core.errors import UnsupportedOp

Array = NDArray[Any]
POSITIVE = frozenset(("Relu", "Sigmoid", "HardSigmoid", "Softmax", "Clip", "Exp", "Abs"))
# They hand on values, or the largest of several.
PASSING = frozenset(
    [
        "Identity",
        "Reshape",
        "Transpose",
        "MaxPool",
        "Resize",
        "Pad",
        "Concat",
        "Slice",
        "Squeeze",
        "Unsqueeze",
        "Flatten",
        "DepthToSpace",
        "SpaceToDepth",
        "Gather",
        "Split",
        "Expand",
        "Tile",
        "AveragePool",
        "GlobalAveragePool",
        "Upsample",
    ]
)


class Limits(enum.Enum):
    """Replacement of a quantizer of activations in the float network."""

    RELU = "a ReLU where its range begins at zero"
    RANGE = "its range"
    NOISE = "a ReLU, and noise as large as its rounding"


@dataclass
class Counts:
    """Numbers of weights and quantizers that were replaced in a file.

    Attributes:
        weights: stored tensors that were dequantized.
        quantizers: quantizers of activations that were dropped.
        relus: of those, the ones in whose place a ReLU stands.
        ranges: of those, the ones whose range was kept.
        integer: operators on integers that became float.
    """

    weights: int = 0
    quantizers: int = 0
    relus: int = 0
    ranges: int = 0
    integer: int = 0

    def __str__(self) -> str:
        kept = [f"{self.relus} of them as ReLUs"] if self.relus else []
        kept += [f"{self.ranges} of them with their range"] if self.ranges else []
        return (
            f"{self.weights} weights and biases dequantized, {self.quantizers} activation "
            "quantizers dropped"
            + (f" ({', '.join(kept)})" if kept else "")
            + f", {self.integer} integer operators made float"
        )


@dataclass
class Step:
    """Scale and zero point of a quantized tensor, and the limits of its type."""

    scale: Array
    zero: Array
    axis: int = 1

    @property
    def limits(self) -> tuple[float, float]:
        """Least and largest value that the type holds, as a float value."""
        info = np.iinfo(self.zero.dtype)
        scale, zero = float(self.scale.reshape(-1)[0]), float(self.zero.reshape(-1)[0])
        return (info.min - zero) * scale, (info.max - zero) * scale

    def dequantized(self, values: Array) -> NDArray[np.float32]:
        """Return the float values of stored integers."""
        scale, zero = self._along(self.scale, values), self._along(self.zero, values)
        return ((values.astype(np.float64) - zero) * scale).astype(np.float32)

    def quantized(self, values: Array) -> Array:
        """Return the integers of float values."""
        info = np.iinfo(self.zero.dtype)
        steps = np.rint(values / self._along(self.scale, values)) + self._along(self.zero, values)
        return np.clip(steps, info.min, info.max).astype(self.zero.dtype)

    def _along(self, parameter: Array, values: Array) -> NDArray[np.float64]:
        parameter = parameter.astype(np.float64)
        if parameter.size == 1:
            return parameter.reshape(())
        shape = [1] * values.ndim
        shape[self.axis] = -1
        return parameter.reshape(shape)


@dataclass
class FloatGraph:
    """A quantized graph on its way to float.

    Quantized tensors keep their names, and hold the float values that they stood for.
    """

    path: Path
    limits: Limits
    constants: dict[str, Array]
    counts: Counts = field(default_factory=Counts)
    nodes: list[NodeProto] = field(default_factory=list[NodeProto])
    steps: dict[str, Step] = field(default_factory=dict[str, Step])
    positive: set[str] = field(default_factory=set[str])
    dequantized: set[str] = field(default_factory=set[str])

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:  # noqa: ANN401
        """Add a float node."""
        name = f"{output}_{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))
        if op in POSITIVE or (op in PASSING and set(inputs[:1]) <= self.positive):
            self.positive.add(output)

    def constant(self, node: NodeProto, index: int, default: Array | None = None) -> Array:
        """Return an input that is a constant.

        Raises:
            UnsupportedOp: it is computed.
        """
        name = node.input[index] if index < len(node.input) else ""
        if not name and default is not None:
            return default
        if name not in self.constants:
            raise UnsupportedOp(
                f"network {self.path}: node {node.name or node.output[0]!r} ({node.op_type}) takes "
                "its scale or weight from other nodes, expected stored ones: give the float32 file"
            )
        return self.constants[name]

    def step(self, node: NodeProto, scale: int, axis: int = 1) -> Step:
        """Return scale and zero point given at ``scale`` and behind it."""
        return Step(
            self.constant(node, scale), self.constant(node, scale + 1, np.zeros(1, np.uint8)), axis
        )

    def weight(self, node: NodeProto, index: int, step: Step, name: str) -> str:
        """Add the float values of a stored tensor; return its name."""
        self.constants[name] = step.dequantized(self.constant(node, index))
        self.counts.weights += node.input[index] not in self.dequantized
        self.dequantized.add(node.input[index])
        return name

    def quantizer(self, data: str, step: Step, output: str) -> None:
        """Add what takes the place of a quantizer."""
        low, high = step.limits
        self.counts.quantizers += 1
        self.steps[output] = step
        if self.limits is Limits.RANGE:
            self.counts.ranges += 1
            for end, value in (("low", low), ("high", high)):
                self.constants[f"{output}_{end}"] = np.array(value, np.float32)
            self.add("Clip", (data, f"{output}_low", f"{output}_high"), output)
            if low >= 0:
                self.positive.add(output)
            return
        relu = low == 0 and data not in self.positive
        self.counts.relus += relu
        source = data
        if self.limits is Limits.NOISE:
            half = float(step.scale.reshape(-1)[0]) / 2
            self.add(
                "RandomUniformLike", (data,), f"{output}_noise", low=-half, high=half, seed=1.0
            )
            source = f"{output}_noisy"
            self.add("Add", (data, f"{output}_noise"), source)
        self.add("Relu" if relu else "Identity", (source,), output)
        if low >= 0:
            self.positive.add(output)
