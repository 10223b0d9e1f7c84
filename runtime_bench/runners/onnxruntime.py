"""ONNX Runtime, on the CPU or another execution provider of its build."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import BadArtifact, DeviceError, UsageError, first_line
from styleexport.runtime_bench.runners._onnx_batch import widened
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "dnnl": "DnnlExecutionProvider",
    "directml": "DmlExecutionProvider",
}
CPU = PROVIDERS["cpu"]
# Makes the session report the nodes of each provider.
RECORD = "session.record_ep_graph_assignment_info"


def _options(options: RunOptions) -> ort.SessionOptions:
    settings = ort.SessionOptions()
    settings.log_severity_level = 3
    if options.threads is not None:
        settings.intra_op_num_threads = options.threads
    return settings


class OnnxRuntime(Runner):
    """Runs ``.onnx`` files; nodes that the chosen provider does not take run on the CPU."""

    name = "onnxruntime"
    suffixes = (".onnx",)
    choices = MappingProxyType({"provider": tuple(PROVIDERS)})

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return that the build lacks the provider; None where it includes it."""
        provider = self.setting(settings, "provider")
        built = ort.get_available_providers()
        if PROVIDERS[provider] in built:
            return None
        having = ", ".join(name for name, long in PROVIDERS.items() if long in built)
        return f"this build of ONNX Runtime {ort.__version__} has no {provider}, it has {having}"

    @contextlib.contextmanager
    def open(self, path: Path, options: RunOptions) -> Generator[Session]:
        """Return a session on the file; see `Runner.open`."""
        provider = PROVIDERS[self.setting(options.settings, "provider")]
        session = _load(path, options, provider)
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

        yield Session(feed, invoke, fetch, lambda: _effective(session))

    def layers(
        self, path: Path, inputs: Arrays, tensors: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return inner tensors, computed without fusion; see `Runner.layers`."""
        model = onnx.load(path)
        present = {name for node in model.graph.node for name in node.output}
        names = [name for name in tensors if name in present]
        if not names:
            return {}
        outputs = {value.name for value in model.graph.output}
        model.graph.output.extend(
            onnx.ValueInfoProto(name=name) for name in names if name not in outputs
        )
        settings = _options(RunOptions())
        settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = ort.InferenceSession(model.SerializeToString(), settings, [CPU])
        values = session.run(names, dict(inputs))
        return {n: np.asarray(v, np.float32) for n, v in zip(names, values, strict=True)}


def _load(path: Path, options: RunOptions, provider: str) -> ort.InferenceSession:
    settings = _options(options)
    wide = options.batch > 1
    with contextlib.suppress(Exception):  # builds before 1.24 do not know it
        settings.add_session_config_entry(RECORD, "1")
    try:
        model = widened(path, options.batch).SerializeToString() if wide else str(path)
        session = ort.InferenceSession(model, settings, list(dict.fromkeys((provider, CPU))))
    except Exception as error:
        if wide:
            raise UsageError(
                f"ONNX Runtime cannot run {path.name} on {options.batch} pictures at once: "
                f"{first_line(error)}; type --batch 1"
            ) from error
        raise BadArtifact(
            f"ONNX Runtime cannot load {path}: {first_line(error)}; export the network again"
        ) from error
    if provider not in session.get_providers():
        raise DeviceError(
            f"ONNX Runtime cannot start {provider} here and would use "
            f"{session.get_providers()[0]}: its libraries or its device are missing; type "
            "onnxruntime:provider=cpu"
        )
    return session


def _effective(session: ort.InferenceSession) -> dict[str, str]:
    """Return the nodes of each provider, and the number of partitions outside the CPU provider."""
    threads = session.get_session_options().intra_op_num_threads
    settings = {
        "provider": _short(session.get_providers()[0]),
        "threads": str(threads) if threads else "chosen by ONNX Runtime",
    }
    try:
        parts = session.get_provider_graph_assignment_info()
    except (AttributeError, RuntimeError):  # builds before 1.24 do not report it
        return settings
    nodes: Counter[str] = Counter()
    for part in parts:
        nodes[_short(part.ep_name)] += len(part.get_nodes())
    others = sum(part.ep_name != CPU for part in parts)
    settings["nodes"] = ", ".join(f"{name} {count}" for name, count in sorted(nodes.items()))
    settings["partitions"] = str(1 if len(nodes) == 1 else others)
    return settings


def _short(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider")


RUNNER = OnnxRuntime()
