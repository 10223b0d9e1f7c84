"""Layer map of a float32 ``.tflite`` file, found by values."""

from __future__ import annotations

import os
from pathlib import Path

from styleexport.exporter.graph.graph import Graph, example_inputs
from styleexport.exporter.graph.layer_map import pair
from styleexport.exporter.graph.sample import Sample
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.runners._litert import feed, invoke, load
from styleexport.runtime_bench.runners._litert_tensors import from_file


def match_layers(graph: Graph, path: Path) -> dict[str, int]:
    """Return layer of the graph → tensor index in a float32 file that computes the same.

    Args:
        graph: with fixed sizes.
        path: path of the file; its inputs are the graph's, in order, whatever they are called.
    """
    examples = example_inputs(graph.inputs, graph.size)
    file = read_graph(path)
    interpreter = load(path, delegate=True, threads=os.cpu_count(), keep_all=True)
    names = dict(zip(file.inputs, examples, strict=True))
    feed(interpreter, path, file, {name: value.numpy() for name, value in names.items()})
    invoke(interpreter, path)
    indices = sorted(index for item in file.operations for index in item.outputs)
    tensors = {
        index: Sample.of(from_file(interpreter.get_tensor(index), file.tensors[index]))
        for index in indices
    }
    layers = {name: s for name, s in graph.samples.items() if len(s.shape) in (2, 4)}
    return pair(layers, tensors)
