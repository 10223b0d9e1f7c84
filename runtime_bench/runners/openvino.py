"""OpenVINO on ``.onnx`` files: CPU, GPU or NPU, in the precision asked for."""

from __future__ import annotations

import contextlib
import importlib.util
import math
from collections.abc import Generator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import BadArtifact, DeviceError, UsageError
from styleexport.core.plugins import EXTRA_OF_LIBRARY, needs
from styleexport.runtime_bench.runners._onnx_batch import widened
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session

# OpenVINO's names of operations that multiply.
PRODUCTS = ("Convolution", "GroupConvolution", "Deconvolution", "FullyConnected", "MatMul")


class Openvino(Runner):
    """Runs ``.onnx`` files; ``precision=auto`` lets OpenVINO choose the device's fastest precision.

    It is for timing: the parity of artifacts is measured with ONNX Runtime.
    """

    name = "openvino"
    suffixes = (".onnx",)
    proves = False
    choices = MappingProxyType(
        {
            "device": ("cpu", "gpu", "npu"),
            "precision": ("f32", "bf16", "f16", "auto"),
        }
    )

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return that OpenVINO or the device is missing; None where both are available."""
        if importlib.util.find_spec("openvino") is None:
            extra = EXTRA_OF_LIBRARY["openvino"]
            return f"OpenVINO is not installed: pip install 'styleexport[{extra}]'"
        import openvino

        device = self.setting(settings, "device").upper()
        devices = openvino.Core().available_devices
        if any(name.split(".")[0] == device for name in devices):
            return None
        return f"OpenVINO finds no {device} here, only {', '.join(devices)}"

    def start(self) -> None:
        """Import OpenVINO; see `Runner.start`."""
        with needs("openvino"):
            import openvino as _  # noqa: F401

    @contextlib.contextmanager
    def open(self, path: Path, options: RunOptions) -> Generator[Session]:
        """Return a session on the file; see `Runner.open`."""
        compiled = self.compiled(path, options)
        request = compiled.create_infer_request()
        names = [next(iter(output.names)) for output in compiled.outputs]
        fed: dict[str, NDArray[np.float32]] = {}

        def feed(inputs: Arrays) -> None:
            fed.clear()
            fed.update(inputs)

        def fetch() -> dict[str, NDArray[np.float32]]:
            return {
                name: np.array(request.get_output_tensor(number).data, np.float32)
                for number, name in enumerate(names)
            }

        yield Session(feed, lambda: request.infer(fed), fetch, lambda: _effective(compiled))

    def compiled(self, path: Path, options: RunOptions, *, counts: bool = False) -> Any:  # noqa: ANN401 - it has no types
        """Return the file compiled for a device; ``counts`` enables counters per node."""
        with needs("openvino"):
            import openvino
        device = self.setting(options.settings, "device").upper()
        precision = self.setting(options.settings, "precision")
        config: dict[str, str | int | bool] = {"PERFORMANCE_HINT": "LATENCY", "PERF_COUNT": counts}
        if precision != "auto":
            config["INFERENCE_PRECISION_HINT"] = precision
        if options.threads is not None and device == "CPU":
            config["INFERENCE_NUM_THREADS"] = options.threads
        core = openvino.Core()
        try:
            model = core.read_model(_source(path, options.batch))
        except Exception as error:
            if options.batch > 1:
                raise UsageError(
                    f"OpenVINO cannot run {path.name} on {options.batch} pictures at once: "
                    f"{_reason(error)}; type --batch 1"
                ) from error
            raise BadArtifact(
                f"OpenVINO cannot load {path}: {_reason(error)}; export the network again"
            ) from error
        try:
            return core.compile_model(model, device, config)
        except Exception as error:
            raise DeviceError(
                f"OpenVINO cannot run {path.name} on {device} in {precision}: "
                f"{_reason(error)}; type openvino:device=cpu"
            ) from error


def _reason(error: Exception) -> str:
    """Return the last line of an error; the first ones name OpenVINO's source files."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200]


def _source(path: Path, batch: int) -> str | bytes:
    return widened(path, batch).SerializeToString() if batch > 1 else str(path)


def _effective(compiled: Any) -> dict[str, str]:  # noqa: ANN401 - it has no types
    """Return the settings as OpenVINO reports them, with its share of integer MACs."""
    settings = {
        "device": ", ".join(compiled.get_property("EXECUTION_DEVICES")),
        "precision": compiled.get_property("INFERENCE_PRECISION_HINT").to_string(),
        "integer_mac_share": f"{integer_mac_share(compiled):.4f}",
    }
    with contextlib.suppress(RuntimeError):  # only the CPU has this property
        settings["threads"] = str(compiled.get_property("INFERENCE_NUM_THREADS"))
    return settings


def integer_mac_share(compiled: Any) -> float:  # noqa: ANN401 - it has no types
    """Return the share of MACs computed in integers, from OpenVINO's compiled graph."""
    integer, total = 0, 0
    for node in compiled.get_runtime_model().get_ops():
        info = node.get_rt_info()
        if info["layerType"].value in PRODUCTS:
            macs = _macs(node)
            total += macs
            integer += macs if info["runtimePrecision"].value in ("u8", "i8") else 0
    return integer / max(1, total)


def _macs(node: Any) -> int:  # noqa: ANN401 - it has no types
    """Return the multiply-accumulates of a product: one window of weights per element."""
    read, weights, *_ = (tuple(port.get_partial_shape().to_shape()) for port in node.inputs())
    written = tuple(node.output(0).get_partial_shape().to_shape())
    scanned = read if node.get_rt_info()["layerType"].value == "Deconvolution" else written
    return math.prod(scanned) * math.prod(weights) // scanned[1]


RUNNER = Openvino()
