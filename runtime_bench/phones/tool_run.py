"""A latency report from a runtime's own benchmark program on an Android phone, without the app.

Such programs feed random numbers and show no output: nothing proves that what they time is right.
Their cells say so and bear no parity.
"""

from __future__ import annotations

import datetime
import random
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from styleexport.core.errors import DeviceError, UsageError
from styleexport.core.manifest import read_manifest
from styleexport.core.types import Progress
from styleexport.runtime_bench.contract.job import JobCell, JobFact
from styleexport.runtime_bench.contract.latency import (
    CellFact,
    HarnessFact,
    LatencyReport,
    MachineFact,
    ProtocolFact,
    StateFact,
)
from styleexport.runtime_bench.contract.remote import MeasureRequest
from styleexport.runtime_bench.phones.android_phone import AndroidPhone
from styleexport.runtime_bench.phones.measuring import job_of, refuse_hot
from styleexport.runtime_bench.phones.tools import Call, Tool, ToolOutput, tool_of

PLACE = "/data/local/tmp"
RUN_SECONDS = 600.0
UNPROVEN = (
    "nothing proves this cell: the program feeds random numbers and shows no output; "
    "--runner android with the app checks the probe"
)


@dataclass
class _Cell:
    """A cell while it is measured."""

    wish: JobCell
    told: list[list[ToolOutput]] = field(default_factory=list[list[ToolOutput]])
    refused: str = ""

    def fact(self) -> CellFact:
        """Return what the report says of it."""
        wish = self.wish
        fact = CellFact(
            subject=wish.subject,
            runner=wish.runner,
            requested=wish.requested,
            size=wish.size,
            status="unavailable",
            message=self.refused[:400],
        )
        if self.refused:
            return fact
        calls = [told for turn in self.told for told in turn]
        return msgspec.structs.replace(
            fact,
            status="measured",
            message=UNPROVEN,
            effective=dict(calls[0].effective),
            loads_ns=tuple(told.load_ns for told in calls if told.load_ns is not None),
            first_ns=calls[0].first_ns,
            rounds_ns=tuple(
                tuple(ns for told in turn for ns in told.samples_ns) for turn in self.told
            ),
        )


def measure_with_tool(
    phone: AndroidPhone, ask: MeasureRequest, binary: Path, progress: Progress
) -> LatencyReport:
    """Return what a benchmark program measured on a phone.

    Args:
        phone: that is there.
        ask: what to measure, and how; a turn takes ``min_samples``, its seconds are not held.
        binary: the program, built for the phone.
        progress: is told how far it is.

    Raises:
        BadArtifact: the artifact is not whole.
        DeviceError: the phone is hot, full or gone.
        UsageError: the program is not known, or runs none of the files.
    """
    tool = tool_of(binary)
    manifest = read_manifest(ask.artifact)
    suffixes = {Path(cell.path).suffix for cell in ask.cells}
    job = job_of(ask, manifest, suffixes, phone.harness, secrets.token_hex(8))
    cells = _cells(job, tool)
    before = phone.state()
    refuse_hot(phone, before, ask)
    created = datetime.datetime.now(datetime.UTC)
    place = f"{PLACE}/styleexport-{job.nonce}"
    try:
        _send(phone, ask.artifact, binary, place, cells, progress)
        _rounds(phone, tool, job, place, cells, progress)
    finally:
        phone.adb.shell(f"rm -rf {place}")
    return LatencyReport(
        schema_version=1,
        harness=HarnessFact(name="android", version=job.version, commit=job.commit),
        created=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        command=job.command,
        machine=machine_of(phone, binary.name),
        before=before,
        after=_state(phone),
        protocol=_protocol(job, tool),
        cells=tuple(cell.fact() for cell in cells),
    )


def _cells(job: JobFact, tool: Tool) -> list[_Cell]:
    """Return the cells of a job; a tool refuses files of another format.

    Raises:
        UsageError: it runs none of them.
    """
    other = f"{tool.name} runs {tool.suffix} files"
    fits = [Path(wish.subject.path).suffix == tool.suffix for wish in job.cells]
    if not any(fits):
        raise UsageError(f"{other}, and none was asked for")
    return [
        _Cell(wish, refused="" if fit else other) for wish, fit in zip(job.cells, fits, strict=True)
    ]


def _send(
    phone: AndroidPhone,
    artifact: Path,
    binary: Path,
    place: str,
    cells: list[_Cell],
    progress: Progress,
) -> None:
    progress(f"{phone.name}: sending {binary.name}")
    phone.push(binary, f"{place}/{binary.name}")
    for path in dict.fromkeys(cell.wish.subject.path for cell in cells if not cell.refused):
        phone.push(artifact / path, f"{place}/{path}")
    phone.ask(f"mv {place}/{binary.name} {place}/program; chmod 755 {place}/program")


def _rounds(
    phone: AndroidPhone,
    tool: Tool,
    job: JobFact,
    place: str,
    cells: list[_Cell],
    progress: Progress,
) -> None:
    order = random.Random(job.plan.seed)
    for number in range(job.plan.rounds):
        playing = [cell for cell in cells if not cell.refused]
        order.shuffle(playing)
        progress(f"{phone.name}: {number + 1}/{job.plan.rounds} rounds of {len(playing)}")
        for cell in playing:
            try:
                cell.told.append(_turn(phone, tool, job, place, cell.wish))
            except (DeviceError, UsageError) as error:
                cell.refused = str(error)


def _turn(
    phone: AndroidPhone, tool: Tool, job: JobFact, place: str, wish: JobCell
) -> list[ToolOutput]:
    """Return the calls of one turn.

    Raises:
        DeviceError: a call failed.
        UsageError: the program cannot run with these settings.
    """
    samples = tool.at_once or job.plan.min_samples
    call = Call(
        program=f"{place}/program",
        file=f"{place}/{wish.subject.path}",
        delegate=wish.requested.get("delegate", "cpu"),
        threads=job.plan.threads,
        samples=samples,
        result=f"{place}/result.csv",
    )
    command = tool.command(call)
    calls = range(-(-job.plan.min_samples // samples))
    return [tool.told(phone.ask(command, RUN_SECONDS).out, call) for _ in calls]


def _state(phone: AndroidPhone) -> StateFact:
    """Return the state at the end; a phone that is gone then takes no samples with it."""
    try:
        return phone.state()
    except DeviceError:
        return StateFact()


def machine_of(phone: AndroidPhone, program: str) -> MachineFact:
    """Return the phone as its properties tell it.

    Raises:
        DeviceError: it is gone.
    """
    told, found = phone.ask("nproc; cat /proc/meminfo").out, phone.properties
    cores = re.match(r"\s*(\d+)", told)
    memory = re.search(r"MemTotal:\s+(\d+) kB", told)
    maker, model = found.get("ro.product.manufacturer", ""), found.get("ro.product.model", "")
    release, api = (
        found.get("ro.build.version.release", "?"),
        found.get("ro.build.version.sdk", "?"),
    )
    return MachineFact(
        device=f"{maker} {model}".strip() or "Android phone",
        os=f"Android {release} (API {api})",
        processor=found.get("ro.soc.model") or found.get("ro.board.platform", "unknown"),
        cores=int(cores[1]) if cores else 0,
        memory_bytes=int(memory[1]) * 1024 if memory else 0,
        versions={"program": program[:200]},
    )


def _protocol(job: JobFact, tool: Tool) -> ProtocolFact:
    return ProtocolFact(
        rounds=job.plan.rounds,
        seconds=0.0,
        min_samples=job.plan.min_samples,
        warm_up=tool.warm_up,
        interleaved=True,
        own_process=True,
        clock=f"of {tool.name}",
        clock_resolution_ns=1000.0,
    )
