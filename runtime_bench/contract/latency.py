"""Latency report: raw samples measured by a desktop, a browser or a phone, in one JSON document.

The structs are the schema: `docs/latency.schema.json` is generated from them, every harness writes
it, and reading validates against it. A harness sends samples and no statistics; `stats.py` computes
those.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from styleexport.core.documents import DocumentKind, read_document
from styleexport.core.errors import BadArtifact
from styleexport.core.files import Product, json_product, replace_file
from styleexport.core.input_files import read_input
from styleexport.core.manifest import FileFact, Manifest, ParityFact, Sha256, SizeFact
from styleexport.core.notebook import html_table
from styleexport.core.schema import schema_of
from styleexport.core.types import Precision, Role
from styleexport.runtime_bench.contract.runner_choice import RunnerChoice

SCHEMA_VERSION = 1

Nanoseconds = Annotated[int, Meta(ge=0, le=10**15, description="monotonic nanoseconds")]
# Below what a signed integer of 64 bits holds, in every language.
Count = Annotated[int, Meta(ge=0, le=2**62)]
Samples = Annotated[tuple[Nanoseconds, ...], Meta(max_length=1_000_000)]
# Short texts only: reports also come from the network.
Text = Annotated[str, Meta(max_length=400)]
Facts = Annotated[dict[Text, Text], Meta(max_length=100)]
Picture = Annotated[
    str,
    Meta(max_length=400_000, pattern=r"^[A-Za-z0-9+/=]*$", description="a PNG or JPEG in base64"),
]
Status = Literal["measured", "wrong", "unavailable", "failed", "out-of-memory"]
# Of the table that a notebook shows.
COLUMNS = ("file", "runner", "size", "median ms", "parity", "status")
Doubt = Literal["debuggable", "emulator", "low-battery", "thermal"]


class _Fact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all structs of the report."""


class HarnessFact(_Fact, frozen=True, kw_only=True):
    """Harness that measured.

    Attributes:
        name: kind of harness.
        version: version of the harness.
        commit: commit it was built from; None where it is unknown.
        debuggable: whether an app was built for debugging; None where it is unknown.
    """

    name: Literal["desktop", "browser", "android", "ios", "aihub"]
    version: Text
    commit: Text | None = None
    debuggable: bool | None = None


class MachineFact(_Fact, frozen=True, kw_only=True):
    """Machine that was measured; reports with equal `identity` come from the same machine.

    Attributes:
        device: model of the computer or phone, as far as it is known.
        os: name and version of the operating system.
        processor: model of the CPU or system on a chip.
        cores: number of logical processors available to the harness.
        memory_bytes: memory of the machine, or of the container it is confined to.
        accelerators: GPUs and neural engines that were detected.
        features: instruction-set features that runtimes choose kernels by, and browser features.
        versions: versions of the runtimes, the system and the drivers.
        emulator: whether the device is an emulator or simulator; None where it is unknown.
    """

    device: Text
    os: Text
    processor: Text
    cores: Count
    memory_bytes: Count
    accelerators: tuple[Text, ...] = ()
    features: tuple[Text, ...] = ()
    versions: Facts = {}
    emulator: bool | None = None

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """Facts that must be equal for two reports to be compared."""
        return (self.device, self.os.partition(" ")[0], self.processor, self.cores)


class ThermalFact(_Fact, frozen=True, kw_only=True):
    """Thermal state, on the scale of the operating system.

    Attributes:
        scale: ``android`` is 0 (none) to 6 (shutdown), ``apple`` 0 (nominal) to 3 (critical),
            ``celsius`` the temperature of the hottest sensor.
        value: value on that scale.
    """

    scale: Literal["android", "apple", "celsius"]
    value: float


class StateFact(_Fact, frozen=True, kw_only=True):
    """Machine state before or after measuring; None where the system does not report a value.

    Attributes:
        load_average: load average of the last minute.
        thermal: thermal state.
        temperatures_celsius: temperature of each sensor.
        frequency_mhz: current CPU frequency.
        governor: CPU frequency governor.
        battery_percent: battery level, 0..100.
        charging: whether the device is on external power.
        low_power: whether the system is in low-power mode.
        free_memory_bytes: memory that could be allocated.
    """

    load_average: float | None = None
    thermal: ThermalFact | None = None
    temperatures_celsius: dict[Text, float] = {}
    frequency_mhz: float | None = None
    governor: Text | None = None
    battery_percent: float | None = None
    charging: bool | None = None
    low_power: bool | None = None
    free_memory_bytes: Count | None = None


class ProtocolFact(_Fact, frozen=True, kw_only=True):
    """Measuring protocol.

    Attributes:
        rounds: number of rounds; every cell had one turn per round.
        seconds: minimum length of a turn.
        min_samples: minimum number of samples per turn.
        warm_up: warm-up rule, in words.
        interleaved: whether cells took turns, in a new order each round.
        own_process: whether each cell ran in a process of its own.
        clock: name of the clock.
        clock_resolution_ns: resolution of the clock.
    """

    rounds: Annotated[int, Meta(ge=1)]
    seconds: Annotated[float, Meta(ge=0)]
    min_samples: Annotated[int, Meta(ge=1)]
    warm_up: Text
    interleaved: bool
    own_process: bool
    clock: Text
    clock_resolution_ns: Annotated[float, Meta(ge=0)]


class PeakFact(_Fact, frozen=True, kw_only=True):
    """Peak throughput of the machine, measured in the same run, in GMAC/s.

    Attributes:
        threads: number of threads.
        fp32_gmacs: rate of a large float32 product or convolution; None where it was not measured.
        int8_gmacs: rate of the same in int8.
        method: how it was measured.
    """

    threads: Annotated[int, Meta(ge=1)]
    fp32_gmacs: float | None
    int8_gmacs: float | None
    method: Text


class SubjectFact(_Fact, frozen=True, kw_only=True):
    """Measured file, as the manifest of its artifact describes it.

    Attributes:
        network: name of the network.
        source_sha256: sha256 of the weights.
        path: path below the artifact directory.
        sha256: sha256 of the file.
        target: file format.
        precision: precision of the convolutions.
        role: role of the graph.
        size_bytes: size of the file.
        parameters: number of weights and biases.
        macs: multiply-accumulates per picture at the cell's size; 0 where unknown.
        int8_mac_share: share of the MACs computed in integers, 0..1.
        quality_db: PSNR against the float network on the quality pictures; None where it was not
            judged.
        style_change: relative change of the style distance, from the same comparison.
    """

    network: Text
    source_sha256: Sha256
    path: Text
    sha256: Sha256
    target: Text
    precision: Precision
    role: Role
    size_bytes: Count
    parameters: Count
    macs: Count
    int8_mac_share: float
    quality_db: float | None = None
    style_change: float | None = None

    @classmethod
    def of(cls, manifest: Manifest, fact: FileFact) -> SubjectFact:
        """Return an exported file as a report describes it."""
        quality = fact.quality
        return cls(
            network=manifest.network.name,
            source_sha256=manifest.network.source_sha256,
            path=fact.path,
            sha256=fact.sha256,
            target=fact.target,
            precision=fact.precision,
            role=fact.role,
            size_bytes=fact.size_bytes,
            parameters=fact.parameters,
            macs=fact.macs,
            int8_mac_share=fact.int8_mac_share,
            quality_db=quality.psnr_db if quality else None,
            style_change=quality.style_change if quality else None,
        )


class OperationFact(_Fact, frozen=True, kw_only=True):
    """One operation of a profiled run.

    Attributes:
        layer: layer of the captured network that it computes; the runtime's own name where none is
            known.
        op: name of the kernel in the runtime.
        time_ns: median time over the profiled runs.
        macs: multiply-accumulates; 0 where it has none.
        delegate: part of the runtime that ran it.
    """

    layer: Text
    op: Text
    time_ns: Nanoseconds
    macs: Count = 0
    delegate: Text = ""


class CellFact(_Fact, frozen=True, kw_only=True):
    """Measured cell: one file on one runner at one size, with settings and every sample.

    Attributes:
        subject: the measured file.
        runner: name of the runner.
        requested: requested runner settings.
        effective: settings as the runtime reports them; they may differ from the requested ones.
        size: picture size.
        batch: number of pictures per inference.
        status: ``measured`` alone has samples; ``wrong`` failed the artifact's probes,
            ``unavailable`` cannot run here, ``failed`` broke, ``out-of-memory`` ran out of it.
        message: reason for the status, in one line.
        parity: parity on the artifact's probes.
        loads_ns: load times, from reading the file until it is ready to run; the first is cold.
        compile_ns: time of compiling for the device, where the runtime does so apart from loading.
        first_ns: first inference after loading.
        warm_up_ns: warm-up inferences, without the first.
        rounds_ns: inference times of each round.
        pre_ns: time per sample to convert float32 pictures [N, 3, H, W] to the runtime's inputs.
        post_ns: time per sample to convert the runtime's outputs to float32 [N, 3, H, W].
        peak_rss_bytes: peak resident memory of the process.
        idle_rss_bytes: resident memory of the process before the file was loaded.
        energy_joules: energy of the machine over all rounds of this cell; None where the system
            does not report it.
        placement: share of the work per compute unit or delegate, 0..1, where the system reports
            it.
        operations: operations of a profiled run.
        picture: output on the probe, at most 256 pixels wide.
    """

    subject: SubjectFact
    runner: Text
    requested: Facts = {}
    effective: Facts = {}
    size: SizeFact
    batch: Annotated[int, Meta(ge=1)] = 1
    status: Status
    message: Text = ""
    parity: ParityFact | None = None
    loads_ns: Samples = ()
    compile_ns: Nanoseconds | None = None
    first_ns: Nanoseconds | None = None
    warm_up_ns: Samples = ()
    rounds_ns: Annotated[tuple[Samples, ...], Meta(max_length=10_000)] = ()
    pre_ns: Samples = ()
    post_ns: Samples = ()
    peak_rss_bytes: Count | None = None
    idle_rss_bytes: Count | None = None
    energy_joules: float | None = None
    placement: dict[Text, float] = {}
    operations: Annotated[tuple[OperationFact, ...], Meta(max_length=5_000)] = ()
    picture: Picture | None = None

    def __post_init__(self) -> None:
        if self.status == "measured" and not any(self.rounds_ns):
            raise ValueError("a cell that was measured must hold samples")

    @property
    def samples_ns(self) -> tuple[int, ...]:
        """All inference times, in the order they were taken."""
        return tuple(sample for samples in self.rounds_ns for sample in samples)

    @property
    def median_ms(self) -> str:
        """Median of all inference times in ms, in words; "" where there are none."""
        samples = self.samples_ns
        return f"{statistics.median(samples) / 1e6:.2f}" if samples else ""

    @property
    def runner_label(self) -> str:
        """Runner with its requested settings: ``onnxruntime:provider=xnnpack``."""
        return str(RunnerChoice(self.runner, self.requested))

    @property
    def key(self) -> tuple[str, ...]:
        """Key by which cells of two reports are compared."""
        subject = self.subject
        return (
            subject.network,
            subject.target,
            subject.precision,
            subject.role,
            str(self.size.size()),
            str(self.batch),
            self.runner_label,
        )


def _label(cell: CellFact) -> str:
    return f"{cell.subject.path} on {cell.runner_label} at {cell.size.size()}"


class LatencyReport(_Fact, frozen=True, kw_only=True):
    """Latency report: everything that one run of a harness measured.

    Attributes:
        schema_version: schema version of the report.
        harness: harness that measured.
        created: start of the run, UTC, ISO 8601.
        nonce: one-time token of the job, in reports that a device sends.
        command: command line that was typed.
        machine: machine that was measured.
        before: machine state before the run.
        after: machine state after the run.
        protocol: measuring protocol.
        peak: peak throughput of the machine; None where it was not measured.
        doubts: measuring conditions of a phone that make its times doubtful: suppressed by name, or
            come about while it was measured.
        cells: measured cells, in the order of the request.
    """

    schema_version: Literal[1]
    harness: HarnessFact
    created: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$")]
    nonce: Text | None = None
    command: Text = ""
    machine: MachineFact
    before: StateFact
    after: StateFact
    protocol: ProtocolFact
    peak: PeakFact | None = None
    doubts: Annotated[tuple[Doubt, ...], Meta(max_length=10)] = ()
    cells: Annotated[tuple[CellFact, ...], Meta(min_length=1, max_length=10_000)]

    def __repr__(self) -> str:
        measured = [cell for cell in self.cells if cell.status == "measured"]
        count = len(self.cells)
        times = f"{len(measured)} measured of {count} cells"
        if count == 1 and measured:
            times = f"{_label(measured[0])} {measured[0].median_ms} ms"
        return f"<LatencyReport of {self.machine.processor}, {self.created}: {times}>"

    def _repr_html_(self) -> str:
        """Return a table of the cells, as notebooks show it."""
        rows = [
            (
                *(cell.subject.path, cell.runner_label, str(cell.size.size()), cell.median_ms),
                f"{cell.parity.measured_db:.1f} dB" if cell.parity else "",
                cell.message or cell.status,
            )
            for cell in self.cells
        ]
        return html_table(f"{self.machine.processor}, {self.created}", COLUMNS, rows)

    def encoded(self) -> bytes:
        """Return the report as JSON, ending in a newline."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


REPORT = DocumentKind(
    struct=LatencyReport,
    version=SCHEMA_VERSION,
    name="a latency report",
    version_name="report schema version",
    if_outdated="measure again with this version of styleexport",
    if_damaged="make one with `styleexport bench`",
)


def report_from_json(raw: bytes, source: str) -> LatencyReport:
    """Return a report from JSON.

    Args:
        raw: the JSON.
        source: where the bytes came from, for messages.

    Raises:
        BadArtifact: it is not a report, or one of another schema version.
    """
    return read_document(raw, REPORT, source)


def read_report(path: Path) -> LatencyReport:
    """Return a report from a file.

    Raises:
        BadArtifact: the file cannot be read, or is not a report.
    """
    raw = read_input(path, error=BadArtifact, remedy="make a report with `styleexport bench`")
    return report_from_json(raw, str(path))


PRODUCT = json_product("a latency report", "schema_version", "harness", "cells")


def write_report(report: LatencyReport, path: Path, product: Product = PRODUCT) -> None:
    """Write a report atomically.

    Args:
        report: the report.
        path: file to write.
        product: what may be replaced.

    Raises:
        UsageError: something else is there.
    """
    with replace_file(path, product) as part:
        part.write_bytes(report.encoded())


def json_schema() -> bytes:
    """Return the report's JSON Schema, indented."""
    return schema_of(LatencyReport)
