"""int8-weights ONNX files: weights in int8, one scale an output channel, computed in float."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from styleexport.core.manifest import FloatIslandFact, QuantizationFact

WEIGHTED = {"Conv": 0, "ConvTranspose": 1}


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
