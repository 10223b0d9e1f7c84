"""iPhone: the harness app runs ``.mlpackage`` files in Core ML, ``.aimodel`` ones in Core AI."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from styleexport.core.errors import UsageError
from styleexport.core.types import Progress
from styleexport.runtime_bench.contract.latency import LatencyReport
from styleexport.runtime_bench.contract.remote import MeasureRequest
from styleexport.runtime_bench.phones.phone import IOS_SUFFIXES
from styleexport.runtime_bench.runners._runner import RemoteRunner


class Ios(RemoteRunner):
    """Measures files on an iPhone behind devicectl.

    No iPhone or Mac has been available to the project: it is tested against a program that
    simulates ``xcrun``, whose answers are written from memory.
    """

    name = "ios"
    suffixes = IOS_SUFFIXES
    other_machine = True
    leasable = True
    choices = MappingProxyType({"units": ("all", "cpu", "cpu-gpu", "cpu-ane")})

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return how to get xcrun where it is missing; None on a Mac with Xcode."""
        from styleexport.runtime_bench.phones import devicectl

        return devicectl.missing()

    def measure(self, request: MeasureRequest, progress: Progress) -> LatencyReport:
        """Return the phone's report; see `RemoteRunner.measure`."""
        from styleexport.runtime_bench.phones.ios_phone import IosPhone
        from styleexport.runtime_bench.phones.measuring import Timeouts, measure_on_phone

        if request.device.binary is not None:
            raise UsageError(
                "--benchmark-binary is for Android: type --runner android, or leave it"
            )
        phone = IosPhone(request.device.serial)
        return measure_on_phone(phone, request, IOS_SUFFIXES, progress, Timeouts())


RUNNER = Ios()
