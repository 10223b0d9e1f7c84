"""Inbox for the page's reports: checks them against the job and stores them."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import secrets
import threading
from pathlib import Path

import msgspec

from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.files import NEW
from styleexport.runtime_bench.contract.job import JobCell
from styleexport.runtime_bench.contract.latency import (
    CellFact,
    LatencyReport,
    report_from_json,
    write_report,
)
from styleexport.runtime_bench.runners.browser._job import PageJobFact

# Limits memory for pages that never send, and disk for pages that send without end.
MOST_NONCES = 1000
MOST_REPORTS = 100


class PageError(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Message of a page that cannot start."""

    message: str


class Inbox:
    """Receives reports; safe to use from several threads.

    Args:
        job: job of the page.
        folder: folder for reports.
    """

    def __init__(self, job: PageJobFact, folder: Path) -> None:
        self.job = job
        self.folder = folder
        self.arrived = threading.Event()
        self.report: LatencyReport | None = None
        self.error: str | None = None
        self._nonces: dict[str, None] = {}
        self._stored = 0
        self._lock = threading.Lock()

    def new_job(self) -> PageJobFact:
        """Return the job with a nonce that one report may carry."""
        nonce = secrets.token_urlsafe(16)
        with self._lock:
            self._nonces[nonce] = None
            while len(self._nonces) > MOST_NONCES:
                del self._nonces[next(iter(self._nonces))]
        return msgspec.structs.replace(self.job, nonce=nonce)

    def take(self, raw: bytes) -> Path:
        """Store a report; return its file.

        Raises:
            BadArtifact: it is not a report, or not one of this job.
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
            path = self._write(report)
            del self._nonces[report.nonce]
            self._stored += 1
            self.report = report
        self.arrived.set()
        return path

    def fail(self, raw: bytes) -> None:
        """Store the error of a page that could not start.

        Raises:
            BadArtifact: it is not a message.
        """
        try:
            self.error = msgspec.json.decode(raw, type=PageError).message[:300]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadArtifact(f"what was sent is no message: {error}") from error
        self.arrived.set()

    def _check(self, report: LatencyReport) -> None:
        if report.harness.name != "browser":
            raise BadArtifact(f"what was sent is from {report.harness.name}, expected a browser")
        requested = {(cell.subject.path, cell.size): cell for cell in self.job.cells}
        for cell in report.cells:
            _check_cell(cell, requested.get((cell.subject.path, cell.size)))

    def _write(self, report: LatencyReport) -> Path:
        """Write a report to a new file, whatever other servers write there; return the file."""
        now = datetime.datetime.now(datetime.UTC)
        for number in itertools.count(1):
            path = self.folder / f"{now:%Y%m%dT%H%M%SZ}-{number}.json"
            if not path.exists():
                with contextlib.suppress(UsageError):  # another server was faster
                    write_report(report, path, NEW)
                    return path
        raise AssertionError


def _check_cell(cell: CellFact, requested: JobCell | None) -> None:
    if requested is None or cell.subject != requested.subject or cell.runner != "browser":
        raise BadArtifact(
            f"what was sent measures {cell.subject.path} at {cell.size.size()}, which is not a "
            "file that this server handed out"
        )
    parity = cell.parity
    if cell.status == "measured" and (
        parity is None or parity.allowed_db != requested.allowed_db or not parity.passed
    ):
        raise BadArtifact(
            f"what was sent holds latency of {cell.subject.path}, which did not pass its probe: "
            "only its parity may be reported"
        )
