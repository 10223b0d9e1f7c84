"""ONNX files: fp32, fp16, int8 and int8-a16 (static QDQ), int8-weights; one file a graph.

int8 files are for ONNX Runtime, or for OpenVINO. ONNX Runtime multiplies integers only where the
result is rounded to 8 bits at once, and wants its nodes laid out for its kernels; OpenVINO gives
floats, so that nothing is rounded on the way to a float operation, and lays nodes out itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import onnx
import torch

from styleexport.core.errors import UnsupportedOp, first_line
from styleexport.core.manifest import PassFact
from styleexport.core.quiet import quiet
from styleexport.core.types import Precision, Sizing
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.layer_map import compose_layer_maps, paired_layers
from styleexport.exporter.graph.whitening import before_first_whitening
from styleexport.exporter.quantize.blocks import find_blocks, quantized_blocks
from styleexport.exporter.quantize.quantization_fact import quantization_fact
from styleexport.exporter.targets._about import About, about
from styleexport.exporter.targets._converted import converted
from styleexport.exporter.targets._target import (
    Model,
    Recipe,
    Source,
    Target,
    Written,
    kept_in_float32,
)
from styleexport.exporter.targets.onnx.float_layout import block_narrow_convs
from styleexport.exporter.targets.onnx.fp16 import half_precision
from styleexport.exporter.targets.onnx.int8 import quantize_blocks
from styleexport.exporter.targets.onnx.int8_a16 import quantize_blocks_a16
from styleexport.exporter.targets.onnx.int8_weights import quantize_weights
from styleexport.runtime_bench.execution.onnx_profile import integer_mac_share

OPSET = 18
Runtime = Literal["onnxruntime", "openvino"]
FLOATS = (
    "for OpenVINO: integer convolutions give floats, rounded only where the next one reads them; "
    "ONNX Runtime computes the others in float"
)


def model_from_graph(graph: Graph) -> onnx.ModelProto:
    """Return the graph as a float32 ONNX model, without paths or traces of this machine.

    It is kept from one export to the next.

    Raises:
        UnsupportedOp: the exporter has no translation for an operation.
    """
    content = converted(
        graph,
        ("onnx", "onnxscript"),
        (Path(__file__),),
        lambda: _converted(graph).SerializeToString(deterministic=True),
    )
    return onnx.ModelProto.FromString(content)


def _converted(graph: Graph) -> onnx.ModelProto:
    names = [fact.name for fact in graph.inputs]
    try:
        with quiet():
            program = torch.onnx.export(
                graph.program,
                dynamo=True,
                external_data=False,
                input_names=names,
                output_names=[fact.name for fact in graph.outputs],
                opset_version=OPSET,
            )
    except Exception as error:
        raise UnsupportedOp(
            f"ONNX cannot express the network: {first_line(error)}; replace that operation"
        ) from error
    assert program is not None
    model = program.model_proto
    if graph.dynamic:
        _name_open_axes(model, graph)
    return _without_traces(model)


def _name_open_axes(model: onnx.ModelProto, graph: Graph) -> None:
    for values, facts in ((model.graph.input, graph.inputs), (model.graph.output, graph.outputs)):
        for value, fact in zip(values, facts, strict=True):
            for dim, axis in zip(value.type.tensor_type.shape.dim, fact.shape, strict=True):
                if isinstance(axis, str):
                    dim.dim_param = axis


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop stack traces and scopes: they hold paths, and differ from machine to machine."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
        value.doc_string = ""
    for item in model.graph.initializer:
        del item.metadata_props[:]
        item.doc_string = ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    model.doc_string = model.graph.doc_string = ""
    model.graph.name = "styleexport"
    model.producer_name, model.producer_version = "styleexport", ""
    return model


def describe_model(model: onnx.ModelProto, said: About) -> None:
    """Give a model its origin: ``metadata_props`` by the names of the ONNX specification.

    Args:
        model: changed in place; its ``doc_string`` and those of its inputs and outputs too.
        said: description of the file.
    """
    model.doc_string = said.description
    props = {"model_author": said.author, "model_license": said.licence, **said.facts}
    onnx.helper.set_model_props(model, props)
    ends = ((model.graph.input, said.inputs), (model.graph.output, said.outputs))
    for values, texts in ends:
        for value, text in zip(values, texts, strict=True):
            value.doc_string = text


def layers_of(model: onnx.ModelProto, graph: Graph) -> dict[str, str]:
    """Return layer → tensor for the graph's operations whose output the model still holds.

    The quantizer drops a ReLU whose clamp the quantization does, and gives its name to the output
    of the convolution: what comes out of the dequantization is the layer.
    """
    tensors = {name for node in model.graph.node for name in node.output}
    found: dict[str, str] = {}
    for name in graph.layer_names():
        candidates = (f"{name}_DequantizeLinear_Output", name)
        if held := [candidate for candidate in candidates if candidate in tensors]:
            found[name] = held[0]
    return found


def tensor_names(graph: Graph, module: torch.fx.GraphModule) -> dict[str, str]:
    """Return node → tensor of the graph's inputs and outputs, which bear names of their own."""
    nodes = module.graph
    placeholders = [node.name for node in nodes.nodes if node.op == "placeholder"]
    results = [node.name for node in nodes.output_node().all_input_nodes]
    inner = (*placeholders, *results)
    return dict(zip(inner, (fact.name for fact in (*graph.inputs, *graph.outputs)), strict=True))


@dataclass(frozen=True)
class OnnxModel(Model):
    """A graph as a float32 ONNX model.

    Attributes:
        source: graph and calibration inputs.
        proto: float32 model.
        runtime: runtime that int8 files are for.
    """

    source: Source
    proto: onnx.ModelProto
    runtime: Runtime

    def store(self, recipe: Recipe, path: Path) -> Written:
        """Write the file; see `Model.store`."""
        graph, model, written = self.source.graph, onnx.ModelProto(), Written()
        model.CopyFrom(self.proto)
        if recipe.precision is Precision.INT8:
            assert recipe.int8 is not None
            module = graph.reading
            blocks = quantized_blocks(find_blocks(module), recipe.int8.float_layers)
            wide = recipe.int8.settings.activation_bits == 16
            for_ort = self.runtime == "onnxruntime"
            names = tensor_names(graph, module)
            if wide:
                quantize_blocks_a16(model, blocks, recipe.int8, names)
            else:
                quantize_blocks(model, blocks, recipe.int8, names, rounds_results=for_ort)
            if for_ort or wide:
                share, passes = integer_mac_share(model, self.source.inputs[0]), ()
            else:
                share = sum(block.macs for block in blocks) / max(graph.macs, 1)
                passes = (
                    PassFact(name="openvino", applied=len(blocks), refused=(), reasons=(FLOATS,)),
                )
            activations = "uint16" if wide else "uint8"
            fact = quantization_fact(module, recipe.int8, "qdq-static", activations)
            written = Written(quantization=fact, int8_mac_share=round(share, 4), passes=passes)
        elif recipe.precision is Precision.INT8_WEIGHTS:
            written = Written(quantization=quantize_weights(model))
        elif recipe.precision is Precision.FP16:
            return self._store_half(recipe, path)
        block_narrow_convs(model)
        self._save(model, recipe, path)
        return replace(written, layers=layers_of(model, graph))

    def _store_half(self, recipe: Recipe, path: Path) -> Written:
        """Write a file in fp16, of the graph whose outputs stay inside it."""
        plain, model = self.source.graph, onnx.ModelProto()
        graph, passes = self.source.half_outputs
        model.CopyFrom(self.proto if graph is plain else model_from_graph(graph))
        whitened = before_first_whitening(graph.reading.graph)
        kept = half_precision(model, whitened, exact_code=graph.exact_code)
        self._save(model, recipe, path)
        layers, scaled = paired_layers(plain, graph)
        layers = compose_layer_maps(layers, layers_of(model, graph))
        return Written(
            float_dtype="float16",
            passes=(*passes, *kept_in_float32(kept)),
            layers=layers,
            scaled_layers=tuple(name for name in scaled if name in layers),
        )

    def _save(self, model: onnx.ModelProto, recipe: Recipe, path: Path) -> None:
        graph = self.source.graph
        if recipe.network is not None:
            describe_model(model, about(recipe.network, graph.role, graph.inputs, graph.outputs))
        onnx.checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString(deterministic=True))


@dataclass(frozen=True)
class OnnxTarget(Target):
    """ONNX, opset 18.

    Attributes:
        runtime: runtime that int8 files are for.
    """

    runtime: Runtime = "onnxruntime"
    name = "onnx"
    suffix = ".onnx"
    precisions = (
        Precision.FP32,
        Precision.FP16,
        Precision.INT8,
        Precision.INT8_A16,
        Precision.INT8_WEIGHTS,
    )
    default_precision = Precision.FP32
    sizings = (Sizing.FIXED, Sizing.ANY)
    tools = ("onnx", "onnxruntime", "onnxscript")

    @property
    def rounds_results(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether int8 files round what a convolution gives to a float operation."""
        return self.runtime == "onnxruntime"

    def lower(self, source: Source, recipe: Recipe) -> OnnxModel:
        """Return the float32 model of a graph, from which every precision starts."""
        return OnnxModel(source, model_from_graph(source.graph), self.runtime)


TARGET = OnnxTarget()
