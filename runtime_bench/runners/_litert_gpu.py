"""LiteRT on a GPU, through the accelerator library that comes with it (WebGPU on desktops).

It was run on a Vulkan device in software (SwiftShader), which proves that files are whole on the
accelerator and that their values are right, and says nothing about time. No GPU that this library
supports has been available to the project.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import re
from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import DeviceError, UsageError, first_line
from styleexport.core.plugins import needs
from styleexport.runtime_bench.formats._tflite_gpu import gpu_text
from styleexport.runtime_bench.formats._tflite_graph import TfliteGraph
from styleexport.runtime_bench.runners._litert_tensors import from_file, native_quiet, to_file
from styleexport.runtime_bench.runners._runner import Session

SOURCE_PLACE = re.compile(r"\[[^\]]+:\d+\]$")
LIBRARIES = ("*Accelerator.so", "*Accelerator.dylib", "*Accelerator.dll")


def gpu_missing() -> str | None:
    """Return that this LiteRT has no GPU library; None where it has one."""
    spec = importlib.util.find_spec("ai_edge_litert")
    folders = (spec.submodule_search_locations if spec is not None else None) or ()
    if any(list(Path(folder).glob(name)) for folder in folders for name in LIBRARIES):
        return None
    return "this LiteRT comes without an accelerator library for GPUs"


@contextlib.contextmanager
def open_on_gpu(
    path: Path, graph: TfliteGraph, batch: int, accelerator: str = "GPU"
) -> Generator[Session]:
    """Yield a session on a file that runs entirely on one accelerator.

    Args:
        path: path of the file.
        graph: graph of the file.
        batch: number of pictures per inference; only 1 is supported.
        accelerator: LiteRT's name of the accelerator.

    Raises:
        DeviceError: the accelerator is missing or cannot take the file.
        UsageError: the batch is larger than 1.
    """
    if batch > 1:
        raise UsageError(f"LiteRT's GPU accelerator takes {path.name} as it is; type --batch 1")
    with needs("LiteRT"):
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    try:
        with native_quiet():
            model = CompiledModel.from_file(str(path), HardwareAccelerator[accelerator])
            key = next(iter(model.get_signature_list()))
            fed = {name: model.create_input_buffer_by_name(key, name) for name in graph.inputs}
            sinks = {name: model.create_output_buffer_by_name(key, name) for name in graph.outputs}
    except Exception as error:
        raise DeviceError(
            f"LiteRT cannot run {path.name} on the {accelerator}: {_reason(error)} (GPU delegate: "
            f"{gpu_text(graph)}); type litert:delegate=xnnpack"
        ) from error
    results: dict[str, NDArray[np.generic]] = {}

    def feed(inputs: Arrays) -> None:
        for name, index in graph.inputs.items():
            fed[name].write(to_file(name, inputs, graph.tensors[index], path))

    def invoke() -> None:
        model.run_by_name(key, fed, sinks)
        # Only reading the outputs waits for the GPU.
        for name, index in graph.outputs.items():
            tensor = graph.tensors[index]
            read = sinks[name].read(math.prod(tensor.shape), np.dtype(tensor.dtype).type)
            results[name] = read.reshape(tensor.shape)

    def fetch() -> dict[str, NDArray[np.float32]]:
        return {n: from_file(results[n], graph.tensors[i]) for n, i in graph.outputs.items()}

    def effective() -> dict[str, str]:
        nodes = "all" if model.is_fully_accelerated() else "some"
        return {"delegate": accelerator.lower(), "nodes": nodes}

    yield Session(feed, invoke, fetch, effective)


def _reason(error: Exception) -> str:
    """Return the text of an error of LiteRT, which begins with lines of places in its source."""
    lines = [line.strip("\u2514 ") for line in str(error).splitlines()]
    texts = [line for line in lines if line and not SOURCE_PLACE.search(line)]
    return texts[0] if texts else first_line(error)
