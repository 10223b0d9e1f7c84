"""An Android phone: the harness app runs ``.tflite`` files in LiteRT, ``.onnx`` in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import DeviceError
from styleexport.core.types import Progress
from styleexport.runtime_bench.contract.latency import LatencyReport
from styleexport.runtime_bench.contract.remote import MeasureRequest
from styleexport.runtime_bench.phones.phone import ANDROID_SUFFIXES
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session


class Android(Runner):
    """Runs files on a phone behind adb; for timing, never for the parity of exports.

    Nobody on the project has had a phone: it is tested against a server that plays one.
    """

    name = "android"
    suffix = ".tflite"
    proves = False
    own_clock = True
    elsewhere = True
    choices = MappingProxyType({"delegate": ("cpu", "xnnpack", "gpu", "nnapi")})

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return that adb is missing; None where it is there."""
        from styleexport.runtime_bench.phones import adb

        return adb.missing()

    def reads(self, path: Path) -> bool:
        """Whether the app runs files of this suffix."""
        return path.suffix in ANDROID_SUFFIXES

    def measure(self, ask: MeasureRequest, progress: Progress) -> LatencyReport:
        """Return what the phone measured; see `Runner.measure`."""
        from styleexport.runtime_bench.phones.android_phone import AndroidPhone
        from styleexport.runtime_bench.phones.measuring import Timeouts, measure_on_phone
        from styleexport.runtime_bench.phones.tool_run import measure_with_tool

        phone = AndroidPhone(ask.device.serial)
        if ask.device.binary is not None:
            return measure_with_tool(phone, ask, ask.device.binary, progress)
        phone.check_app()
        return measure_on_phone(phone, ask, ANDROID_SUFFIXES, progress, Timeouts())

    def open(self, path: Path, options: RunOptions) -> AbstractContextManager[Session]:
        """Refuse: a phone measures by itself.

        Raises:
            DeviceError: always.
        """
        raise DeviceError(
            f"{path.name} cannot be opened on a phone from here: it measures by itself; type "
            "`styleexport bench ARTIFACT --runner android`"
        )

    def layers(
        self, path: Path, inputs: Arrays, tensors: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return nothing: the app does not show what is inside a file."""
        return {}


RUNNER = Android()
