"""Check of a phone's report: it must answer the job that was sent."""

from __future__ import annotations

import msgspec

from styleexport.core.errors import BadArtifact, DeviceError
from styleexport.runtime_bench.contract.cell import CellKey, cell_key
from styleexport.runtime_bench.contract.job import JobCell, JobFact
from styleexport.runtime_bench.contract.latency import CellFact, LatencyReport, report_from_json

MOST_BYTES = 64_000_000


def report_of(raw: bytes, job: JobFact, harness: str, phone: str) -> LatencyReport:
    """Return the report of a phone, its cells in the order of the job.

    Args:
        raw: the received bytes.
        job: the job that the report must answer.
        harness: harness that the report must state.
        phone: name of the phone, for messages.

    Raises:
        DeviceError: it is not a report, or not one of this job.
    """
    if len(raw) > MOST_BYTES:
        raise DeviceError(f"{phone} sent {len(raw)} bytes, more than any report has: {_AGAIN}")
    try:
        report = report_from_json(raw, f"what {phone} sent")
    except BadArtifact as error:
        raise DeviceError(f"{str(error).partition('; make one')[0]}; {_AGAIN}") from error
    if report.nonce != job.nonce:
        raise DeviceError(
            f"what {phone} sent bears the nonce {report.nonce}, expected {job.nonce}: it answers "
            "another job; close the app and measure again"
        )
    if report.harness.name != harness:
        raise DeviceError(
            f"what {phone} sent is from {report.harness.name}, expected {harness}: {_AGAIN}"
        )
    return msgspec.structs.replace(report, cells=_ordered(report, job, phone))


_AGAIN = "install the app of this version of styleexport and measure again"


def _ordered(report: LatencyReport, job: JobFact, phone: str) -> tuple[CellFact, ...]:
    requested = {cell.key: cell for cell in job.cells}
    sent: dict[CellKey, CellFact] = {}
    for cell in report.cells:
        key = cell_key(cell.subject, cell.size.size(), cell.requested)
        if key in sent or key not in requested:
            raise DeviceError(
                f"what {phone} sent measures {cell.subject.path} at {cell.size.size()} "
                f"{'twice' if key in sent else 'with settings that nobody asked for'}: {_AGAIN}"
            )
        _check_cell(cell, requested[key], phone)
        sent[key] = cell
    return tuple(sent[key] for key in requested if key in sent)


def _check_cell(cell: CellFact, requested: JobCell, phone: str) -> None:
    subject = requested.subject
    if cell.subject != subject or cell.runner != requested.runner or cell.batch != 1:
        wrong = "sha256" if cell.subject.sha256 != subject.sha256 else "description"
        raise DeviceError(
            f"what {phone} sent names {cell.subject.path} with another {wrong} than the artifact's:"
            f" {_AGAIN}"
        )
    parity = cell.parity
    if cell.status == "measured" and (
        parity is None or parity.allowed_db != requested.allowed_db or not parity.passed
    ):
        raise DeviceError(
            f"what {phone} sent holds latency of {cell.subject.path}, which did not pass its "
            f"probe: {_AGAIN}"
        )
