"""What a page sends back: checked against what was asked, then stored under a name of ours."""

from __future__ import annotations

import datetime
import secrets
import threading
from pathlib import Path

import msgspec

from styleexport.core.errors import BadArtifact, UsageError
from styleexport.runtime_bench.contract.job import JobCell
from styleexport.runtime_bench.contract.latency import (
    CellFact,
    LatencyReport,
    report_from_json,
    write_report,
)
from styleexport.runtime_bench.runners.browser._job import PageJobFact

# A page that never sends must not fill the memory, one that sends without end not the disk.
MOST_NONCES = 1000
MOST_REPORTS = 100


class Trouble(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page says when it cannot begin."""

    message: str


class Inbox:
    """Takes reports; safe to use from several threads.

    Args:
        job: what was asked.
        folder: where reports are stored.
    """

    def __init__(self, job: PageJobFact, folder: Path) -> None:
        self.job = job
        self.folder = folder
        self.arrived = threading.Event()
        self.report: LatencyReport | None = None
        self.trouble: str | None = None
        self._nonces: dict[str, None] = {}
        self._stored = 0
        self._lock = threading.Lock()

    def ask(self) -> PageJobFact:
        """Return the job with a nonce that one report may bear."""
        nonce = secrets.token_urlsafe(16)
        with self._lock:
            self._nonces[nonce] = None
            while len(self._nonces) > MOST_NONCES:
                del self._nonces[next(iter(self._nonces))]
        return msgspec.structs.replace(self.job, nonce=nonce)

    def take(self, raw: bytes) -> Path:
        """Store a report; return its file.

        Raises:
            BadArtifact: it is no report, or not one of what was asked.
            UsageError: there are too many.
            DeviceError: it cannot be written.
        """
        report = report_from_json(raw, "what was sent")
        self._check(report)
        with self._lock:
            if report.nonce not in self._nonces:
                raise BadArtifact(
                    "what was sent bears no nonce of this server, or one that was used: load the "
                    "page again"
                )
            if self._stored >= MOST_REPORTS:
                raise UsageError(f"{MOST_REPORTS} reports are stored: start the server again")
            path = self._free_path()
            write_report(report, path)
            del self._nonces[report.nonce]
            self._stored += 1
            self.report = report
        self.arrived.set()
        return path

    def fail(self, raw: bytes) -> None:
        """Note that the page could not begin.

        Raises:
            BadArtifact: it does not say why.
        """
        try:
            self.trouble = msgspec.json.decode(raw, type=Trouble).message[:300]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadArtifact(f"what was sent is no message: {error}") from error
        self.arrived.set()

    def _check(self, report: LatencyReport) -> None:
        if report.harness.name != "browser":
            raise BadArtifact(f"what was sent is from {report.harness.name}, expected a browser")
        asked = {(cell.subject.path, cell.size): cell for cell in self.job.cells}
        for cell in report.cells:
            _check_cell(cell, asked.get((cell.subject.path, cell.size)))

    def _free_path(self) -> Path:
        now = datetime.datetime.now(datetime.UTC)
        number = 1
        while True:
            path = self.folder / f"{now:%Y%m%dT%H%M%SZ}-{number}.json"
            if not path.exists():
                return path
            number += 1


def _check_cell(cell: CellFact, wish: JobCell | None) -> None:
    if wish is None or cell.subject != wish.subject or cell.runner != "browser":
        raise BadArtifact(
            f"what was sent measures {cell.subject.path} at {cell.size.size()}, which is not a "
            "file that this server handed out"
        )
    parity = cell.parity
    if cell.status == "measured" and (
        parity is None or parity.allowed_db != wish.allowed_db or not parity.passed
    ):
        raise BadArtifact(
            f"what was sent holds latency of {cell.subject.path}, which did not pass its probe: "
            "only its parity may be reported"
        )
