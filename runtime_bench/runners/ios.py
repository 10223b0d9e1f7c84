"""An iPhone: the harness app runs ``.mlpackage`` files in Core ML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import DeviceError, UsageError
from styleexport.core.types import Progress
from styleexport.runtime_bench.contract.latency import LatencyReport
from styleexport.runtime_bench.contract.remote import MeasureRequest
from styleexport.runtime_bench.phones.phone import IOS_SUFFIXES
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session


class Ios(Runner):
    """Runs files on an iPhone behind devicectl; for timing, never for the parity of exports.

    Nobody on the project has had an iPhone or a Mac: it is tested against a program that plays
    ``xcrun``, whose answers are from memory.
    """

    name = "ios"
    suffix = ".mlpackage"
    rounds_pictures = True
    proves = False
    own_clock = True
    elsewhere = True
    choices = MappingProxyType({"units": ("all", "cpu", "cpu-gpu", "cpu-ane")})

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return that xcrun is missing; None on a Mac with Xcode."""
        from styleexport.runtime_bench.phones import devicectl

        return devicectl.missing()

    def measure(self, ask: MeasureRequest, progress: Progress) -> LatencyReport:
        """Return what the phone measured; see `Runner.measure`."""
        from styleexport.runtime_bench.phones.ios_phone import IosPhone
        from styleexport.runtime_bench.phones.measuring import Timeouts, measure_on_phone

        if ask.device.binary is not None:
            raise UsageError(
                "--benchmark-binary is for Android: type --runner android, or leave it"
            )
        return measure_on_phone(
            IosPhone(ask.device.serial), ask, IOS_SUFFIXES, progress, Timeouts()
        )

    def open(self, path: Path, options: RunOptions) -> AbstractContextManager[Session]:
        """Refuse: a phone measures by itself.

        Raises:
            DeviceError: always.
        """
        raise DeviceError(
            f"{path.name} cannot be opened on a phone from here: it measures by itself; type "
            "`styleexport bench ARTIFACT --runner ios`"
        )

    def layers(
        self, path: Path, inputs: Arrays, tensors: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return nothing: the app does not show what is inside a file."""
        return {}


RUNNER = Ios()
