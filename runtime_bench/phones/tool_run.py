"""Measuring with a runtime's own benchmark program on an Android phone, without the app.

Such programs feed random numbers and print no output, so nothing proves that the file computes the
right thing. Their cells state this and have no parity.
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
from styleexport.core.types import Progress
from styleexport.runtime_bench.contract.doubts import doubts_of_report
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
from styleexport.runtime_bench.phones.android_phone import AndroidPhone, is_emulator
from styleexport.runtime_bench.phones.measuring import job_of, refuse_conditions
from styleexport.runtime_bench.phones.phone import Conditions
from styleexport.runtime_bench.phones.tools import Tool, ToolCall, ToolOutput, tool_of

PLACE = "/data/local/tmp"
RUN_SECONDS = 600.0
UNPROVEN = (
    "nothing proves this cell: the program feeds random numbers and shows no output; "
    "--runner android with the app checks the probe"
)


@dataclass
class _CellRun:
    """A cell being measured, with the output of its calls.

    Attributes:
        cell: cell of the job.
        turns: outputs of the calls of each turn.
        refused: why it cannot be measured; "" where it can.
    """

    cell: JobCell
    turns: list[list[ToolOutput]] = field(default_factory=list[list[ToolOutput]])
    refused: str = ""

    @property
    def path(self) -> str:
        """Path of the file below the artifact."""
        return self.cell.subject.path

    def fact(self) -> CellFact:
        """Return the cell of the report."""
        cell = self.cell
        fact = CellFact(
            subject=cell.subject,
            runner=cell.runner,
            requested=cell.requested,
            size=cell.size,
            status="unavailable",
            message=self.refused[:400],
        )
        if self.refused:
            return fact
        calls = [output for turn in self.turns for output in turn]
        return msgspec.structs.replace(
            fact,
            status="measured",
            message=UNPROVEN,
            effective=dict(calls[0].effective),
            loads_ns=tuple(output.load_ns for output in calls if output.load_ns is not None),
            first_ns=calls[0].first_ns,
            rounds_ns=tuple(
                tuple(ns for output in turn for ns in output.samples_ns) for turn in self.turns
            ),
        )


def measure_with_tool(
    phone: AndroidPhone, request: MeasureRequest, binary: Path, progress: Progress
) -> LatencyReport:
    """Return the report of a benchmark program on a phone.

    Args:
        phone: connected phone.
        request: cells to measure, and how; a turn takes ``min_samples`` and ignores ``seconds``.
        binary: the program, built for the phone.
        progress: receives lines of progress.

    Raises:
        DeviceError: there is a doubt about the phone's conditions, or it is full or gone.
        UsageError: the program is unknown, or runs none of the files.
    """
    tool = tool_of(binary)
    job = job_of(request, phone.harness, secrets.token_hex(8))
    runs = _runs(job, tool)
    emulator = is_emulator(phone.properties)
    # A program of its own is not the app: whether that is debuggable does not matter.
    before = phone.state()
    refuse_conditions(phone.name, Conditions(before, emulator=emulator), request)
    created = datetime.datetime.now(datetime.UTC)
    place = f"{PLACE}/styleexport-{job.nonce}"
    try:
        _send(phone, request.artifact, binary, place, runs, progress)
        _run_rounds(phone, tool, job, place, runs, progress)
    finally:
        phone.adb.shell(f"rm -rf {place}")
    report = LatencyReport(
        schema_version=1,
        harness=HarnessFact(name="android", version=job.version, commit=job.commit),
        created=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        command=job.command,
        machine=msgspec.structs.replace(machine_of(phone, binary.name), emulator=emulator),
        before=before,
        after=_state(phone),
        protocol=_protocol(job, tool),
        cells=tuple(run.fact() for run in runs),
    )
    return msgspec.structs.replace(report, doubts=tuple(doubts_of_report(report)))


def _runs(job: JobFact, tool: Tool) -> list[_CellRun]:
    """Return the runs of a job's cells; those with files of another format are refused.

    Raises:
        UsageError: the tool runs none of them.
    """
    other = f"{tool.name} runs {tool.suffix} files"
    fits = [Path(cell.subject.path).suffix == tool.suffix for cell in job.cells]
    if not any(fits):
        raise UsageError(f"{other}, and none was asked for")
    return [
        _CellRun(cell, refused="" if fit else other)
        for cell, fit in zip(job.cells, fits, strict=True)
    ]


def _send(
    phone: AndroidPhone,
    artifact: Path,
    binary: Path,
    place: str,
    runs: list[_CellRun],
    progress: Progress,
) -> None:
    progress(f"{phone.name}: sending {binary.name}")
    phone.push(binary, f"{place}/{binary.name}")
    for path in dict.fromkeys(run.path for run in runs if not run.refused):
        phone.push(artifact / path, f"{place}/{path}")
    phone.shell(f"mv {place}/{binary.name} {place}/program; chmod 755 {place}/program")


def _run_rounds(
    phone: AndroidPhone,
    tool: Tool,
    job: JobFact,
    place: str,
    runs: list[_CellRun],
    progress: Progress,
) -> None:
    order = random.Random(job.plan.seed)
    for number in range(job.plan.rounds):
        active = [run for run in runs if not run.refused]
        order.shuffle(active)
        progress(f"{phone.name}: {number + 1}/{job.plan.rounds} rounds of {len(active)}")
        for run in active:
            try:
                run.turns.append(_turn(phone, tool, job, place, run.cell))
            except (DeviceError, UsageError) as error:
                run.refused = str(error)


def _turn(
    phone: AndroidPhone, tool: Tool, job: JobFact, place: str, cell: JobCell
) -> list[ToolOutput]:
    """Return the outputs of one turn's calls.

    Raises:
        DeviceError: a call failed.
        UsageError: the program cannot run with these settings.
    """
    if others := sorted(cell.requested.keys() - {"delegate"}):
        raise UsageError(f"{', '.join(others)}: settings of the app; {tool.name} takes delegate")
    samples = tool.at_once or job.plan.min_samples
    call = ToolCall(
        program=f"{place}/program",
        file=f"{place}/{cell.subject.path}",
        delegate=cell.requested.get("delegate", "cpu"),
        threads=job.plan.threads,
        samples=samples,
        result=f"{place}/result.csv",
    )
    command = tool.command(call)
    calls = range(-(-job.plan.min_samples // samples))
    return [tool.parse(phone.shell(command, RUN_SECONDS).out, call) for _ in calls]


def _state(phone: AndroidPhone) -> StateFact:
    """Return the state at the end; the samples are kept even where the phone is gone by then."""
    try:
        return phone.state()
    except DeviceError:
        return StateFact()


def machine_of(phone: AndroidPhone, program: str) -> MachineFact:
    """Return the phone as a report describes it, from its system properties.

    Raises:
        DeviceError: it is gone.
    """
    output, properties = phone.shell("nproc; cat /proc/meminfo").out, phone.properties
    cores = re.match(r"\s*(\d+)", output)
    memory = re.search(r"MemTotal:\s+(\d+) kB", output)
    maker = properties.get("ro.product.manufacturer", "")
    model = properties.get("ro.product.model", "")
    release = properties.get("ro.build.version.release", "?")
    api = properties.get("ro.build.version.sdk", "?")
    return MachineFact(
        device=f"{maker} {model}".strip() or "Android phone",
        os=f"Android {release} (API {api})",
        processor=properties.get("ro.soc.model") or properties.get("ro.board.platform", "unknown"),
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
