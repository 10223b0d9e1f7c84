"""litert-torch, Google's own converter from PyTorch, fed a graph that is channels-last already."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from styleexport.core.errors import UnsupportedOp, first_line
from styleexport.core.quiet import quiet
from styleexport.exporter.graph.graph import Graph, example_inputs
from styleexport.exporter.rewrites.channels_last import ChannelsLast, to_channels_last
from styleexport.exporter.targets.tflite.converters._converter import Converter
from styleexport.runtime_bench.runners._litert_tensors import native_quiet

with native_quiet(), quiet():
    import litert_torch


class LitertTorch(Converter):
    """Converts in this process."""

    name = "litert-torch"
    tools = ("litert-torch",)

    def convert(self, graph: Graph, path: Path) -> None:
        """Write the file; see `Converter.convert`."""
        images = [fact.has_places for fact in graph.inputs]
        examples = tuple(
            to_channels_last(value).contiguous() if image else value
            for value, image in zip(example_inputs(graph.inputs, graph.size), images, strict=True)
        )
        try:
            with native_quiet(), quiet(), torch.no_grad():
                module = ChannelsLast(graph.module(), images)
                _make_contiguous(module)
                model = litert_torch.convert(module, examples)
                path.write_bytes(model.model_content())
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
