"""Android phone: the harness app runs ``.tflite`` in LiteRT and ``.onnx`` in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from styleexport.core.types import Progress
from styleexport.runtime_bench.contract.latency import LatencyReport
from styleexport.runtime_bench.contract.remote import MeasureRequest
from styleexport.runtime_bench.phones.phone import ANDROID_SUFFIXES
from styleexport.runtime_bench.runners._runner import RemoteRunner


class Android(RemoteRunner):
    """Measures files on a phone behind adb.

    No real phone has been available to the project: it is tested against a server that simulates
    one.
    """

    name = "android"
    suffixes = ANDROID_SUFFIXES
    other_machine = True
    leasable = True
    # `api` and `precision` are LiteRT's: of `.tflite` files, `precision` on the GPU alone.
    choices = MappingProxyType(
        {
            "delegate": ("cpu", "xnnpack", "gpu", "nnapi"),
            "api": ("auto", "compiled_model", "interpreter"),
            "precision": ("fp16", "fp16-fp32-sums", "fp32"),
        }
    )

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return how to get adb where it is missing; None where it is installed."""
        from styleexport.runtime_bench.phones import adb

        return adb.missing()

    def measure(self, request: MeasureRequest, progress: Progress) -> LatencyReport:
        """Return the phone's report; see `RemoteRunner.measure`."""
        from styleexport.runtime_bench.phones.android_phone import AndroidPhone
        from styleexport.runtime_bench.phones.measuring import Timeouts, measure_on_phone
        from styleexport.runtime_bench.phones.tool_run import measure_with_tool

        phone = AndroidPhone(request.device.serial)
        if request.device.binary is not None:
            return measure_with_tool(phone, request, request.device.binary, progress)
        phone.check_app()
        return measure_on_phone(phone, request, ANDROID_SUFFIXES, progress, Timeouts())


RUNNER = Android()
