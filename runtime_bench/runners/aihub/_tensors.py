"""Conversion between a probe's tensors and those that AI Hub's jobs take and return."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import DeviceError
from styleexport.core.manifest import FileFact
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.runners._litert_tensors import from_file, to_file
from styleexport.runtime_bench.runners.aihub._client import Dataset


def dataset_of(path: Path, inputs: Arrays) -> dict[str, list[NDArray[np.generic]]]:
    """Return the inputs of one inference in the file's layout and order.

    Args:
        path: ``.tflite`` or ``.onnx`` file.
        inputs: inputs by name, float32; images [1, 3, H, W] in 0..1.
    """
    if path.suffix != ".tflite":
        return {name: [np.asarray(value, np.float32)] for name, value in inputs.items()}
    graph = read_graph(path)
    return {
        name: [to_file(name, inputs, graph.tensors[index], path)]
        for name, index in graph.inputs.items()
    }


def outputs_of(
    path: Path, file: FileFact, returned: Dataset | None
) -> dict[str, NDArray[np.float32]]:
    """Return the outputs of one inference by name, float32, images [1, 3, H, W].

    Outputs under names that the file does not know are taken in their order.

    Raises:
        DeviceError: there are too few.
    """
    names = [item.name for item in file.outputs]
    arrays = {name: values[0] for name, values in (returned or {}).items() if len(values)}
    if not set(names) <= set(arrays):
        if len(arrays) != len(names):
            raise DeviceError(
                f"AI Hub returned {', '.join(arrays) or 'nothing'} of {path.name}, expected "
                f"{', '.join(names)}"
            )
        arrays = dict(zip(names, arrays.values(), strict=True))
    if path.suffix != ".tflite":
        return {name: np.asarray(arrays[name], np.float32) for name in names}
    graph = read_graph(path)
    return {name: from_file(arrays[name], graph.tensors[graph.outputs[name]]) for name in names}
