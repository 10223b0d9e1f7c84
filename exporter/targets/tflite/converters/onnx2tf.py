"""onnx2tf, by way of ONNX and in an environment of its own, fed a graph that is channels-last.

Left to turn [N, C, H, W] round itself, onnx2tf 2.6.9 keeps transpositions around statistics, cuts
the wrong axes, and takes channels for rows where there are as many of both.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from ai_edge_litert.tools import flatbuffer_utils

from styleexport.core import environments
from styleexport.core.errors import UnsupportedOp
from styleexport.core.manifest import TensorFact
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.rewrites.channels_last import ChannelsLast
from styleexport.exporter.targets.onnx import model_from_graph
from styleexport.exporter.targets.tflite.converters._converter import Converter
from styleexport.runtime_bench.formats._tflite import read_graph

TIMEOUT_S = 600.0
# No simplifier: it is not installed, and the graph is simple already.
OPTIONS = ("--not_use_onnxsim", "--non_verbose")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
TELLING = re.compile(r"(ERROR\b|[\w.]*(Error|Exception)\b).*")
REMEDY = "type --converter litert-torch"


class Onnx2Tf(Converter):
    """Converts in another process."""

    name = "onnx2tf"

    def check(self) -> None:
        """Look for the environment; see `Converter.check`."""
        environments.find(self.name)

    def convert(self, graph: Graph, path: Path) -> None:
        """Write the file; see `Converter.convert`."""
        environment = environments.find(self.name)
        graph = _channels_last(graph)
        names = [fact.name for fact in graph.inputs]
        with tempfile.TemporaryDirectory(prefix="styleexport-") as temporary:
            folder = Path(temporary)
            (folder / "graph.onnx").write_bytes(model_from_graph(graph).SerializeToString())
            files = ("--input_onnx_file_path", "graph.onnx", "--output_folder_path", "out")
            shapes = ("--keep_shape_absolutely_input_names", *names)
            arguments = ("-m", "onnx2tf", *OPTIONS, *files, *shapes)
            try:
                done = environments.run(environment, arguments, folder, TIMEOUT_S)
            except TimeoutError as error:
                raise UnsupportedOp(f"{error}; {REMEDY}") from error
            found = folder / "out" / "graph_float32.tflite"
            if done.code or not found.is_file():
                raise UnsupportedOp(
                    f"onnx2tf cannot express the network: {_telling_line(done.output)}; {REMEDY}"
                )
            _check(graph, found)
            path.write_bytes(_with_fixed_shapes(found))


def _channels_last(graph: Graph) -> Graph:
    """Return a graph that computes the same on images [N, H, W, C]."""
    images = [fact.has_places for fact in graph.inputs]
    turned = replace(
        graph,
        inputs=tuple(map(_turned, graph.inputs)),
        outputs=tuple(map(_turned, graph.outputs)),
    )
    return turned.with_module(ChannelsLast(graph.module(), images))


def _turned(fact: TensorFact) -> TensorFact:
    if not fact.has_places:
        return fact
    batch, channels, height, width = fact.shape
    shape = (batch, height, width, channels)
    return msgspec.structs.replace(fact, shape=shape, layout="NHWC")


def _telling_line(output: str) -> str:
    """Return the line of a failed run that says most: its first error, or else its last line."""
    lines = [line.strip() for line in COLOUR.sub("", output).splitlines() if line.strip()]
    telling = [line for line in lines if TELLING.match(line)] or lines[-1:]
    return telling[0][:200] if telling else "it printed nothing"


def _check(graph: Graph, path: Path) -> None:
    """Refuse a file that is not the graph: onnx2tf ends well with those too.

    Raises:
        UnsupportedOp: inputs or outputs are not the graph's, in order, or an operation was left
            for somebody else to write.
    """
    file = read_graph(path)
    for item in file.operations:
        if item.name == "CUSTOM":
            made = file.tensors[item.outputs[0]].name
            raise UnsupportedOp(f"onnx2tf has no translation for the operation of {made}; {REMEDY}")
    for facts, ends in ((graph.inputs, file.inputs), (graph.outputs, file.outputs)):
        expected = [tuple(fact.shape) for fact in facts]
        found = [file.tensors[index].shape for index in ends.values()]
        if found != expected:
            raise UnsupportedOp(f"onnx2tf wrote tensors of {found} instead of {expected}; {REMEDY}")


def _with_fixed_shapes(path: Path) -> bytearray:
    """Return a file's bytes with every axis at its length; onnx2tf opens some for batches."""
    model: Any = flatbuffer_utils.read_model(str(path))
    for tensor in model.subgraphs[0].tensors:
        tensor.shapeSignature = None
    return flatbuffer_utils.convert_object_to_bytearray(model)


CONVERTER = Onnx2Tf()
