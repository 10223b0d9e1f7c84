"""Measuring on a phone: sync files, start the job, wait, fetch the report, clean up."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import msgspec

from styleexport.core.errors import DeviceError
from styleexport.core.manifest import FILE_NAME
from styleexport.core.types import Progress
from styleexport.runtime_bench.contract.doubts import (
    doubts_of,
    doubts_of_report,
    refuse_doubts,
)
from styleexport.runtime_bench.contract.job import JobCell, JobFact, new_job
from styleexport.runtime_bench.contract.latency import LatencyReport, StateFact
from styleexport.runtime_bench.contract.remote import MeasureRequest
from styleexport.runtime_bench.phones.answer import report_of
from styleexport.runtime_bench.phones.bundle import Bundle, bundle_of
from styleexport.runtime_bench.phones.phone import (
    ARTIFACTS,
    JOBS,
    REPORTS,
    Conditions,
    DeviceUnreachable,
    Phone,
)

PUSHED = ".pushed.json"
# Consecutive polls without a process after which the app counts as ended: at a single one it may be
# between two processes.
MISSED_POLLS = 3


@dataclass(frozen=True)
class Timeouts:
    """Timeouts of a job on a phone.

    Attributes:
        poll: seconds between two polls of the phone.
        unreachable: seconds for which a phone may be unreachable.
        start: seconds for the app, in addition to the plan.
        cell: seconds per file in addition to its turns: two loads, its probe, the warm-up.
        turn: seconds per turn, in addition to the plan.
        clock: monotonic seconds.
        sleep: waits for some seconds.
    """

    poll: float = 1.0
    unreachable: float = 20.0
    start: float = 120.0
    cell: float = 90.0
    turn: float = 2.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def limit(self, job: JobFact) -> float:
        """Return the seconds after which a job counts as hung."""
        plan = job.plan
        turns = plan.rounds * (plan.seconds + self.turn) + plan.warm_up_seconds + self.cell
        return self.start + len(job.cells) * turns


def measure_on_phone(
    phone: Phone,
    request: MeasureRequest,
    suffixes: Collection[str],
    progress: Progress,
    timeouts: Timeouts,
) -> LatencyReport:
    """Return the report of a phone's app.

    Args:
        phone: connected phone.
        request: cells to measure, and how.
        suffixes: suffixes of the files that the app runs.
        progress: receives lines of progress.
        timeouts: timeouts of the job.

    Raises:
        BadArtifact: the artifact is incomplete.
        DeviceError: there is a doubt about its conditions, it is full or gone, has no app, or sent
            no report of this job.
        UsageError: the app runs none of the files.
    """
    paths = {cell.subject.path for cell in request.cells}
    bundle = bundle_of(request.artifact, suffixes, paths)
    conditions = phone.conditions()
    refuse_conditions(phone.name, conditions, request)
    job = job_of(request, phone.harness, secrets.token_hex(16))
    files = [f"{JOBS}/{job.nonce}.json"]
    files += [f"{REPORTS}/{job.nonce}{end}" for end in (".json", ".progress", ".error")]
    try:
        send(phone, bundle, progress)
        _put_bytes(phone, msgspec.json.encode(job), files[0])
        phone.start(files[0], f"{ARTIFACTS}/{bundle.name}")
        _wait(phone, job, progress, timeouts)
        raw = phone.read(files[1])
    finally:
        # An error while cleaning up must not hide the first one.
        with contextlib.suppress(DeviceError):
            phone.remove(*files)
    if raw is None:
        raise DeviceError(f"{phone.name} has lost its report: measure again")
    report = report_of(raw, job, phone.harness, phone.name)
    return _judged(_completed(report, conditions, phone.state()), phone, request, progress)


def job_of(request: MeasureRequest, runner: str, nonce: str) -> JobFact:
    """Return the job of a request, its cells in the order of the request."""
    cells = tuple(JobCell.for_runner(cell, runner) for cell in request.cells)
    return new_job(cells, request.plan, nonce, request.command[:400])


def send(phone: Phone, bundle: Bundle, progress: Progress) -> None:
    """Sync a bundle to the phone: upload changed files, delete stale ones.

    A list on the phone names the files with their sha256. It is reduced to the unchanged files
    before anything changes and written in full at the end, so that an interrupted sync is repeated.

    Raises:
        DeviceError: the phone is full or gone.
    """
    folder = f"{ARTIFACTS}/{bundle.name}"
    bundled, present = bundle.digests(), _listed(phone.read(f"{folder}/{PUSHED}"))
    kept = {path: digest for path, digest in present.items() if bundled.get(path) == digest}
    fresh = [path for path in bundled if path not in kept]
    stale = [f"{folder}/{path}" for path in present if path not in kept]
    if fresh or stale:
        _put_bytes(phone, msgspec.json.encode(kept), f"{folder}/{PUSHED}")
        phone.remove(*stale)
        sizes = bundle.sizes()
        total = sum(sizes[path] for path in fresh)
        progress(f"{phone.name}: sending {len(fresh)} files, {total / 1e6:.1f} MB")
        for path in fresh:
            phone.put(bundle.source / path, f"{folder}/{path}")
    _put_bytes(phone, bundle.manifest.encoded(), f"{folder}/{FILE_NAME}")
    _put_bytes(phone, msgspec.json.encode(bundled), f"{folder}/{PUSHED}")


def _listed(raw: bytes | None) -> dict[str, str]:
    """Return path → sha256 of the list on a phone; empty where it is missing or damaged."""
    try:
        return msgspec.json.decode(raw or b"{}", type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _put_bytes(phone: Phone, raw: bytes, path: str) -> None:
    with tempfile.TemporaryDirectory(prefix="styleexport-phone-") as folder:
        source = Path(folder) / Path(path).name
        source.write_bytes(raw)
        phone.put(source, path)


def refuse_conditions(name: str, conditions: Conditions, request: MeasureRequest) -> None:
    """Refuse a phone for a doubt about its conditions that the request does not suppress.

    Raises:
        DeviceError: there is one.
    """
    doubts = doubts_of(
        (conditions.state,), debuggable=conditions.debuggable, emulator=conditions.emulator
    )
    refuse_doubts(name, doubts, request.device.suppress)


def _completed(report: LatencyReport, before: Conditions, after: StateFact) -> LatencyReport:
    """Return a report whose missing facts are filled from those that the host read."""
    harness, machine = report.harness, report.machine
    if harness.debuggable is None:
        harness = msgspec.structs.replace(harness, debuggable=before.debuggable)
    if machine.emulator is None:
        machine = msgspec.structs.replace(machine, emulator=before.emulator)
    return msgspec.structs.replace(
        report,
        harness=harness,
        machine=machine,
        before=_filled(report.before, before.state),
        after=_filled(report.after, after),
    )


def _judged(
    report: LatencyReport, phone: Phone, request: MeasureRequest, progress: Progress
) -> LatencyReport:
    """Return a report with its doubts; those that came about while measuring are noted only.

    Raises:
        DeviceError: there was one from the start that the app alone knows, and is not suppressed.
    """
    harness, machine, suppressed = report.harness, report.machine, request.device.suppress
    at_start = doubts_of((report.before,), debuggable=harness.debuggable, emulator=machine.emulator)
    refuse_doubts(phone.name, at_start, suppressed)
    doubts = doubts_of_report(report)
    for name, reason in doubts.items():
        when = "" if name in at_start else "after measuring, "
        progress(f"note: {phone.name}: {when}{reason} [{name}]")
    return msgspec.structs.replace(report, doubts=tuple(doubts))


def _wait(phone: Phone, job: JobFact, progress: Progress, timeouts: Timeouts) -> None:
    """Wait for the report; the app is stopped where it hangs or the user interrupts.

    Raises:
        DeviceError: the app ended or hangs, or the phone is gone.
    """
    limit = timeouts.limit(job)
    try:
        if _is_done_within(limit, phone, job, progress, timeouts):
            return
    except (KeyboardInterrupt, SystemExit):
        phone.stop()
        raise
    phone.stop()
    raise DeviceError(
        f"{phone.name} sent no report within {limit:.0f} s: measure fewer files, or smaller ones "
        "with --size"
    )


def _is_done_within(
    seconds: float, phone: Phone, job: JobFact, progress: Progress, timeouts: Timeouts
) -> bool:
    """Poll the phone until the report is there or the time is over."""
    start = reached = timeouts.clock()
    last_line, missed = "", 0
    while timeouts.clock() - start < seconds:
        try:
            status = phone.job_status(job.nonce)
        except DeviceUnreachable as error:
            if timeouts.clock() - reached > timeouts.unreachable:
                raise DeviceError(
                    f"{phone.name} was lost while it measured ({error}): connect it again (a "
                    "hosted phone: begin a new session), unlock it, and measure again"
                ) from error
            timeouts.sleep(timeouts.poll)
            continue
        reached = timeouts.clock()
        if status.error is not None:
            raise DeviceError(f"the app on {phone.name} cannot do the job: {_short(status.error)}")
        if status.done:
            return True
        if status.progress and status.progress != last_line:
            last_line = status.progress
            progress(f"{phone.name}: {_short(last_line)}")
        missed = missed + 1 if status.alive is False else 0
        if missed >= MISSED_POLLS:
            raise DeviceError(_ended(phone, last_line))
        timeouts.sleep(timeouts.poll)
    return False


def _ended(phone: Phone, last_line: str) -> str:
    last = f"; it last said: {_short(last_line)}" if last_line else ""
    hint = (
        "`adb logcat -b crash -d` says why" if phone.harness == "android" else "see its crash log"
    )
    return f"the app on {phone.name} ended before it wrote a report{last}; {hint}"


def _short(text: str) -> str:
    return " ".join(text.split())[:300]


def _filled(app_state: StateFact, host_state: StateFact) -> StateFact:
    """Return the app's device state, missing fields filled from the host's."""
    missing = {
        name: value
        for name, value in msgspec.structs.asdict(host_state).items()
        if value and getattr(app_state, name) in (None, {})
    }
    return msgspec.structs.replace(app_state, **missing)
