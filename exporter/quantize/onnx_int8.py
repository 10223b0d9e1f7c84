"""int8 ONNX files: static QDQ for integer arithmetic, and int8 weights alone.

The static recipe quantizes the body of the network (convolutions and what lies between two of them:
ReLU, pooling, padding, upsampling) with uint8 activations and int8 weights, one scale an output
channel. What stays in float, and why:

- Instance statistics (means, variances, the normalisation itself): in eight bits they cost 5 to
  13 dB.
- A convolution whose result is normalised or squashed straight into the picture: that step
  multiplies its rounding error. On real feed-forward networks float wins 3 to 14 dB for 6 % of the
  MACs.
- Transposed convolutions: ONNX Runtime has no integer kernel for them, so a quantized one would
  lose precision and gain nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from styleexport.core.manifest import FloatIslandFact, QuantizationFact
from styleexport.core.quiet import quiet
from styleexport.exporter.quantize.calibration import CalibrationSet

# What lies between two integer convolutions.
BODY = ("Conv", "Relu", "MaxPool", "Pad", "Resize")
WEIGHTED = {"Conv": 0, "ConvTranspose": 1}
STRETCHING = ("InstanceNormalization", "Tanh", "Sigmoid")
TO_THE_PICTURE = (*STRETCHING, "Clip", "Slice", "Mul", "Add", "Sub", "Div")
STATISTICS = ("ReduceMean", "InstanceNormalization", "Sqrt", "Sub", "Mul", "Div", "Add")

Arrays = dict[str, NDArray[np.float32]]


def quantize_body(
    model: onnx.ModelProto, path: Path, feeds: Sequence[Arrays], calibration: CalibrationSet
) -> QuantizationFact:
    """Write the model with its body in int8 and return how it was quantized.

    Args:
        model: float32, fixed sizes.
        path: of the file to write.
        feeds: calibration inputs.
        calibration: where the feeds came from, for the record.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Feeds(CalibrationDataReader):
        """The prepared inputs, one by one."""

        def __init__(self) -> None:
            self._rest: Iterator[Arrays] = iter(feeds)

        def get_next(self) -> Arrays | None:  # pyright: ignore[reportIncompatibleMethodOverride]
            return next(self._rest, None)

    with quiet():
        quantize_static(
            onnx.ModelProto.FromString(model.SerializeToString()),
            path,
            Feeds(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(BODY),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=list(stretched_convs(model)),
        )
    return QuantizationFact(
        scheme="qdq-static",
        weight_dtype="int8",
        activation_dtype="uint8",
        per_channel=True,
        calibration=calibration.fact(feeds[0]),
        float_islands=_islands(model),
    )


def stretched_convs(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the names of convolutions that reach the output through a norm, tanh or sigmoid."""
    makers = {name: node for node in model.graph.node for name in node.output}
    found: list[str] = []
    for output in model.graph.output:
        node, stretched = makers.get(output.name), False
        while node is not None and node.op_type in TO_THE_PICTURE:
            stretched = stretched or node.op_type in STRETCHING
            node = makers.get(node.input[0])
        if node is not None and node.op_type == "Conv" and stretched:
            found.append(node.name)
    return tuple(found)


def _islands(model: onnx.ModelProto) -> tuple[FloatIslandFact, ...]:
    found = {node.op_type for node in model.graph.node}
    islands = [
        (stretched_convs(model), "what follows multiplies its rounding error"),
        (
            tuple(op for op in STATISTICS if op in found),
            "instance statistics lose 5 to 13 dB in int8",
        ),
        (
            ("ConvTranspose",) if "ConvTranspose" in found else (),
            "no integer kernel in ONNX Runtime",
        ),
    ]
    return tuple(FloatIslandFact(ops=ops, reason=reason) for ops, reason in islands if ops)


def quantize_weights(model: onnx.ModelProto) -> QuantizationFact:
    """Replace, in place, each convolution's float weights by int8 ones and a DequantizeLinear.

    Symmetric, one scale an output channel: scale = max|w| / 127. The file shrinks about four times;
    the arithmetic stays in float, so it is not faster.
    """
    graph = model.graph
    weights = {item.name: item for item in graph.initializer}
    axes = {
        node.input[1]: WEIGHTED[node.op_type]
        for node in graph.node
        if node.op_type in WEIGHTED and node.input[1] in weights
    }
    nodes: list[onnx.NodeProto] = []
    for name, axis in axes.items():
        value = numpy_helper.to_array(weights[name]).astype(np.float64)
        others = tuple(i for i in range(value.ndim) if i != axis)
        scale = np.maximum(np.abs(value).max(axis=others, keepdims=True) / 127, 1e-12)
        stored = np.clip(np.round(value / scale), -127, 127).astype(np.int8)
        graph.initializer.remove(weights[name])
        graph.initializer.extend(
            [
                numpy_helper.from_array(stored, f"{name}_int8"),
                numpy_helper.from_array(scale.reshape(-1).astype(np.float32), f"{name}_scale"),
            ]
        )
        nodes.append(
            helper.make_node(
                "DequantizeLinear",
                [f"{name}_int8", f"{name}_scale"],
                [name],
                name=f"dequantize_{name}",
                axis=axis,
            )
        )
    kept = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *kept])
    return QuantizationFact(
        scheme="weights-only",
        weight_dtype="int8",
        activation_dtype=None,
        per_channel=True,
        calibration=None,
        float_islands=(
            FloatIslandFact(ops=("Conv",), reason="only the weights are stored in int8"),
        ),
    )
