"""TFLite files, channels-last, one size each: fp32, fp16 weights, int8 weights, static int8.

XNNPACK, which computes on the CPU, has no mirrored padding: each one cuts its graph in two, and
LiteRT's own kernel takes longer than the convolution behind it. Files for the CPU hold slices and
concatenations in its place, the same numbers bit for bit. The GPU pads in one operation, so files
with fp16 weights keep it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec
from torch.fx import GraphModule, Node

from styleexport.core.arrays import Arrays
from styleexport.core.manifest import QuantizationFact, TensorFact
from styleexport.core.recipe import Int8Recipe
from styleexport.core.types import Precision, Sizing
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.quantize.blocks import (
    CONV,
    PASSED_ON,
    TRANSPOSED,
    Unit,
    find_units,
    kind,
    nodes_by_name,
)
from styleexport.exporter.quantize.plan import quantization_fact
from styleexport.exporter.rewrites.half_range import within_half_range
from styleexport.exporter.rewrites.reflection import without_reflection_pads
from styleexport.exporter.targets._target import Recipe, Target, Written
from styleexport.exporter.targets.tflite.converters._converter import find_converter
from styleexport.exporter.targets.tflite.converters._layers import match_layers
from styleexport.exporter.targets.tflite.converters._naming import name_tensors
from styleexport.exporter.targets.tflite.int8 import quantize_body
from styleexport.exporter.targets.tflite.int8_weights import half_weights, int8_weights
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.formats._tflite_graph import TfliteGraph

# What no converter merges with the convolution in front of it.
APART = (CONV, TRANSPOSED, *PASSED_ON)


@dataclass(frozen=True)
class _FloatFile:
    """A converted graph: its bytes, and layer → the name of its tensor."""

    content: bytes
    layers: dict[str, str]


@lru_cache(maxsize=2)
def _float_file(converter: str, graph: Graph, rewritten: Graph) -> _FloatFile:
    """Return a rewritten graph as a float32 file whose tensors are named after the graph's layers.

    The last ones are kept for the graph's other precisions.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float.tflite"
        find_converter(converter).convert(rewritten, path)
        layers = name_tensors(graph, path, match_layers(graph, path))
        return _FloatFile(path.read_bytes(), layers)


@dataclass(frozen=True)
class TfliteTarget(Target):
    """Writes graphs as TFLite.

    Attributes:
        converter: what makes the float32 file that all others are made of.
    """

    converter: str = "litert-torch"
    name = "tflite"
    suffix = ".tflite"
    expands_norms = True
    precisions = (Precision.FP32, Precision.FP16, Precision.INT8, Precision.INT8_WEIGHTS)
    default_precision = Precision.FP32
    sizings = (Sizing.FIXED,)

    @property
    def tools(self) -> Sequence[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The libraries whose versions go into the manifest."""
        return (*find_converter(self.converter).tools, "ai-edge-litert", "ai-edge-quantizer")

    def check(self) -> None:
        """Refuse a converter that is unknown or not installed; see `Target.check`."""
        find_converter(self.converter).check()

    def tensors(self, graph: Graph) -> tuple[tuple[TensorFact, ...], tuple[TensorFact, ...]]:
        """Return the facts of inputs and outputs, images [1, H, W, 3]."""
        return tuple(map(_channels_last, graph.inputs)), tuple(map(_channels_last, graph.outputs))

    def write(
        self, graph: Graph, recipe: Recipe, path: Path, feeds: Callable[[], Sequence[Arrays]]
    ) -> Written:
        """Write the file; see `Target.write`."""
        if recipe.precision is Precision.FP16:  # the GPU computes these files in float16
            rewritten, facts = within_half_range(graph, feeds)
        else:
            rewritten, facts = without_reflection_pads(graph)
        source = _float_file(self.converter, graph, rewritten)
        quantization: QuantizationFact | None = None
        with tempfile.TemporaryDirectory() as folder:
            exact = Path(folder) / "float.tflite"
            exact.write_bytes(source.content)
            if recipe.precision is Precision.FP32:
                path.write_bytes(source.content)
            elif recipe.precision is Precision.FP16:
                half_weights(exact, path)
            elif recipe.precision is Precision.INT8_WEIGHTS:
                quantization = int8_weights(exact, path, feeds)
            else:
                assert recipe.int8 is not None
                module, file = graph.module(), read_graph(exact)
                layers = {**source.layers, **_unit_tensors(graph, module, file, source.layers)}
                whole = _with_unclamped(recipe.int8, find_units(module))
                fact = quantize_body(exact, path, feeds(), whole, layers)
                quantization = quantization_fact(module, recipe.int8, "static", "int8")
                facts = (*facts, fact)
        written = read_graph(path)
        present = {tensor.name for tensor in written.tensors}
        return Written(
            quantization=quantization,
            int8_mac_share=written.int8_mac_share(),
            layers={layer: name for layer, name in source.layers.items() if name in present},
            passes=facts,
        )


def _unit_tensors(
    graph: Graph, module: GraphModule, file: TfliteGraph, layers: Mapping[str, str]
) -> dict[str, str]:
    """Return node → tensor of the inputs, and of convolutions that the file merges with others."""
    inputs = [node.name for node in module.graph.nodes if node.op == "placeholder"]
    found = dict(zip(inputs, (fact.name for fact in graph.inputs), strict=True))
    made = {file.tensors[item.outputs[0]].name for item in file.operations if file.macs(item)}
    nodes = nodes_by_name(module)
    for unit in find_units(module):
        merged = (layers.get(name) for name in _followers(nodes[unit.layer]))
        if tensor := next((name for name in merged if name in made), None):
            found[unit.layer] = tensor
    return found


def _with_unclamped(recipe: Int8Recipe, units: Sequence[Unit]) -> Int8Recipe:
    """Return a recipe that knows a convolution's range from the activation behind it.

    The file may hold the two apart; to clip to the activation's range is what it does anyway.
    """
    outputs = {unit.layer: unit.output for unit in units if unit.output in recipe.ranges}
    ranges = {layer: recipe.ranges[output] for layer, output in outputs.items()}
    return msgspec.structs.replace(recipe, ranges={**ranges, **recipe.ranges})


def _followers(node: Node) -> Iterator[str]:
    """Yield a node and those behind it that may be merged with it, while each has one reader."""
    yield node.name
    while len(node.users) == 1:
        (node,) = node.users
        if kind(node) in APART:
            return
        yield node.name


def _channels_last(fact: TensorFact) -> TensorFact:
    if fact.kind != "image":
        return fact
    n, channels, height, width = fact.shape
    return msgspec.structs.replace(fact, shape=(n, height, width, channels), layout="NHWC")


TARGET = TfliteTarget()
