"""Core ML packages: ML programs in fp16 or fp32, weights as they are or compressed, or in int8.

Pictures go in and come out as pictures: 8-bit RGB pixel buffers, the scaling to 0..1 inside the
program. Style codes and strengths are multi-arrays of float32.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import coremltools as ct
import msgspec
import numpy as np
from coremltools.converters.mil.mil import Operation
from torch import Tensor, nn

from styleexport.core.errors import UnsupportedOp, UsageError, first_line
from styleexport.core.manifest import PassFact, TensorFact
from styleexport.core.quiet import quiet
from styleexport.core.types import Precision, Role, Sizing
from styleexport.exporter.graph.graph import CHOSEN_BY, Graph, without_checks
from styleexport.exporter.graph.layer_map import paired_layers
from styleexport.exporter.graph.whitening import WHITENED, before_first_whitening
from styleexport.exporter.targets._about import about
from styleexport.exporter.targets._target import (
    Model,
    Recipe,
    Source,
    Target,
    Written,
    kept_in_float32,
)
from styleexport.exporter.targets.coreml.float32 import FLOAT32_OPS, decides, is_matrix, is_norm
from styleexport.exporter.targets.coreml.int8 import quantize_body
from styleexport.exporter.targets.coreml.package import Ends, copied, describe_model, save
from styleexport.exporter.targets.coreml.palettes import compress
from styleexport.runtime_bench.coreml_program.package import read_package
from styleexport.runtime_bench.formats._coreml_graph import CoremlGraph

SYSTEMS = {16: ct.target.iOS16, 17: ct.target.iOS17, 18: ct.target.iOS18}
OLDEST = 16
# The first with quantize and dequantize, and with palettes of int8 values.
OLDEST_OF = {Precision.INT8: 17, Precision.PALETTE4_INT8: 18}
FLOATS = (Precision.FP16, Precision.FP32)
# coremltools 9.0 takes sum·1/(n-1) for a mean when it differs from 1/n by less than 1e-6, which
# makes the unbiased variance of maps of 32x32 and more a biased one.
BROKEN_PASSES = {"common::fuse_reduce_mean"}
# Would undo what `reflection` did.
REFLECTION_PASS = {"common::use_reflection_padding"}
# Multiplies the scales of channels into weights, which one scale a convolution would not hold.
SCALE_PASS = {"common::fuse_conv_scale"}


class _Pixels(nn.Module):
    """A network whose output picture is in 0..255."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.network(*inputs) * 255.0


@dataclass(frozen=True)
class Conversion:
    """Settings of the converter that differ from file to file.

    Attributes:
        half: whether it is to compute in float16.
        system: oldest iOS that is to load the file.
        whole_scales: whether a convolution's weights are to keep one scale in all.
        quantized: whether the file is to be quantized by ranges of its layers.
    """

    half: bool
    system: int
    whole_scales: bool
    quantized: bool


@dataclass(frozen=True)
class CoremlTarget(Target):
    """ML programs.

    Attributes:
        ios: oldest system that is to load them: 16, 17 or 18; None takes the oldest that can, 17
            for int8 and 16 for all others.
        arithmetic: arithmetic of what is not in int8, and of programs with compressed weights: fp16
            or fp32.
        images: whether pictures are pixel buffers; multi-arrays [1, 3, H, W] in 0..1 otherwise.
    """

    ios: int | None = None
    arithmetic: Precision = Precision.FP16
    images: bool = True

    name = "coreml"
    suffix = ".mlpackage"
    expands_norms = True
    rounds_results = False
    equalization = 0.0
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
    tools = ("coremltools",)

    def __post_init__(self) -> None:
        if self.ios is not None and self.ios not in SYSTEMS:
            raise UsageError(f"iOS {self.ios}: expected 16, 17 or 18; type --ios 16")
        if self.arithmetic not in FLOATS:
            raise UsageError(
                f"Core ML computes in fp16 or fp32, not {self.arithmetic}: type --arithmetic fp16"
            )

    def check_precision(self, precision: Precision) -> None:
        """Refuse int8 for systems that cannot load it; see `Target.check_precision`."""
        self._system(Precision.INT8 if precision is Precision.AUTO else precision)

    def _takes_buffer(self, of: TensorFact, graph: Graph) -> bool:
        """Whether an input or output is a pixel buffer; an optimization moves pixels by less."""
        return of.kind == "image" and self.images and graph.role is not Role.STEP

    def tensors(self, graph: Graph) -> tuple[tuple[TensorFact, ...], tuple[TensorFact, ...]]:
        """Return the facts of inputs and outputs: pixel buffers unless told otherwise."""

        def fact(of: TensorFact) -> TensorFact:
            if not self._takes_buffer(of, graph):
                return of
            return msgspec.structs.replace(
                of, dtype="uint8", layout="pixels", pixel_range=(0.0, 255.0)
            )

        return tuple(map(fact, graph.inputs)), tuple(map(fact, graph.outputs))

    def computes_half(self, recipe: Recipe) -> bool:
        """Whether a file computes in float16; see `Target.computes_half`."""
        return self.lowering(recipe).half

    def lowering(self, recipe: Recipe) -> Conversion:
        """Return how a file is converted; see `Target.lowering`.

        Raises:
            UsageError: int8 is asked for, and iOS 16 is to load it.
        """
        precision = recipe.precision
        return Conversion(
            half=(precision if precision in FLOATS else self.arithmetic) is Precision.FP16,
            system=self._system(precision),
            whole_scales=recipe.int8 is not None and recipe.int8.settings.weights == "per-tensor",
            quantized=recipe.int8 is not None,
        )

    def lower(self, source: Source, recipe: Recipe) -> CoremlModel:
        """Return a converted program; see `Target.lower`."""
        how, rewritten, passes = self.lowering(recipe), source, tuple[PassFact, ...]()
        if source.graph.sizes:
            graph, passes = source.sliced_pads
            rewritten = replace(source, graph=graph, calibrate=lambda: source.inputs)
        graph = rewritten.graph
        if how.half:
            graph, more = rewritten.half_statistics if how.quantized else rewritten.half_range
            passes = (*passes, *more)
        graph = self._core_operations(graph)
        program, kept = self._convert(graph, how)
        layers, scaled = _layers(program, source.graph, graph)
        ends = self.tensors(source.graph)
        return CoremlModel(source, program, how.half, layers, scaled, (*passes, *kept), ends)

    def _system(self, precision: Precision) -> int:
        """Return the oldest system that is to load a file.

        Raises:
            UsageError: it cannot load one of that precision.
        """
        oldest = OLDEST_OF.get(precision, OLDEST)
        if self.ios is not None and self.ios < oldest:
            raise UsageError(
                f"{precision} Core ML files need iOS {oldest} or later, not {self.ios}: type "
                f"--ios {oldest}, or --precision int8-weights"
            )
        return self.ios or oldest

    def _core_operations(self, graph: Graph) -> Graph:
        """Return the graph as the converter takes it: pixels out, core operations alone.

        Both trace it again, which names its nodes anew.
        """
        if self._takes_buffer(graph.outputs[0], graph):
            graph = graph.with_module(_Pixels(graph.module()))
        with quiet():  # torch warns of its own tree specs
            program = graph.program.run_decompositions({})
        return replace(graph, program=without_checks(program))

    def _convert(
        self, graph: Graph, how: Conversion
    ) -> tuple[ct.models.MLModel, tuple[PassFact, ...]]:
        """Return a program, and the fact of what a float16 one computes in float32."""
        pipeline = ct.PassPipeline()
        pipeline.remove_passes(
            BROKEN_PASSES
            | (REFLECTION_PASS if graph.sizes else set[str]())
            | (SCALE_PASS if how.whole_scales else set[str]())
        )
        kept: dict[str, list[str]] = {CHOSEN_BY: [], WHITENED: []}
        whitened = before_first_whitening(graph.program.graph)

        def halved(operation: Operation) -> bool:
            if operation.op_type != "const" and decides(operation, exact_code=graph.exact_code):
                kept[CHOSEN_BY].append(str(operation.name))
                return False
            if operation.name in whitened:
                kept[WHITENED].append(str(operation.name))
                return False
            exact = is_matrix(operation) or is_norm(operation)
            return operation.op_type not in FLOAT32_OPS and not exact

        try:
            with quiet():
                model = ct.convert(
                    graph.program,
                    convert_to="mlprogram",
                    inputs=[self._type(fact, graph) for fact in graph.inputs],
                    outputs=[self._output(fact, graph) for fact in graph.outputs],
                    compute_precision=ct.transform.FP16ComputePrecision(halved)
                    if how.half
                    else ct.precision.FLOAT32,
                    minimum_deployment_target=SYSTEMS[how.system],
                    pass_pipeline=pipeline,
                    skip_model_load=True,
                )
        except Exception as error:
            several = " with several sizes" if graph.sizes else ""
            remedy = "leave out --enumerated" if graph.sizes else "replace that operation"
            raise UnsupportedOp(
                f"Core ML cannot express the network{several}: {first_line(error)}; {remedy}"
            ) from error
        assert isinstance(model, ct.models.MLModel)
        return model, kept_in_float32(kept)

    def _type(self, fact: TensorFact, graph: Graph) -> ct.TensorType | ct.ImageType:
        shape = fact.shape
        if graph.sizes and fact.kind == "image":
            shape = ct.EnumeratedShapes([(1, 3, s.height, s.width) for s in graph.sizes])
        if self._takes_buffer(fact, graph):
            return ct.ImageType(
                name=fact.name, shape=shape, scale=1 / 255, color_layout=ct.colorlayout.RGB
            )
        return ct.TensorType(name=fact.name, shape=shape, dtype=np.float32)

    def _output(self, fact: TensorFact, graph: Graph) -> ct.TensorType | ct.ImageType:
        if self._takes_buffer(fact, graph):
            return ct.ImageType(name=fact.name, color_layout=ct.colorlayout.RGB)
        return ct.TensorType(name=fact.name, dtype=np.float32)


@dataclass(frozen=True)
class CoremlModel(Model):
    """A converted program, its weights in float.

    Attributes:
        source: graph and calibration inputs.
        program: as the converter made it.
        half: whether it computes in float16.
        layers: layer of the graph → variable of the program.
        scaled: those of ``layers`` whose channels the program holds multiplied by gains.
        passes: rewrites of the graph before it was converted.
        ends: facts of inputs and outputs as the file has them.
    """

    source: Source
    program: ct.models.MLModel
    half: bool
    layers: dict[str, str]
    scaled: tuple[str, ...]
    passes: tuple[PassFact, ...]
    ends: Ends

    def store(self, recipe: Recipe, path: Path) -> Written:
        """Write the package; see `Model.store`."""
        model, quantization, passes = self.program, None, self.passes
        if recipe.precision in OLDEST_OF:
            if recipe.int8 is None:
                raise ValueError("int8 needs a recipe")
            model, quantization, applied = quantize_body(model, self.source, recipe.int8)
            passes = (*passes, applied)
        elif recipe.precision in FLOATS:
            model = copied(model)
        else:
            model, quantization = compress(model, recipe.precision)
        if recipe.network is not None:
            said = about(recipe.network, self.source.graph.role, *self.ends)
            describe_model(model, said, self.ends)
        save(model, path)
        return Written(
            float_dtype="float16" if self.half else "float32",
            quantization=quantization,
            int8_mac_share=CoremlGraph.of(read_package(path)).int8_mac_share(),
            layers=self.layers,
            scaled_layers=self.scaled,
            passes=passes,
        )


def _layers(
    model: ct.models.MLModel, graph: Graph, safe: Graph
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return layer → variable, and which are scaled; coremltools names one after its node."""
    held = {
        name
        for function in model.get_spec().mlProgram.functions.values()
        for block in function.block_specializations.values()
        for operation in block.operations
        for name in (output.name for output in operation.outputs)
    }
    found: dict[str, str] = {}
    paired, scaled = paired_layers(graph, safe)
    for layer, name in paired.items():
        for candidate in (f"{name}_cast_fp16", name):
            if candidate in held:
                found[layer] = candidate
                break
    return found, tuple(layer for layer in scaled if layer in found)


TARGET = CoremlTarget()
