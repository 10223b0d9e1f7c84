"""Conversion of ONNX models for one picture to models for a batch."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import numpy_helper

# A zero in the new shape makes ONNX's Reshape copy that axis of the input.
COPY = 0


def widened(path: Path, batch: int) -> onnx.ModelProto:
    """Return the model of a file with its leading axis widened from 1 to the batch.

    Inputs and outputs with at least two axes are widened, and every `Reshape` to a fixed shape that
    begins with 1. Only a probe shows whether the model still computes the same.

    Args:
        path: path of the file.
        batch: number of pictures per inference.
    """
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        axes = value.type.tensor_type.shape.dim
        if len(axes) > 1:
            axes[0].dim_value = batch
    del model.graph.value_info[:]
    reshapes = [node for node in model.graph.node if node.op_type == "Reshape"]
    shapes = {node.input[1] for node in reshapes}
    for node in reshapes:
        del node.attribute[:]  # allowzero, which would make a zero mean an empty axis
    for constant in model.graph.initializer:
        if constant.name in shapes:
            shape = numpy_helper.to_array(constant).copy()
            if shape.size and shape[0] == 1:
                shape[0] = COPY
                constant.CopyFrom(numpy_helper.from_array(shape, constant.name))
    return model
