"""ONNX Runtime for aarch64 under QEMU: checks ARM's kernels and counts their instructions.

The real wheel runs in an emulated user space, on small pictures. In addition to the parity on the
probe it reports the guest instructions of one inference, which are the same on every machine to
1e-4: a figure for catching regressions. It reports no latency: time under emulation means nothing.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
import numpy as np
from numpy.typing import NDArray

from styleexport.core.build import commit
from styleexport.core.errors import StyleExportError
from styleexport.core.manifest import ParityFact, SizeFact
from styleexport.core.thresholds import allowed_on_device
from styleexport.core.types import Progress
from styleexport.runtime_bench.contract.cell import Cell
from styleexport.runtime_bench.contract.latency import (
    CellFact,
    HarnessFact,
    LatencyReport,
    ProtocolFact,
)
from styleexport.runtime_bench.contract.remote import MeasureRequest
from styleexport.runtime_bench.machine import environment
from styleexport.runtime_bench.parity import measure_parity, read_probe
from styleexport.runtime_bench.runners._runner import RemoteRunner
from styleexport.runtime_bench.runners.emulated_aarch64 import machine

MOST_PIXELS = 128 * 128
INSTRUCTIONS = "guest instructions"


class EmulatedAarch64(RemoteRunner):
    """Runs ``.onnx`` files in an emulated machine; it proves and counts, and never times."""

    name = "emulated-aarch64"
    suffixes = (".onnx",)
    timed = False

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return how to get QEMU or the machine's files; None where both are installed."""
        return machine.missing()

    def measure(self, request: MeasureRequest, progress: Progress) -> LatencyReport:
        """Return parity and guest instructions of each cell; see `RemoteRunner.measure`."""
        before, created = environment.state(), datetime.datetime.now(datetime.UTC)
        cells: list[CellFact] = []
        for number, cell in enumerate(request.cells, 1):
            progress(f"{number}/{len(request.cells)} {cell.subject.path} on {self.name}")
            cells.append(self._fact(cell))
        return LatencyReport(
            schema_version=1,
            harness=HarnessFact(name="desktop", version="", commit=commit()),
            created=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            machine=environment.machine(),
            before=before,
            after=environment.state(),
            protocol=ProtocolFact(
                rounds=1,
                seconds=0.0,
                min_samples=1,
                warm_up="none",
                interleaved=False,
                own_process=True,
                clock="none",
                clock_resolution_ns=0.0,
            ),
            cells=tuple(cells),
        )

    def _fact(self, cell: Cell) -> CellFact:
        """Return the result of one file in the emulated machine."""
        fact = CellFact(
            subject=cell.subject,
            runner=self.name,
            size=SizeFact.of(cell.size),
            status="unavailable",
            message=f"emulation is for pictures of {MOST_PIXELS} pixels at most: 128x128",
        )
        if cell.size.height * cell.size.width > MOST_PIXELS:
            return fact
        try:
            parity, counts = _check(cell)
        except StyleExportError as error:
            return msgspec.structs.replace(fact, status="failed", message=str(error)[:400])
        return msgspec.structs.replace(
            fact,
            parity=parity,
            effective=counts,
            status="unavailable" if parity.passed else "wrong",
            message=_message(parity, counts),
        )


def _check(cell: Cell) -> tuple[ParityFact, dict[str, str]]:
    """Return the parity of a file on its probe in the emulated machine, and its instructions.

    Raises:
        BadArtifact: the probe is damaged.
        DeviceError: the file does not run there.
    """
    file, runs = cell.file, list[machine.GuestRun]()

    def run(inputs: dict[str, NDArray[np.float32]]) -> Mapping[str, NDArray[np.float32]]:
        runs.append(machine.run(cell.artifact / cell.subject.path, inputs))
        return runs[-1].outputs

    parity = measure_parity(
        run,
        file,
        [read_probe(cell.artifact, cell.probes[0])],
        label=cell.path.name,
        runner="emulated-aarch64",
        allowed_db=allowed_on_device(file),
    )
    counts = {
        INSTRUCTIONS: str(min(runs[0].instructions[1:])),
        f"{INSTRUCTIONS} of the first run": str(runs[0].instructions[0]),
        f"{INSTRUCTIONS} of loading": str(runs[0].load_instructions),
        "cpu": machine.CPU,
        "threads": "1",
    }
    return parity, counts


def _message(parity: ParityFact, counts: Mapping[str, str]) -> str:
    if not parity.passed:
        return f"{parity.measured_db} dB on the probe, at least {parity.allowed_db:g} dB allowed"
    millions = int(counts[INSTRUCTIONS]) / 1e6
    return f"proven, {millions:.1f} M guest instructions a run; emulated time is no latency"


RUNNER = EmulatedAarch64()
