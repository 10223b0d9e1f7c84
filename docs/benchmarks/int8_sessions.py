"""Sessions of the int8 benchmark: the same threads in every runtime, any file that it can run."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from int8_report import Entry
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.runtime_bench.execution import describe_execution
from styleexport.runtime_bench.formats._onnx_macs import macs_by_node
from styleexport.runtime_bench.formats._pte import read_pte
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.formats._tflite_graph import TfliteTensor
from styleexport.runtime_bench.runners._litert import load
from styleexport.runtime_bench.runners._litert_tensors import from_file
from styleexport.runtime_bench.runners._runner import RunOptions, Session, find_runner, runner_for
from styleexport.runtime_bench.runners.openvino import integer_mac_share

OPTIONS = RunOptions(threads=2)
# As OpenVINO calls what multiplies.

Array = NDArray[np.float32]


def _counts(path: Path) -> bool:
    """Whether a file's MACs can be counted: operations of a tool's own hide shapes."""
    return path.suffix != ".onnx" or any(macs_by_node(onnx.load(path)).values())


@contextlib.contextmanager
def _executorch(path: Path) -> Generator[Session]:
    """Yield a session on a ``.pte`` file: other tools' hold no names, the order is that of ours."""
    names = list(read_pte(path).inputs)
    with runner_for(path).open(path, OPTIONS) as session:

        def feed(inputs: Arrays) -> None:
            session.feed(dict(zip(names, inputs.values(), strict=True)))

        yield dataclasses.replace(session, feed=feed)


@contextlib.contextmanager
def opened(entry: Entry) -> Generator[tuple[Session, float | None]]:
    """Yield a session on a file and the share of its MACs that are computed in integers.

    Args:
        entry: file and runtime.
    """
    assert entry.file is not None
    if entry.runtime == "ExecuTorch":
        with _executorch(entry.file) as session:
            yield session, read_pte(entry.file).int8_mac_share()
        return
    if entry.runtime == "PyTorch":
        with find_runner("torch").open(entry.file, OPTIONS) as session:
            yield session, None
        return
    if entry.runtime == "OpenVINO":
        yield _openvino(entry.file)
        return
    fact = describe_execution(entry.file) if _counts(entry.file) else None
    share = None if fact is None else fact.integer_mac_share
    if entry.kind == "peer" and entry.runtime == "LiteRT":
        yield _litert(entry.file), share
        return
    with runner_for(entry.file).open(entry.file, OPTIONS) as session:
        yield session, share


def _litert(path: Path) -> Session:
    """Return a session of LiteRT on a file that may take integers, as other tools' do."""
    graph = read_graph(path)
    interpreter = load(path, delegate=True, threads=OPTIONS.threads)

    def feed(inputs: Arrays) -> None:
        for name, index in graph.inputs.items():
            interpreter.set_tensor(index, _to_file(inputs[name], graph.tensors[index]))

    def fetch() -> dict[str, Array]:
        return {
            name: from_file(interpreter.get_tensor(index), graph.tensors[index])
            for name, index in graph.outputs.items()
        }

    return Session(feed, interpreter.invoke, fetch)


def _to_file(value: Array, tensor: TfliteTensor) -> NDArray[np.generic]:
    """Return an input as a file takes it: images channels-last, integers rounded and cut."""
    turned = value.transpose(0, 2, 3, 1) if value.ndim == 4 else value
    if tensor.dtype.startswith(("int", "uint")):
        limits = np.iinfo(tensor.dtype)
        steps = np.round(turned / np.float32(tensor.scales[0])) + tensor.zero_points[0]
        turned = steps.clip(limits.min, limits.max)
    return np.ascontiguousarray(turned, tensor.dtype)


def _openvino(path: Path) -> tuple[Session, float]:
    """Return a session of OpenVINO, float32 where the file is, and its share of integers."""
    import openvino

    compiled: Any = openvino.Core().compile_model(
        str(path),
        "CPU",
        {
            "INFERENCE_NUM_THREADS": OPTIONS.threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        },
    )
    request = compiled.create_infer_request()
    names = [next(iter(output.names)) for output in compiled.outputs]
    share = integer_mac_share(compiled)
    fed: dict[str, Array] = {}

    def fetch() -> dict[str, Array]:
        return {
            name: np.array(request.get_output_tensor(number).data)
            for number, name in enumerate(names)
        }

    return Session(fed.update, lambda: request.infer(fed), fetch), round(share, 4)
