"""Core AI assets: Apple's successor to Core ML, for iOS and macOS 27.

One function a size, all of one file's weights shared. Pictures go in and come out as tensors of
float32 in 0..1, [1, 3, H, W]: Apple's runtime takes no pixel buffers on Linux, and a file that
takes them could not be proven there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from styleexport.core.errors import UsageError
from styleexport.core.manifest import PassFact
from styleexport.core.types import Precision, Sizing
from styleexport.exporter.graph.graph import Graph, example_inputs, trace, without_checks
from styleexport.exporter.graph.layer_map import compose_layer_maps, paired_layers
from styleexport.exporter.targets._about import about_graph
from styleexport.exporter.targets._target import (
    Model,
    Recipe,
    Source,
    Target,
    Written,
    kept_in_float32,
)
from styleexport.exporter.targets.coreai.float16 import half_precision, keep_convolutions_whole
from styleexport.exporter.targets.coreai.int8 import quantize_body
from styleexport.exporter.targets.coreai.program import convert, save
from styleexport.exporter.targets.coreai.weights import compress
from styleexport.runtime_bench.formats._coreai import read_asset
from styleexport.runtime_bench.formats._coreai_graph import CoreaiGraph

FLOATS = (Precision.FP16, Precision.FP32)
INTEGERS = (Precision.INT8, Precision.PALETTE4_INT8)


@dataclass(frozen=True)
class CoreaiTarget(Target):
    """Core AI assets.

    Attributes:
        arithmetic: arithmetic of what is not in int8, and of files with compressed weights: fp16 or
            fp32.
    """

    arithmetic: Precision = Precision.FP16

    name = "coreai"
    suffix = ".aimodel"
    rounds_results = False
    # Further, it makes the ranges of a style's statistics uneven: 0024.
    equalization = 0.5
    precisions = (
        Precision.FP32,
        Precision.FP16,
        Precision.INT8,
        Precision.PALETTE4_INT8,
        Precision.INT8_WEIGHTS,
        Precision.PALETTE8,
        Precision.PALETTE6,
        Precision.PALETTE4,
    )
    default_precision = Precision.FP16
    sizings = (Sizing.FIXED, Sizing.ENUMERATED)
    tools = ("coreai-core", "coreai-torch")

    def __post_init__(self) -> None:
        if self.arithmetic not in FLOATS:
            raise UsageError(
                f"Core AI computes in fp16 or fp32, not {self.arithmetic}: type --arithmetic fp16"
            )

    def computes_half(self, recipe: Recipe) -> bool:
        """Whether a file computes in float16; see `Target.computes_half`."""
        return self.lowering(recipe)[0]

    def lowering(self, recipe: Recipe) -> tuple[bool, bool]:
        """Return whether a file computes in float16, and whether in int8; see `Target.lowering`."""
        precision = recipe.precision if recipe.precision in FLOATS else self.arithmetic
        return precision is Precision.FP16, recipe.precision in INTEGERS

    def lower(self, source: Source, recipe: Recipe) -> CoreaiModel:
        """Return the graph with its statistics as its arithmetic needs them."""
        half, integers = self.lowering(recipe)
        graph, passes = source.graph, tuple[PassFact, ...]()
        if half:
            graph, passes = source.half_statistics if integers else source.half_range
        layers, scaled = paired_layers(source.graph, graph)
        return CoreaiModel(source, graph, half, layers, scaled, passes)


@dataclass(frozen=True)
class CoreaiModel(Model):
    """A graph, rewritten for its arithmetic and still in float32.

    Attributes:
        source: graph and calibration inputs.
        graph: rewritten graph.
        half: whether its files compute in float16.
        layers: layer of the source's graph → layer of the rewritten one.
        scaled: those of ``layers`` whose channels are multiplied by gains.
        passes: rewrites of the graph.
    """

    source: Source
    graph: Graph
    half: bool
    layers: dict[str, str]
    scaled: tuple[str, ...]
    passes: tuple[PassFact, ...]

    def store(self, recipe: Recipe, path: Path) -> Written:
        """Write the asset; see `Model.store`."""
        module, quantization, passes = self.graph.module(), None, self.passes
        if self.half:
            keep_convolutions_whole(module)
            kept = half_precision(module, exact_code=self.graph.exact_code)
            passes = (*passes, *kept_in_float32(kept))
        if recipe.precision in INTEGERS:
            if recipe.int8 is None:
                raise ValueError("int8 needs a recipe")
            quantization, applied = quantize_body(
                module, self.source.graph, recipe.int8, half=self.half
            )
            passes = (*passes, applied)
        elif recipe.precision not in FLOATS:
            quantization = compress(module, recipe.precision)
        functions = tuple(_functions(self.graph, module))
        program, tensors = convert(functions)
        names, anew = _operations(module), _operations(functions[-1][1].reading)
        # Tracing gives names anew, and keeps the order.
        renamed = dict(zip(names, anew, strict=True)) if len(names) == len(anew) else {}
        layers = compose_layer_maps(compose_layer_maps(self.layers, renamed), tensors)
        save(program, path, about_graph(recipe.network, self.source.graph))
        return Written(
            float_dtype="float16" if self.half else "float32",
            quantization=quantization,
            int8_mac_share=CoreaiGraph.of(read_asset(path)).int8_mac_share(),
            layers=layers,
            scaled_layers=tuple(name for name in self.scaled if name in layers),
            passes=passes,
        )


def _operations(module: torch.fx.GraphModule) -> list[str]:
    """Return the names of a module's operations on tensors, in order."""
    return [
        node.name
        for node in module.graph.nodes
        if str(node.target).startswith(("aten.", "coreai.")) and "sym_" not in str(node.target)
    ]


def _functions(graph: Graph, module: torch.fx.GraphModule) -> Iterator[tuple[str, Graph]]:
    """Yield a function's name and its graph, for each size that a file is to take."""
    for size in graph.sizes or (graph.size,):
        examples = example_inputs(graph.inputs, size)
        program = without_checks(trace(module, examples, graph.inputs, False, graph.min_side))
        name = f"main_{size}" if graph.sizes else "main"
        yield name, replace(graph, program=program, size=size, dynamic=False)


TARGET = CoreaiTarget()
