"""The names in a ``.tflite`` file: those of the network, the same from every converter.

Converters leave their own class paths and counters in a file. Here inputs and outputs are called as
the graph calls them, a tensor that holds a layer as that layer, any other by its operation or use
and its place. The same network then gives the same bytes, and names survive quantization.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from styleexport.exporter.graph.graph import Graph
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.formats._tflite_graph import TfliteGraph

SIGNATURE = "serving_default"
KEPT_METADATA = (b"min_runtime_version",)


def name_tensors(graph: Graph, path: Path, layers: dict[str, int]) -> dict[str, str]:
    """Name the tensors of a float32 file in place; return layer → the name of its tensor.

    Args:
        graph: graph that the file was made of.
        path: path of the file.
        layers: layer → tensor index.
    """
    file = read_graph(path)
    names = _names(graph, file, layers)
    model: Any = flatbuffer_utils.read_model(str(path))
    for tensor, name in zip(model.subgraphs[0].tensors, names, strict=True):
        tensor.name = name.encode()
    model.subgraphs[0].name = b"main"
    model.description = b"styleexport"
    model.metadata = [item for item in model.metadata or () if item.name in KEPT_METADATA]
    model.signatureDefs = [_signature(graph, file)]
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    return {layer: names[index] for layer, index in layers.items()}


def _names(graph: Graph, file: TfliteGraph, layers: dict[str, int]) -> list[str]:
    """Return a name a tensor, each one once."""
    names = [f"constant_{index}" for index in range(len(file.tensors))]
    for number, item in enumerate(file.operations):
        for index in item.outputs:
            names[index] = f"{item.name.lower()}_at_{number}"
    for layer, index in reversed(layers.items()):
        names[index] = layer
    for fact, index in zip(graph.inputs, file.inputs.values(), strict=True):
        names[index] = fact.name
    for fact, index in zip(graph.outputs, file.outputs.values(), strict=True):
        names[index] = fact.name
    return names


def _signature(graph: Graph, file: TfliteGraph) -> schema.SignatureDefT:
    signature = schema.SignatureDefT()
    signature.signatureKey = SIGNATURE
    signature.subgraphIndex = 0
    signature.inputs = [
        _tensor_map(fact.name, index)
        for fact, index in zip(graph.inputs, file.inputs.values(), strict=True)
    ]
    signature.outputs = [
        _tensor_map(fact.name, index)
        for fact, index in zip(graph.outputs, file.outputs.values(), strict=True)
    ]
    return signature


def _tensor_map(name: str, index: int) -> schema.TensorMapT:
    entry = schema.TensorMapT()
    entry.name = name
    entry.tensorIndex = index
    return entry
