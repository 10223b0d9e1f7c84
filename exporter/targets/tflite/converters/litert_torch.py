"""litert-torch, Google's own converter from PyTorch, fed a graph that is channels-last already.

It is imported when it is to convert: that takes as long as the conversion.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import nn

from styleexport.core.errors import UnsupportedOp, first_line
from styleexport.core.plugins import needs
from styleexport.core.quiet import quiet
from styleexport.exporter.graph.graph import Graph, example_inputs
from styleexport.exporter.rewrites import channels_last
from styleexport.exporter.rewrites.channels_last import ChannelsLast, to_channels_last
from styleexport.exporter.targets._converted import converted
from styleexport.exporter.targets.tflite.converters._converter import Converter
from styleexport.runtime_bench.runners._litert_tensors import native_quiet

if importlib.util.find_spec("litert_torch") is None:
    raise ModuleNotFoundError("No module named 'litert_torch'", name="litert_torch")
CODE = (Path(__file__), Path(channels_last.__file__))


class LitertTorch(Converter):
    """Converts in this process."""

    name = "litert-torch"
    tools = ("litert-torch",)

    def convert(self, graph: Graph, path: Path) -> None:
        """Write the file, kept from one export to the next; see `Converter.convert`."""
        tools = ("litert-torch", "litert-converter", "ai-edge-litert", "jax")
        path.write_bytes(converted(graph, tools, CODE, lambda: self._converted(graph)))

    def _converted(self, graph: Graph) -> bytes:
        images = [fact.has_places for fact in graph.inputs]
        examples = tuple(
            to_channels_last(value).contiguous() if image else value
            for value, image in zip(example_inputs(graph.inputs, graph.size), images, strict=True)
        )
        with needs(self.name), native_quiet():
            import litert_torch
        try:
            with native_quiet(), quiet(), torch.no_grad():
                module = ChannelsLast(graph.module(), images)
                _make_contiguous(module)
                model = litert_torch.convert(module, examples)
                return bytes(model.model_content())
        except Exception as error:
            raise UnsupportedOp(
                f"TFLite cannot express the network: {first_line(error)}; replace that operation, "
                "or try --converter onnx2tf"
            ) from error


def _make_contiguous(module: nn.Module) -> None:
    """Store weights in the order of their axes, in place.

    litert-torch tells constants apart by their address. It copies others to memory that it frees,
    and a second one of the same shape that is copied there takes the values of the first.
    """
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = tensor.data.contiguous()


CONVERTER = LitertTorch()
