"""TFLite files, channels-last, one size each: fp32, fp16 weights, int8 weights, static int8.

Static files have activations of 8 bits, or of 16 for accelerators that multiply those.

XNNPACK, which computes on the CPU, has no mirrored padding: each one cuts its graph in two, and
LiteRT's own kernel takes longer than the convolution behind it. Files for the CPU hold slices and
concatenations in its place, the same numbers bit for bit. The GPU pads in one operation, so files
with fp16 weights keep it. They are the ones for GPUs, which compute any float file in float16:
statistics and sums are kept inside it, and the file is proven in it (runner `litert-half`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from torch.fx import GraphModule, Node

from styleexport.core.manifest import PassFact, QuantizationFact, TensorFact
from styleexport.core.recipe import Int8Recipe
from styleexport.core.types import Precision, Sizing
from styleexport.exporter.graph.graph import Graph, operation_of
from styleexport.exporter.quantize.blocks import (
    CONV,
    PASSED_ON,
    TRANSPOSED,
    QuantizedBlock,
    find_blocks,
    nodes_by_name,
)
from styleexport.exporter.quantize.quantization_fact import quantization_fact
from styleexport.exporter.rewrites.shuffles import with_phases_in_front
from styleexport.exporter.rewrites.transposed_convs import with_plain_transposed_convs
from styleexport.exporter.targets._about import about
from styleexport.exporter.targets._target import Model, Recipe, Source, Target, Written
from styleexport.exporter.targets.tflite.clamps import split_clamps
from styleexport.exporter.targets.tflite.converters._converter import find_converter
from styleexport.exporter.targets.tflite.converters._layers import match_layers
from styleexport.exporter.targets.tflite.converters._naming import name_tensors
from styleexport.exporter.targets.tflite.int8 import quantize_body
from styleexport.exporter.targets.tflite.int8_weights import half_weights, int8_weights
from styleexport.exporter.targets.tflite.metadata import add_metadata
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.formats._tflite_graph import TfliteGraph

# What no converter merges with the convolution in front of it.
APART = (CONV, TRANSPOSED, *PASSED_ON)


@dataclass(frozen=True)
class TfliteTarget(Target):
    """TFLite, channels-last.

    Attributes:
        converter: name of the converter that makes the float32 file, of which all others are made.
    """

    converter: str = "litert-torch"
    name = "tflite"
    suffix = ".tflite"
    expands_norms = True
    precisions = (
        Precision.FP32,
        Precision.FP16,
        Precision.INT8,
        Precision.INT8_A16,
        Precision.INT8_WEIGHTS,
    )
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

    def lowering(self, recipe: Recipe) -> bool:
        """Return whether statistics are kept inside float16, in which GPUs compute fp16 files."""
        return recipe.precision is Precision.FP16

    def lower(self, source: Source, recipe: Recipe) -> TfliteModel:
        """Return the float32 file of a graph, its tensors named after the graph's layers."""
        rewritten, passes = source.half_range if self.lowering(recipe) else source.sliced_pads
        for rewrite in (with_plain_transposed_convs, with_phases_in_front):
            rewritten, more = rewrite(rewritten)
            passes = (*passes, *more)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "float.tflite"
            find_converter(self.converter).convert(rewritten, path)
            split_clamps(path)
            layers = name_tensors(source.graph, path, match_layers(source.graph, path))
            return TfliteModel(
                source, path.read_bytes(), layers, passes, self.tensors(source.graph)
            )


@dataclass(frozen=True)
class TfliteModel(Model):
    """A graph as a float32 file.

    Attributes:
        source: graph and calibration inputs.
        content: bytes of the float32 file.
        layers: layer of the graph → name of its tensor.
        passes: rewrites of the graph before it was converted.
        ends: facts of inputs and outputs as the file has them.
    """

    source: Source
    content: bytes
    layers: dict[str, str]
    passes: tuple[PassFact, ...]
    ends: tuple[tuple[TensorFact, ...], tuple[TensorFact, ...]]

    def store(self, recipe: Recipe, path: Path) -> Written:
        """Write the file; see `Model.store`."""
        quantization, passes = None, self.passes
        with tempfile.TemporaryDirectory() as folder:
            exact = Path(folder) / "float.tflite"
            exact.write_bytes(self.content)
            if recipe.precision is Precision.FP32:
                path.write_bytes(self.content)
            elif recipe.precision is Precision.FP16:
                half_weights(exact, path)
            elif recipe.precision is Precision.INT8_WEIGHTS:
                quantization = int8_weights(exact, path, self.source.inputs)
            else:
                assert recipe.int8 is not None
                quantization, applied = self._store_int8(exact, path, recipe.int8)
                passes = (*passes, applied)
        if recipe.network is not None:
            said = about(recipe.network, self.source.graph.role, *self.ends)
            add_metadata(path, said, *self.ends)
        written = read_graph(path)
        present = {tensor.name for tensor in written.tensors}
        return Written(
            quantization=quantization,
            int8_mac_share=written.int8_mac_share(),
            layers={layer: name for layer, name in self.layers.items() if name in present},
            passes=passes,
        )

    def _store_int8(
        self, exact: Path, path: Path, recipe: Int8Recipe
    ) -> tuple[QuantizationFact, PassFact]:
        """Write the float32 file with its body in int8; return how, and what was applied."""
        graph = self.source.graph
        module = graph.reading
        layers = {**self.layers, **_block_tensors(graph, module, read_graph(exact), self.layers)}
        whole = _with_unclamped(recipe, find_blocks(module))
        applied = quantize_body(exact, path, self.source.inputs, whole, layers)
        activations = "int8" if recipe.settings.activation_bits == 8 else "int16"
        return quantization_fact(module, recipe, "static", activations), applied


def _block_tensors(
    graph: Graph, module: GraphModule, file: TfliteGraph, layers: Mapping[str, str]
) -> dict[str, str]:
    """Return node → tensor of the inputs, and of convolutions that the file merges with others."""
    inputs = [node.name for node in module.graph.nodes if node.op == "placeholder"]
    found = dict(zip(inputs, (fact.name for fact in graph.inputs), strict=True))
    made = {file.tensors[item.outputs[0]].name for item in file.operations if file.macs(item)}
    nodes = nodes_by_name(module)
    for block in find_blocks(module):
        merged = (layers.get(name) for name in _followers(nodes[block.layer]))
        if tensor := next((name for name in merged if name in made), None):
            found[block.layer] = tensor
    return found


def _with_unclamped(recipe: Int8Recipe, blocks: Sequence[QuantizedBlock]) -> Int8Recipe:
    """Return a recipe that knows a convolution's range from the activation behind it.

    The file may hold the two apart; to clip to the activation's range is what it does anyway.
    """
    outputs = {block.layer: block.output for block in blocks if block.output in recipe.ranges}
    ranges = {layer: recipe.ranges[output] for layer, output in outputs.items()}
    return msgspec.structs.replace(recipe, ranges={**ranges, **recipe.ranges})


def _followers(node: Node) -> Iterator[str]:
    """Yield a node and those behind it that may be merged with it, while each has one reader."""
    yield node.name
    while len(node.users) == 1:
        (node,) = node.users
        if operation_of(node) in APART:
            return
        yield node.name


def _channels_last(fact: TensorFact) -> TensorFact:
    if not fact.has_places:
        return fact
    n, channels, height, width = fact.shape
    return msgspec.structs.replace(fact, shape=(n, height, width, channels), layout="NHWC")


TARGET = TfliteTarget()
