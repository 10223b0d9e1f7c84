"""The graph of a ``.tflite`` file: tensors, operations, and their arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# Index range of LiteRT's own convolution kernels.
MAX_IM2COL_VALUES = 2**31 - 1


@dataclass(frozen=True)
class TfliteTensor:
    """One tensor of a file.

    Attributes:
        name: stored name.
        shape: axis lengths, channels last.
        dtype: element type in numpy's spelling.
        stored: bytes of a constant; None for an activation.
        scales: quantization scales, one or one per channel; () for other tensors.
        zero_points: zero points of the scales.
        axis: channel axis where there are several scales.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    stored: NDArray[np.uint8] | None
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int

    @property
    def size_bytes(self) -> int:
        """Size in memory."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class TfliteOperation:
    """One operation.

    Attributes:
        name: operator name of the schema, such as ``CONV_2D``.
        inputs: indices of the tensors read; -1 for an omitted one.
        outputs: indices of the tensors written.
        version: version of the operator.
        options: name in the schema → number, of the options that are not 0.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    version: int = 1
    options: tuple[tuple[str, int], ...] = ()

    def option(self, name: str) -> int:
        """Return an option by its name in the schema; 0 where it is not set."""
        return dict(self.options).get(name, 0)


@dataclass(frozen=True)
class TfliteGraph:
    """The single graph of a file.

    Attributes:
        tensors: tensors by index.
        operations: operations in execution order.
        inputs: name in the signature → tensor index, in order.
        outputs: name in the signature → tensor index, in order.
        least_runtime: oldest runtime version that loads the file; "" where it is not stored.
        dynamic_tensors: indices of the tensors with an axis of any length.
        about: name → text of the metadata.
    """

    tensors: tuple[TfliteTensor, ...]
    operations: tuple[TfliteOperation, ...]
    inputs: dict[str, int]
    outputs: dict[str, int]
    least_runtime: str
    dynamic_tensors: tuple[int, ...]
    about: dict[str, str] = field(default_factory=dict[str, str])

    def producers(self) -> dict[int, TfliteOperation]:
        """Return tensor index → the operation that writes it."""
        return {index: item for item in self.operations for index in item.outputs}

    def activations(self, item: TfliteOperation) -> tuple[int, ...]:
        """Return the indices of the tensors that an operation reads, without constants."""
        return tuple(i for i in item.inputs if i >= 0 and self.tensors[i].stored is None)

    def macs(self, item: TfliteOperation) -> int:
        """Return the multiply-accumulates of a convolution or matrix product; 0 for others."""
        if item.name in ("CONV_2D", "FULLY_CONNECTED"):
            weight = self.tensors[item.inputs[1]].shape
            return math.prod(self.tensors[item.outputs[0]].shape) * math.prod(weight[1:])
        if item.name == "DEPTHWISE_CONV_2D":
            weight = self.tensors[item.inputs[1]].shape
            return math.prod(self.tensors[item.outputs[0]].shape) * math.prod(weight[1:3])
        if item.name == "TRANSPOSE_CONV":
            out, *window, _ = self.tensors[item.inputs[1]].shape
            return math.prod(self.tensors[item.inputs[2]].shape) * out * math.prod(window)
        return 0

    def im2col_values(self, item: TfliteOperation) -> int:
        """Return the number of values of a convolution's im2col buffer; 0 where there is none.

        LiteRT's own kernel copies in·kh·kw values for each output pixel, and counts in 32 bits.
        """
        if item.name != "CONV_2D":
            return 0
        _, kh, kw, channels = self.tensors[item.inputs[1]].shape
        _, height, width, _ = self.tensors[item.outputs[0]].shape
        return height * width * kh * kw * channels if kh * kw > 1 else 0

    def is_int8(self, item: TfliteOperation) -> bool:
        """Whether both the activations and the weights of an operation are int8."""
        dtypes = [self.tensors[i].dtype for i in item.inputs if i >= 0]
        return "float32" not in dtypes and "int8" in dtypes

    def int8_mac_share(self) -> float:
        """Return the share of the MACs whose operands are both int8, 0..1."""
        total = sum(map(self.macs, self.operations))
        int8 = sum(self.macs(item) for item in self.operations if self.is_int8(item))
        return round(int8 / total, 4) if total else 0.0
