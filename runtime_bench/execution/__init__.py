"""Graphs as runtimes execute them: integer convolutions, float round trips, layout transposes."""

from __future__ import annotations

from pathlib import Path

from styleexport.core.manifest import ExecutionFact


def describe_execution(path: Path) -> ExecutionFact | None:
    """Return what the runtime of a file executes; None for formats whose runtime cannot be traced.

    Raises:
        BadArtifact: the file is damaged, or its runtime cannot run it.
        MissingExtra: the library that reads it is not installed.
    """
    if path.suffix == ".onnx":
        from styleexport.runtime_bench.execution.onnx import describe_onnx_execution

        return describe_onnx_execution(path)
    if path.suffix == ".tflite":
        from styleexport.runtime_bench.execution.tflite import describe_tflite_execution

        return describe_tflite_execution(path)
    if path.suffix == ".pte":
        from styleexport.runtime_bench.execution.executorch import describe_executorch_execution

        return describe_executorch_execution(path)
    return None
