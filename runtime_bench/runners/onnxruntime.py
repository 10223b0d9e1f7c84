"""ONNX Runtime on the CPU."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from styleexport.core.errors import BadArtifact, first_line
from styleexport.runtime_bench.runners._runner import Arrays, Runner, RunOptions, Session

PROVIDERS = ("CPUExecutionProvider",)


def _options(options: RunOptions) -> ort.SessionOptions:
    settings = ort.SessionOptions()
    settings.log_severity_level = 3
    if options.threads is not None:
        settings.intra_op_num_threads = options.threads
    return settings


def _load(path: Path, settings: ort.SessionOptions) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(str(path), settings, providers=list(PROVIDERS))
    except Exception as error:
        raise BadArtifact(
            f"ONNX Runtime cannot load {path}: {first_line(error)}; export the network again"
        ) from error


class OnnxRuntime(Runner):
    """Runs ``.onnx`` files on the CPU."""

    name = "onnxruntime"
    suffix = ".onnx"

    @contextlib.contextmanager
    def open(self, path: Path, options: RunOptions) -> Generator[Session]:
        """Return a session on the file; see `Runner.open`."""
        session = _load(path, _options(options))
        outputs = [item.name for item in session.get_outputs()]

        fed: dict[str, NDArray[np.float32]] = {}
        results: list[Any] = []

        def feed(inputs: Arrays) -> None:
            fed.clear()
            fed.update(inputs)

        def invoke() -> None:
            results[:] = session.run(outputs, fed)

        def fetch() -> dict[str, NDArray[np.float32]]:
            return {name: np.asarray(r) for name, r in zip(outputs, results, strict=True)}

        yield Session(feed, invoke, fetch)

    def layers(
        self, path: Path, inputs: Arrays, tensors: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return tensors from inside the file, unfused; see `Runner.layers`."""
        model = onnx.load(path)
        present = {name for node in model.graph.node for name in node.output}
        wanted = [name for name in tensors if name in present]
        if not wanted:
            return {}
        outputs = {value.name for value in model.graph.output}
        model.graph.output.extend(
            onnx.ValueInfoProto(name=name) for name in wanted if name not in outputs
        )
        settings = _options(RunOptions())
        settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = ort.InferenceSession(model.SerializeToString(), settings, list(PROVIDERS))
        found = session.run(wanted, dict(inputs))
        return {n: np.asarray(v, np.float32) for n, v in zip(wanted, found, strict=True)}


RUNNER = OnnxRuntime()
