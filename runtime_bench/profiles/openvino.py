"""OpenVINO's own performance counters, by node of its compiled graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from styleexport.core.arrays import Arrays
from styleexport.runtime_bench.profiles._onnx_layers import OnnxLayers
from styleexport.runtime_bench.profiles._profiler import Profile, TimedOperation, repeated
from styleexport.runtime_bench.runners._onnx_batch import widened
from styleexport.runtime_bench.runners._runner import RunOptions
from styleexport.runtime_bench.runners.openvino import RUNNER

EXECUTED = "EXECUTED"


def profiler(path: Path, options: RunOptions, inputs: Arrays, layers: Mapping[str, str]) -> Profile:
    """Return OpenVINO's profile."""
    request = RUNNER.compiled(path, options, counts=True).create_infer_request()
    samples: dict[tuple[str, str, str], list[int]] = {}

    def run() -> None:
        request.infer(dict(inputs))

    def collect() -> None:
        for node in request.get_profiling_info():
            if node.status.name == EXECUTED:
                key = (node.node_name, node.node_type, node.exec_type)
                samples.setdefault(key, []).append(_nanoseconds(node))

    run()
    runs = repeated(run, collect)
    known = OnnxLayers(widened(path, options.batch), layers)
    rows = (
        TimedOperation(known.find((name,)) or name, kind, tuple(times), delegate=kernel)
        for (name, kind, kernel), times in samples.items()
    )
    return Profile(known.with_macs(rows), runs)


def _nanoseconds(node: Any) -> int:  # noqa: ANN401 - it has no types
    return round(node.real_time.total_seconds() * 1e9)


PROFILER = profiler
