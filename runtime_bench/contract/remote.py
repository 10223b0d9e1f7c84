"""What a runner with a clock of its own is asked to measure: it answers with a latency report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from styleexport.core.types import Size

if TYPE_CHECKING:
    from styleexport.runtime_bench.contract.job import PlanFact
    from styleexport.runtime_bench.contract.latency import LatencyReport


@dataclass(frozen=True)
class DeviceOptions:
    """Which device, and how to use it.

    Attributes:
        serial: of the device; None takes the only one that is there.
        allow_hot: whether a device that already slows itself down is measured.
        binary: a benchmark program of a runtime for the device, to be run instead of the app.
    """

    serial: str | None = None
    allow_hot: bool = False
    binary: Path | None = None


@dataclass(frozen=True)
class AskedCell:
    """One file at one size with settings.

    Attributes:
        path: of the file, below the artifact.
        size: of the picture.
        settings: of the runner that were typed; the report repeats them.
    """

    path: str
    size: Size
    settings: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def key(self) -> tuple[str, Size, frozenset[tuple[str, str]]]:
        """What tells it from the other cells of one artifact."""
        return self.path, self.size, frozenset(self.settings.items())


@dataclass(frozen=True)
class MeasureRequest:
    """What to measure, and how.

    Attributes:
        artifact: its folder.
        cells: of it.
        plan: how.
        command: that was typed.
        device: where.
    """

    artifact: Path
    cells: Sequence[AskedCell]
    plan: PlanFact
    command: str = ""
    device: DeviceOptions = field(default_factory=DeviceOptions)


def joined(reports: Sequence[LatencyReport]) -> LatencyReport:
    """Return the reports of one device, one after the other, as one; it bears no nonce."""
    first, *others = reports
    if not others:
        return first
    return msgspec.structs.replace(
        first,
        nonce=None,
        after=reports[-1].after,
        cells=tuple(cell for report in reports for cell in report.cells),
    )
