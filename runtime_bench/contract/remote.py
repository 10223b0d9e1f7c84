"""Request to a runner that times itself; it answers with a latency report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from styleexport.runtime_bench.contract.cell import Cell
    from styleexport.runtime_bench.contract.job import PlanFact
    from styleexport.runtime_bench.contract.latency import Doubt, LatencyReport


@dataclass(frozen=True)
class DeviceOptions:
    """Choice of a device, and its use.

    Attributes:
        serial: serial number of the device; None takes the only one that is connected.
        suppress: doubts about its conditions in spite of which it is measured.
        binary: benchmark program of a runtime, run on the device in place of the app.
        lease: command that acquires and releases the device, around the measurement.
        upload: whether files may be uploaded to a service that measures them.
    """

    serial: str | None = None
    suppress: tuple[Doubt, ...] = ()
    binary: Path | None = None
    lease: str | None = None
    upload: bool = False


@dataclass(frozen=True)
class MeasureRequest:
    """Cells of one artifact to measure, and how.

    Attributes:
        artifact: folder of the artifact.
        cells: cells of one picture per inference, all on one runner.
        plan: how to measure.
        command: command line that was typed.
        device: device to measure on.
    """

    artifact: Path
    cells: Sequence[Cell]
    plan: PlanFact
    command: str = ""
    device: DeviceOptions = field(default_factory=DeviceOptions)


def joined(reports: Sequence[LatencyReport]) -> LatencyReport:
    """Return consecutive reports of one device as a single report without a nonce."""
    first, *others = reports
    if not others:
        return first
    return msgspec.structs.replace(
        first,
        nonce=None,
        after=reports[-1].after,
        doubts=tuple(dict.fromkeys(doubt for report in reports for doubt in report.doubts)),
        cells=tuple(cell for report in reports for cell in report.cells),
    )
