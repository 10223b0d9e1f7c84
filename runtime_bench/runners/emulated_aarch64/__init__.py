"""ONNX Runtime for aarch64 under QEMU: do the kernels of ARM compute what the network computes?

The real wheel runs in an emulated user space, on small pictures. Beside the parity on the probe it
tells how many guest instructions one inference takes, which is the same on every machine to 1e-4:
a figure to see regressions by. It is no latency, and there is none: time under emulation means
nothing.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.build import commit
from styleexport.core.errors import DeviceError, StyleExportError
from styleexport.core.manifest import ParityFact, ProbeFact, read_manifest
from styleexport.core.types import Progress
from styleexport.runtime_bench.contract.latency import (
    CellFact,
    HarnessFact,
    LatencyReport,
    ProtocolFact,
)
from styleexport.runtime_bench.contract.remote import AskedCell, MeasureRequest
from styleexport.runtime_bench.machine import environment
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session

MOST_PIXELS = 128 * 128
INSTRUCTIONS = "guest instructions"


class EmulatedAarch64(Runner):
    """Runs ``.onnx`` files in an emulated machine; it proves and counts, and never times."""

    name = "emulated-aarch64"
    suffix = ".onnx"
    proves = False
    timed = False
    own_clock = True

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return that QEMU or the machine's files are missing; None where both are there."""
        from styleexport.runtime_bench.runners.emulated_aarch64 import machine

        return machine.missing()

    def measure(self, ask: MeasureRequest, progress: Progress) -> LatencyReport:
        """Return parity and guest instructions of each cell; see `Runner.measure`."""
        before, created = environment.state(), datetime.datetime.now(datetime.UTC)
        cells: list[CellFact] = []
        for number, cell in enumerate(ask.cells, 1):
            progress(f"{number}/{len(ask.cells)} {cell.path} on {self.name}")
            cells.append(self._cell(ask.artifact, cell))
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

    def _cell(self, artifact: Path, cell: AskedCell) -> CellFact:
        """Return what one file computes in the machine."""
        from styleexport.runtime_bench.contract.job import job_cells

        manifest = read_manifest(artifact, check_files=False)
        (wish,) = job_cells(manifest, (self.suffix,), {(cell.path, cell.size)})
        fact = CellFact(
            subject=wish.subject,
            runner=self.name,
            size=wish.size,
            status="unavailable",
            message=f"emulation is for pictures of {MOST_PIXELS} pixels at most: 128x128",
        )
        if cell.size.height * cell.size.width > MOST_PIXELS:
            return fact
        probe = next(probe for probe in manifest.probes if probe.path == wish.probe)
        try:
            found, parity = _proven(artifact, cell.path, probe, wish.allowed_db)
        except StyleExportError as error:
            return msgspec.structs.replace(fact, status="failed", message=str(error)[:400])
        return msgspec.structs.replace(
            fact,
            parity=parity,
            effective=found,
            status="unavailable" if parity.passed else "wrong",
            message=_words(parity, found),
        )

    def open(self, path: Path, options: RunOptions) -> AbstractContextManager[Session]:
        """Refuse: a file is run there once, whole.

        Raises:
            DeviceError: always.
        """
        raise DeviceError(
            f"{path.name} cannot be kept open under emulation; type `styleexport bench ARTIFACT "
            f"--runner {self.name}`"
        )

    def layers(
        self, path: Path, inputs: Arrays, tensors: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return nothing: the machine does not show what is inside a file."""
        return {}


def _proven(
    artifact: Path, path: str, probe: ProbeFact, allowed_db: float
) -> tuple[dict[str, str], ParityFact]:
    """Return what a run in the machine told, and its parity on a probe.

    Raises:
        BadArtifact: the probe is damaged.
        DeviceError: the file does not run there.
    """
    from styleexport.core.psnr import psnr_db
    from styleexport.runtime_bench.parity import read_probe
    from styleexport.runtime_bench.runners.emulated_aarch64 import machine

    manifest = read_manifest(artifact, check_files=False)
    fact = next(fact for fact in manifest.files if fact.path == path)
    tensors, output = read_probe(artifact, probe), fact.outputs[0]
    ran = machine.run(artifact / path, {item.name: tensors[item.name] for item in fact.inputs})
    reference = tensors[output.name]
    peak = 1.0 if output.kind == "image" else None
    parity = ParityFact(
        runner="emulated-aarch64",
        metric="psnr",
        allowed_db=allowed_db,
        probes=1,
        measured_db=round(psnr_db(ran.outputs[output.name], reference, peak), 2),
        max_abs_error=float(f"{np.abs(ran.outputs[output.name] - reference).max():.3g}"),
    )
    told = {
        INSTRUCTIONS: str(min(ran.instructions[1:])),
        f"{INSTRUCTIONS} of the first run": str(ran.instructions[0]),
        f"{INSTRUCTIONS} of loading": str(ran.load_instructions),
        "cpu": machine.CPU,
        "threads": "1",
    }
    return told, parity


def _words(parity: ParityFact, found: Mapping[str, str]) -> str:
    if not parity.passed:
        return f"{parity.measured_db} dB on the probe, at least {parity.allowed_db:g} dB allowed"
    millions = int(found[INSTRUCTIONS]) / 1e6
    return f"proven, {millions:.1f} M guest instructions a run; emulated time is no latency"


RUNNER = EmulatedAarch64()
