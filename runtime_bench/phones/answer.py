"""What a phone sends back: taken only when it answers the very job that it was given."""

from __future__ import annotations

import msgspec

from styleexport.core.errors import BadArtifact, DeviceError
from styleexport.core.types import Size
from styleexport.runtime_bench.contract.job import JobCell, JobFact
from styleexport.runtime_bench.contract.latency import CellFact, LatencyReport, report_from_json

Key = tuple[str, Size, frozenset[tuple[str, str]]]
MOST_BYTES = 64_000_000


def report_of(raw: bytes, job: JobFact, harness: str, phone: str) -> LatencyReport:
    """Return the report that a phone sent, its cells in the order of the job.

    Args:
        raw: what was sent.
        job: that it must answer.
        harness: that it must be of.
        phone: for messages.

    Raises:
        DeviceError: it is no report, or not one of this job.
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
    wishes = {_key_of_wish(wish): wish for wish in job.cells}
    sent: dict[Key, CellFact] = {}
    for cell in report.cells:
        key = (cell.subject.path, cell.size.size(), frozenset(cell.requested.items()))
        if key in sent or key not in wishes:
            raise DeviceError(
                f"what {phone} sent measures {cell.subject.path} at {cell.size.size()} "
                f"{'twice' if key in sent else 'with settings that nobody asked for'}: {_AGAIN}"
            )
        _check_cell(cell, wishes[key], phone)
        sent[key] = cell
    return tuple(sent[key] for key in wishes if key in sent)


def _key_of_wish(wish: JobCell) -> Key:
    return wish.subject.path, wish.size.size(), frozenset(wish.requested.items())


def _check_cell(cell: CellFact, wish: JobCell, phone: str) -> None:
    if cell.subject != wish.subject or cell.runner != wish.runner or cell.batch != 1:
        wrong = "sha256" if cell.subject.sha256 != wish.subject.sha256 else "description"
        raise DeviceError(
            f"what {phone} sent names {cell.subject.path} with another {wrong} than the artifact's:"
            f" {_AGAIN}"
        )
    parity = cell.parity
    if cell.status == "measured" and (
        parity is None or parity.allowed_db != wish.allowed_db or not parity.passed
    ):
        raise DeviceError(
            f"what {phone} sent holds latency of {cell.subject.path}, which did not pass its "
            f"probe: {_AGAIN}"
        )
