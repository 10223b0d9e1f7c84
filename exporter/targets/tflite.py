"""TFLite files, channels-last, one size each: fp32, fp16 weights, int8 weights, static int8."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from styleexport.core.manifest import PassFact, QuantizationFact, TensorFact
from styleexport.core.types import Precision, Sizing
from styleexport.exporter.converters._converter import find_converter
from styleexport.exporter.converters._layers import match_layers
from styleexport.exporter.converters._naming import name_tensors
from styleexport.exporter.graph import Graph
from styleexport.exporter.half_range import within_half_range
from styleexport.exporter.quantize.tflite_int8 import quantize_body
from styleexport.exporter.quantize.tflite_weights import half_weights, int8_weights
from styleexport.exporter.targets._target import Arrays, Recipe, Target, Written
from styleexport.runtime_bench.formats._tflite import read_graph


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
        rewritten, facts = graph, tuple[PassFact, ...]()
        if recipe.precision is Precision.FP16:  # the GPU computes these files in float16
            rewritten, facts = within_half_range(graph, feeds)
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
            elif recipe.calibration is None:
                raise ValueError("int8 needs a calibration set")
            else:
                quantization = quantize_body(exact, path, feeds(), recipe.calibration)
        written = read_graph(path)
        present = {tensor.name for tensor in written.tensors}
        return Written(
            quantization=quantization,
            int8_mac_share=written.int8_mac_share(),
            layers={layer: name for layer, name in source.layers.items() if name in present},
            passes=facts,
        )


def _channels_last(fact: TensorFact) -> TensorFact:
    if fact.kind != "image":
        return fact
    n, channels, height, width = fact.shape
    return msgspec.structs.replace(fact, shape=(n, height, width, channels), layout="NHWC")


TARGET = TfliteTarget()
