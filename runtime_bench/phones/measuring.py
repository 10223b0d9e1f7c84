"""A latency report from a phone: send what changed, start the job, wait, fetch, clean up."""

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
from styleexport.core.manifest import FILE_NAME, Manifest
from styleexport.core.types import Progress
from styleexport.runtime_bench.contract.job import JobCell, JobFact, job_cells, new_job
from styleexport.runtime_bench.contract.latency import LatencyReport, StateFact, ThermalFact
from styleexport.runtime_bench.contract.remote import MeasureRequest
from styleexport.runtime_bench.phones.answer import report_of
from styleexport.runtime_bench.phones.bundle import Bundle, bundle_of
from styleexport.runtime_bench.phones.phone import (
    ARTIFACTS,
    JOBS,
    REPORTS,
    DeviceUnreachable,
    Phone,
)

PUSHED = ".pushed.json"
# From here on a phone slows itself down: Android's "moderate", Apple's "serious".
HOT = {"android": 2.0, "apple": 2.0}
# Not running at so many looks, one after the other: an app may be between two processes at one.
GONE_LOOKS = 3


@dataclass(frozen=True)
class Timeouts:
    """How long to wait.

    Attributes:
        poll: seconds between two looks at the phone.
        away: seconds that a phone may be gone.
        start: seconds for the app, over what the plan needs.
        cell: seconds for each file apart from its turns: loading it twice, its probe, warming up.
        turn: seconds for each turn, over what the plan says.
        clock: seconds.
        sleep: waits.
    """

    poll: float = 1.0
    away: float = 20.0
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
    phone: Phone, ask: MeasureRequest, suffixes: Collection[str], progress: Progress, pace: Timeouts
) -> LatencyReport:
    """Return what a phone measured.

    Args:
        phone: that is there.
        ask: what to measure, and how.
        suffixes: of the files that its app runs.
        progress: is told how far it is.
        pace: how long to wait.

    Raises:
        BadArtifact: the artifact is not whole.
        DeviceError: the phone is hot, full, gone, has no app, or sent no report of this job.
        UsageError: the app runs none of the files.
    """
    bundle = bundle_of(ask.artifact, suffixes, {cell.path for cell in ask.cells})
    before = phone.state()
    refuse_hot(phone, before, ask)
    job = job_of(ask, bundle.manifest, suffixes, phone.harness, secrets.token_hex(16))
    files = [f"{JOBS}/{job.nonce}.json"]
    files += [f"{REPORTS}/{job.nonce}{end}" for end in (".json", ".progress", ".error")]
    try:
        send(phone, bundle, progress)
        _put_bytes(phone, msgspec.json.encode(job), files[0])
        phone.start(files[0], f"{ARTIFACTS}/{bundle.name}")
        _wait(phone, job, progress, pace)
        raw = phone.read(files[1])
    finally:
        # What went wrong first is what the user must hear.
        with contextlib.suppress(DeviceError):
            phone.remove(*files)
    if raw is None:
        raise DeviceError(f"{phone.name} has lost its report: measure again")
    found = report_of(raw, job, phone.harness, phone.name)
    after = phone.state()
    if _is_hot(after):
        progress(f"note: {phone.name} grew hot while it was measured: see the drift of its cells")
    return msgspec.structs.replace(
        found, before=_filled(found.before, before), after=_filled(found.after, after)
    )


def job_of(
    ask: MeasureRequest, manifest: Manifest, suffixes: Collection[str], runner: str, nonce: str
) -> JobFact:
    """Return the job of what was asked: a wish a cell, in the order asked.

    Raises:
        UsageError: the artifact holds no such file and size.
    """
    wanted = {(cell.path, cell.size) for cell in ask.cells}
    known: dict[object, JobCell] = {
        (wish.subject.path, wish.size.size()): wish
        for wish in job_cells(manifest, suffixes, wanted)
    }
    cells = tuple(
        msgspec.structs.replace(
            known[cell.path, cell.size], runner=runner, requested=dict(cell.settings)
        )
        for cell in ask.cells
    )
    return new_job(cells, ask.plan, nonce, ask.command[:400])


def send(phone: Phone, bundle: Bundle, progress: Progress) -> None:
    """Put onto a phone what it has not of a bundle, and take away what belongs to it no more.

    A list on the phone says what is there; it is made shorter before anything changes and written
    whole at the end, so that what breaks off half-way is sent again.

    Raises:
        DeviceError: the phone is full or gone.
    """
    folder = f"{ARTIFACTS}/{bundle.name}"
    wanted, there = bundle.digests(), _listed(phone.read(f"{folder}/{PUSHED}"))
    kept = {path: digest for path, digest in there.items() if wanted.get(path) == digest}
    fresh = [path for path in wanted if path not in kept]
    stale = [f"{folder}/{path}" for path in there if path not in kept]
    if fresh or stale:
        _put_bytes(phone, msgspec.json.encode(kept), f"{folder}/{PUSHED}")
        phone.remove(*stale)
        sizes = bundle.sizes()
        total = sum(sizes[path] for path in fresh)
        progress(f"{phone.name}: sending {len(fresh)} files, {total / 1e6:.1f} MB")
        for path in fresh:
            phone.put(bundle.source / path, f"{folder}/{path}")
    _put_bytes(phone, bundle.manifest.encoded(), f"{folder}/{FILE_NAME}")
    _put_bytes(phone, msgspec.json.encode(wanted), f"{folder}/{PUSHED}")


def _listed(raw: bytes | None) -> dict[str, str]:
    """Return what the list on a phone says; nothing where it says nothing that can be read."""
    try:
        return msgspec.json.decode(raw or b"{}", type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _put_bytes(phone: Phone, raw: bytes, path: str) -> None:
    with tempfile.TemporaryDirectory(prefix="styleexport-phone-") as folder:
        source = Path(folder) / Path(path).name
        source.write_bytes(raw)
        phone.put(source, path)


def refuse_hot(phone: Phone, state: StateFact, ask: MeasureRequest) -> None:
    """Refuse a phone that slows itself down, where that was not allowed.

    Raises:
        DeviceError: it is hot.
    """
    if _is_hot(state) and not ask.device.allow_hot:
        assert state.thermal is not None
        raise DeviceError(
            f"{phone.name} is hot (thermal status {state.thermal.value:g} of its own scale) and "
            "slows itself down: let it cool, or type --allow-hot"
        )


def _is_hot(state: StateFact) -> bool:
    thermal: ThermalFact | None = state.thermal
    return thermal is not None and thermal.value >= HOT.get(thermal.scale, float("inf"))


def _wait(phone: Phone, job: JobFact, progress: Progress, pace: Timeouts) -> None:
    """Wait for the report.

    Raises:
        DeviceError: the app ended or hangs, or the phone is gone.
    """
    limit = pace.limit(job)
    begun = seen = pace.clock()
    said, gone = "", 0
    try:
        while pace.clock() - begun < limit:
            try:
                sign = phone.sign(job.nonce)
            except DeviceUnreachable as away:
                if pace.clock() - seen > pace.away:
                    raise _lost(phone, away) from away
                pace.sleep(pace.poll)
                continue
            seen = pace.clock()
            if sign.error is not None:
                raise DeviceError(
                    f"the app on {phone.name} cannot do the job: {_short(sign.error)}"
                )
            if sign.done:
                return
            if sign.progress and sign.progress != said:
                said = sign.progress
                progress(f"{phone.name}: {_short(said)}")
            gone = gone + 1 if sign.alive is False else 0
            if gone >= GONE_LOOKS:
                raise DeviceError(_ended(phone, said))
            pace.sleep(pace.poll)
    except (KeyboardInterrupt, SystemExit):
        phone.stop()
        raise
    phone.stop()
    raise DeviceError(
        f"{phone.name} sent no report within {limit:.0f} s: measure fewer files, or smaller ones "
        "with --size"
    )


def _lost(phone: Phone, away: DeviceUnreachable) -> DeviceError:
    return DeviceError(
        f"{phone.name} was lost while it measured ({away}): connect it again, unlock it, and "
        "measure again"
    )


def _ended(phone: Phone, said: str) -> str:
    last = f"; it last said: {_short(said)}" if said else ""
    hint = (
        "`adb logcat -b crash -d` says why" if phone.harness == "android" else "see its crash log"
    )
    return f"the app on {phone.name} ended before it wrote a report{last}; {hint}"


def _short(text: str) -> str:
    return " ".join(text.split())[:300]


def _filled(told: StateFact, seen: StateFact) -> StateFact:
    """Return what the app told of the phone, and of what it left out what the host saw."""
    missing = {
        name: value
        for name, value in msgspec.structs.asdict(seen).items()
        if value and getattr(told, name) in (None, {})
    }
    return msgspec.structs.replace(told, **missing)
