"""Measuring conditions of two latency reports: what may part them besides the files."""

from __future__ import annotations

from collections.abc import Iterator

from styleexport.core.errors import UsageError
from styleexport.runtime_bench.contract.doubts import doubts_of_report
from styleexport.runtime_bench.contract.latency import LatencyReport

# Names of the parts of `MachineFact.identity`, in its order.
MACHINE = ("device", "system", "processor", "cores")


def notes(before: LatencyReport, after: LatencyReport) -> tuple[str, ...]:
    """Return one line for each measuring condition that differs or is doubtful."""
    pairs = [
        ("harness version", before.harness.version, after.harness.version),
        ("number of rounds", before.protocol.rounds, after.protocol.rounds),
        ("seconds per round", before.protocol.seconds, after.protocol.seconds),
        ("interleaved", before.protocol.interleaved, after.protocol.interleaved),
        ("a process for each cell", before.protocol.own_process, after.protocol.own_process),
        ("clock", before.protocol.clock, after.protocol.clock),
        ("governor", before.before.governor, after.before.governor),
        ("charging", before.before.charging, after.before.charging),
        ("debuggable build", before.harness.debuggable, after.harness.debuggable),
        ("low power mode", before.before.low_power, after.before.low_power),
        *zip(MACHINE, before.machine.identity, after.machine.identity, strict=True),
    ]
    versions, others = before.machine.versions, after.machine.versions
    for name in sorted({*versions, *others}):
        pairs.append((name, versions.get(name, "not there"), others.get(name, "not there")))
    different = [
        f"{name} differs: {_or_unknown(first)}, then {_or_unknown(second)}"
        for name, first, second in pairs
        if first != second
    ]
    return (
        *_load_warning("first", before),
        *_doubts("first", before),
        *_load_warning("second", after),
        *_doubts("second", after),
        *different,
    )


def check_same_machine(before: LatencyReport, after: LatencyReport) -> None:
    """Check that two reports are of one machine.

    Raises:
        UsageError: they are of different machines.
    """
    pairs = zip(MACHINE, before.machine.identity, after.machine.identity, strict=True)
    different = [
        f"{name} {first!r} and {second!r}" for name, first, second in pairs if first != second
    ]
    if different:
        raise UsageError(
            f"the reports are of different machines: {', '.join(different)}; a difference would "
            "say nothing of the files: measure on one machine, or add --across-machines"
        )


def _load_warning(which: str, report: LatencyReport) -> Iterator[str]:
    load, cores = report.before.load_average, report.machine.cores
    if load is not None and load > cores / 2:
        yield (
            f"the {which} report was measured on a busy machine, load {load:.1f} on {cores} cores: "
            "trust no difference of it"
        )


def _doubts(which: str, report: LatencyReport) -> Iterator[str]:
    for name, reason in doubts_of_report(report).items():
        yield f"the phone of the {which} report is doubtful: {reason} [{name}]"


def _or_unknown(value: object) -> str:
    return "unknown" if value is None else str(value)
