"""Layer maps: layers of the network matched to those of a rewritten graph or file, by running both.

Names and order do not tell: converters rename, merge and reorder, and a rewrite may scale a tensor.
The values do: a layer is the tensor of its shape that agrees with it on seeded random inputs. One
that was merged into the next, such as a convolution with its ReLU, has no tensor and is left out.
A rewrite that brings channels to one range leaves a layer's name and multiplies its channels: such
a layer is itself up to a gain a channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.sample import Sample

Key = TypeVar("Key", str, int)

# Of a layer's largest value. Two float32 programs part by 1e-6, two layers of one shape by 1e-1.
TOLERANCE = 1e-3


def pair(layers: Mapping[str, Sample], tensors: Mapping[Key, Sample]) -> dict[str, Key]:
    """Return layer → the tensor that agrees with it best, where one does.

    Of tensors that agree alike, one of the layer's own name comes first.
    """
    found: dict[str, Key] = {}
    for layer, sample in layers.items():
        errors = {name: other.error(sample) for name, other in tensors.items()}
        best = min(errors, key=lambda name: (errors[name], name != layer), default=None)
        if best is not None and errors[best] < TOLERANCE:
            found[layer] = best
    return found


def paired_layers(graph: Graph, rewritten: Graph) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return layer of a graph → the same layer of a rewritten graph, and which of them are scaled.

    A scaled layer keeps its name, and its channels are multiplied by gains.
    """
    if rewritten is graph:
        return {name: name for name in graph.layer_names()}, ()
    layers, tensors = graph.samples, rewritten.samples
    found = pair(layers, tensors)
    scaled = tuple(
        name
        for name, sample in layers.items()
        if name not in found and name in tensors
        if tensors[name].without_gains(sample).error(sample) < TOLERANCE
    )
    found |= {name: name for name in scaled}
    return {name: found[name] for name in layers if name in found}, scaled


def compose_layer_maps(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    """Return layer → tensor, through the layers of a rewritten graph."""
    return {layer: second[name] for layer, name in first.items() if name in second}
