"""What a runtime really executes of a file: integer convolutions, round trips, transposes."""

from __future__ import annotations

from pathlib import Path

from styleexport.core.manifest import ExecutionFact


def executed(path: Path) -> ExecutionFact | None:
    """Return what the runtime of a file executes; None for formats whose runtime does not say.

    Raises:
        BadArtifact: the file is damaged, or its runtime cannot run it.
        MissingExtra: the library that reads it is not installed.
    """
    if path.suffix == ".onnx":
        from styleexport.runtime_bench.execution import onnx as executed_onnx

        return executed_onnx.executed(path)
    if path.suffix == ".tflite":
        from styleexport.runtime_bench.execution import tflite as executed_tflite

        return executed_tflite.executed(path)
    return None
