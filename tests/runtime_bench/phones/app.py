"""A harness app in Python: it does a job as the apps do, and writes a report, or misbehaves."""

from __future__ import annotations

from pathlib import Path

import msgspec

from styleexport.core.errors import StyleExportError
from styleexport.core.manifest import ParityFact, read_manifest
from styleexport.runtime_bench.contract.job import JobCell, JobFact, job_from_json
from styleexport.runtime_bench.contract.latency import (
    CellFact,
    HarnessFact,
    LatencyReport,
    MachineFact,
    ProtocolFact,
    StateFact,
    SubjectFact,
    ThermalFact,
)

MACHINES = {
    "android": MachineFact(
        device="Acme Phone 7",
        os="Android 15 (API 35)",
        processor="Acme SoC",
        cores=8,
        memory_bytes=8_000_000_000,
    ),
    "ios": MachineFact(
        device="iPhone17,1",
        os="iOS 19.1",
        processor="A18 Pro",
        cores=6,
        memory_bytes=8_000_000_000,
    ),
}


class App:
    """What an app does below the folder that it shares.

    Args:
        root: of that folder.
        harness: android or ios.
        fault: how it misbehaves; "" does as it should.
        debuggable: what it says of its build.
    """

    def __init__(
        self, root: Path, harness: str, fault: str = "", debuggable: bool | None = None
    ) -> None:
        self.root, self.harness, self.fault = root, harness, fault
        self.debuggable = debuggable
        self.jobs: list[JobFact] = []

    def run(self, job_path: str, artifact: str) -> bool:
        """Do a job; return whether the app lives on."""
        raw = (self.root / job_path).read_bytes()
        nonce = Path(job_path).stem
        self._write(nonce, ".progress", b"round 1 of 3")
        if self.fault in ("crash", "hang"):
            return self.fault == "hang"
        try:
            job = job_from_json(raw, "job")
            manifest = read_manifest(self.root / artifact)
        except StyleExportError as error:
            self._write(nonce, ".error", str(error).encode())
            return True
        if self.fault == "error":
            self._write(nonce, ".error", b"the artifact\nwas altered")
            return True
        assert {cell.subject.path for cell in job.cells} == {f.path for f in manifest.files}
        self.jobs.append(job)
        self._write(nonce, ".json", self._report(job))
        return True

    def _write(self, nonce: str, end: str, raw: bytes) -> None:
        path = self.root / "reports" / f"{nonce}{end}"
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.tmp")
        part.write_bytes(raw)
        part.replace(path)

    def _report(self, job: JobFact) -> bytes:
        cells = [self._cell(wish) for wish in job.cells]
        if self.fault == "garbage":
            return b'{"schema_version": 1, "cells"'
        scale = "android" if self.harness == "android" else "apple"
        report = LatencyReport(
            schema_version=1,
            harness=HarnessFact(name=self.harness, version=job.version, debuggable=self.debuggable),
            created="2026-11-22T00:00:00Z",
            nonce="another-nonce" if self.fault == "nonce" else job.nonce,
            machine=MACHINES[self.harness],
            before=StateFact(low_power=False),
            after=StateFact(thermal=ThermalFact(scale=scale, value=float(self.fault == "warms"))),
            protocol=ProtocolFact(
                rounds=job.plan.rounds,
                seconds=job.plan.seconds,
                min_samples=2,
                warm_up="rule",
                interleaved=True,
                own_process=False,
                clock="fake",
                clock_resolution_ns=1,
            ),
            cells=tuple(cells[1:] if self.fault == "half" else cells),
        )
        if self.fault == "desktop":
            harness = msgspec.structs.replace(report.harness, name="desktop")
            report = msgspec.structs.replace(report, harness=harness)
        return report.encoded()

    def _cell(self, wish: JobCell) -> CellFact:
        if wish.requested.get("delegate") == "nnapi":
            return CellFact(
                subject=wish.subject,
                runner=wish.runner,
                requested=wish.requested,
                size=wish.size,
                status="unavailable",
                message="NNAPI has no driver here",
            )
        subject: SubjectFact = wish.subject
        if self.fault == "altered":
            subject = msgspec.structs.replace(subject, sha256="f" * 64)
        parity = ParityFact(
            runner=wish.runner,
            metric="psnr",
            measured_db=120.0,
            allowed_db=wish.allowed_db,
            max_abs_error=1e-6,
            probes=1,
        )
        return CellFact(
            subject=subject,
            runner=wish.runner,
            requested={"delegate": "dsp"} if self.fault == "unasked" else wish.requested,
            effective={"delegate": "xnnpack", "threads": "4"},
            size=wish.size,
            status="measured",
            parity=None if self.fault == "unproven" else parity,
            loads_ns=(5_000_000, 4_000_000),
            first_ns=9_000_000,
            warm_up_ns=(8_000_000, 8_000_000),
            rounds_ns=((8_000_000, 8_100_000), (8_050_000, 8_000_000), (8_200_000, 8_100_000)),
            pre_ns=(1000, 1000),
            post_ns=(1000, 1000),
            peak_rss_bytes=90_000_000,
        )
