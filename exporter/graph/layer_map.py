"""Which layer of a rewritten graph or file is which layer of the network, found by running both.

Names and order do not tell: converters rename, merge and reorder, and a rewrite may scale a tensor.
The values do: a layer is the tensor of its shape that agrees with it on seeded random inputs. One
that was merged into the next, such as a convolution with its ReLU, has no tensor and is left out.
A rewrite that brings channels to one range leaves a layer's name and multiplies its channels: such
a layer is itself up to a gain a channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.fx import Interpreter, Node

from styleexport.core.gains import with_least_squares_gains
from styleexport.exporter.graph.graph import Graph, example_inputs

Key = TypeVar("Key", str, int)

# Of a layer's largest value. Two float32 programs part by 1e-6, two layers of one shape by 1e-1.
TOLERANCE = 1e-3
# Of each layer, so many values are compared and kept.
SAMPLES = 4096
# Of a channel, to tell whether it is another times a gain.
LEAST_VALUES = 8


@dataclass(frozen=True)
class Sample:
    """What identifies a tensor: its NCHW shape and some of its values, a row a channel."""

    shape: tuple[int, ...]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, array: NDArray[np.float32]) -> Sample:
        """Return the sample of an array, its values taken evenly."""
        channels = array.shape[1] if array.ndim == 4 and array.shape[0] == 1 else 1
        rows = np.ascontiguousarray(array).reshape(channels, -1)
        step = max(1, array.size // SAMPLES)
        return cls(tuple(array.shape), rows[:, ::step].astype(np.float32))

    def error(self, other: Sample) -> float:
        """Return the largest difference, of the largest value; infinite for other shapes."""
        if self.shape != other.shape:
            return float("inf")
        top = max(float(np.abs(other.values).max()), 1e-30)
        return float(np.abs(self.values - other.values).max()) / top

    def without_gains(self, other: Sample) -> Sample:
        """Return this sample, its channels multiplied to come as near to the other's as they can.

        Channels of a few values would come near to anything: they are left as they are.
        """
        if self.shape != other.shape or self.values.shape[-1] < LEAST_VALUES:
            return self
        return Sample(
            self.shape, with_least_squares_gains(self.values[None], other.values[None])[0]
        )


def samples_of(graph: Graph) -> dict[str, Sample]:
    """Return layer → sample, of one run on seeded random inputs."""
    names = set(graph.layer_names())
    found: dict[str, Sample] = {}

    class Keep(Interpreter):
        """Keeps a sample of every layer."""

        def run_node(self, n: Node) -> object:
            value = super().run_node(n)
            if n.name in names and isinstance(value, Tensor):
                found[n.name] = Sample.of(value.numpy())
            return value

    with torch.inference_mode():
        Keep(graph.module()).run(*example_inputs(graph.inputs, graph.size))
    return found


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
    layers, tensors = samples_of(graph), samples_of(rewritten)
    found = pair(layers, tensors)
    scaled = tuple(
        name
        for name, sample in layers.items()
        if name not in found and name in tensors
        if tensors[name].without_gains(sample).error(sample) < TOLERANCE
    )
    found |= {name: name for name in scaled}
    return {name: found[name] for name in layers if name in found}, scaled
