"""The latency report: what a machine, a browser or a phone measured, as raw samples in one JSON.

The structs are the schema: `docs/latency.schema.json` is generated from them, every harness writes
it, and reading validates against it. A harness sends samples and computes no statistic of them;
`stats.py` does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from styleexport.core.errors import BadArtifact
from styleexport.core.files import replace_file
from styleexport.core.manifest import FileFact, Manifest, ParityFact, Sha256, SizeFact
from styleexport.core.schema import schema_of
from styleexport.core.types import MAX_SIDE, Precision, Role

SCHEMA_VERSION = 1

Nanoseconds = Annotated[int, Meta(ge=0, le=10**15, description="monotonic nanoseconds")]
# Below what a signed integer of 64 bits holds, in every language.
Count = Annotated[int, Meta(ge=0, le=2**62)]
Samples = Annotated[tuple[Nanoseconds, ...], Meta(max_length=1_000_000)]
# A few words, never a page: reports also come from the network.
Text = Annotated[str, Meta(max_length=400)]
Facts = Annotated[dict[Text, Text], Meta(max_length=100)]
Picture = Annotated[
    str,
    Meta(max_length=400_000, pattern=r"^[A-Za-z0-9+/=]*$", description="a PNG or JPEG in base64"),
]
Status = Literal["measured", "wrong", "unavailable", "failed", "out-of-memory"]


class _Fact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What all structs of the report have in common."""


class HarnessFact(_Fact, frozen=True, kw_only=True):
    """What measured.

    Attributes:
        name: of the harness.
        version: of it.
        commit: that it was built from; None where nobody knows.
    """

    name: Literal["desktop", "browser", "android", "ios"]
    version: Text
    commit: Text | None = None


class MachineFact(_Fact, frozen=True, kw_only=True):
    """What it was measured on; two reports are of one machine when `identity` is the same.

    Attributes:
        device: model of the computer or phone, or what of it is known.
        os: name and version.
        processor: model of the CPU or system on a chip.
        cores: logical processors that the harness may use.
        memory_bytes: of the machine, or of the container it is confined to.
        accelerators: GPUs and neural engines that were found.
        features: of the instruction set that runtimes choose kernels by, and of the browser.
        versions: of the runtimes, the system and the driver.
    """

    device: Text
    os: Text
    processor: Text
    cores: Count
    memory_bytes: Count
    accelerators: tuple[Text, ...] = ()
    features: tuple[Text, ...] = ()
    versions: Facts = {}

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """What must agree for two reports to be compared."""
        return (self.device, self.os.partition(" ")[0], self.processor, self.cores)


class ThermalFact(_Fact, frozen=True, kw_only=True):
    """How hot the device says it is, on a scale of its own.

    Attributes:
        scale: ``android`` is 0 (none) to 6 (shutdown), ``apple`` 0 (nominal) to 3 (critical),
            ``celsius`` the hottest sensor.
        value: on that scale.
    """

    scale: Literal["android", "apple", "celsius"]
    value: float


class StateFact(_Fact, frozen=True, kw_only=True):
    """What may disturb a measurement, before or after it; None is what the system does not tell.

    Attributes:
        load_average: of the last minute.
        thermal: how hot.
        temperatures_celsius: by sensor.
        frequency_mhz: of the CPU, now.
        governor: of its frequency.
        battery_percent: 0..100.
        charging: whether on mains.
        low_power: whether the system saves power.
        free_memory_bytes: that could be allocated.
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
    """How it was measured.

    Attributes:
        rounds: how often every cell had its turn; a turn of each makes one round.
        seconds: that a turn lasts at least.
        min_samples: that a turn takes at least.
        warm_up: when a cell counts as warm, in words.
        interleaved: whether cells took turns, in a new order each round.
        own_process: whether each cell ran in a process of its own.
        clock: that was read.
        clock_resolution_ns: of it.
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
    """What the machine could do at best, measured in the same run, in GMAC/s.

    Attributes:
        threads: that were used.
        fp32_gmacs: of a large float product or convolution; None where it was not measured.
        int8_gmacs: of the same in int8.
        method: how it was measured.
    """

    threads: Annotated[int, Meta(ge=1)]
    fp32_gmacs: float | None
    int8_gmacs: float | None
    method: Text


class SubjectFact(_Fact, frozen=True, kw_only=True):
    """The file that was measured, as the manifest of its artifact describes it.

    Attributes:
        network: name.
        source_sha256: of the weights.
        path: below the artifact directory.
        sha256: of the file.
        target: its format.
        precision: how it computes convolutions.
        role: what it computes.
        size_bytes: of the file.
        parameters: weights and biases.
        macs: of one picture at the cell's size; 0 where it is not known.
        int8_mac_share: of those, in integers, 0..1.
        quality_db: PSNR to the float network over the quality probes; None where it was not judged.
        style_change: relative change of the distance to the style, from the same judgement.
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
        """Return an exported file as a report names it."""
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
        layer: of the captured network that it computes; the runtime's own name where none is known.
        op: as the runtime names the kernel.
        time_ns: median over the profiled runs.
        macs: multiply-accumulates; 0 where it has none.
        delegate: which part of the runtime ran it.
    """

    layer: Text
    op: Text
    time_ns: Nanoseconds
    macs: Count = 0
    delegate: Text = ""


class CellFact(_Fact, frozen=True, kw_only=True):
    """One file on one runner at one size: what was asked, what was got, and every sample.

    Attributes:
        subject: the file.
        runner: that ran it.
        requested: settings that were asked for.
        effective: settings as the runtime reports them, which may be others.
        size: of the picture.
        batch: pictures at once.
        status: ``measured`` alone has samples; ``wrong`` failed the artifact's probes,
            ``unavailable`` cannot run here, ``failed`` broke, ``out-of-memory`` ran out of it.
        message: why it was not measured, in one line.
        parity: on the artifact's probes.
        loads_ns: of loading, from reading the file to being ready; the first is cold.
        compile_ns: of building for the device, where the runtime does so apart from loading.
        first_ns: the first inference after loading.
        warm_up_ns: inferences until it was warm, the first left out.
        rounds_ns: inference, the samples of each round.
        pre_ns: from pictures in float32 [N, 3, H, W] to what the runtime takes, per sample.
        post_ns: from what the runtime gives to float32 [N, 3, H, W], per sample.
        peak_rss_bytes: the most memory that the process held.
        idle_rss_bytes: that it held before the file was loaded.
        energy_joules: of the machine over all rounds of this cell; None where it is not told.
        placement: share of the work by compute unit or delegate, 0..1, where the system tells.
        operations: of a profiled run.
        picture: what it painted of the probe, at most 256 pixels wide.
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
        if max(self.size.height, self.size.width) > MAX_SIDE:
            raise ValueError(f"sides are at most {MAX_SIDE} pixels")

    @property
    def samples_ns(self) -> tuple[int, ...]:
        """All samples, in the order they were taken."""
        return tuple(sample for samples in self.rounds_ns for sample in samples)

    @property
    def runner_label(self) -> str:
        """The runner with what was asked of it: ``onnxruntime:provider=xnnpack``."""
        asked = ",".join(f"{key}={value}" for key, value in sorted(self.requested.items()))
        return f"{self.runner}:{asked}" if asked else self.runner

    @property
    def key(self) -> tuple[str, ...]:
        """What a cell of another report must share with this one to be compared with it."""
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


class LatencyReport(_Fact, frozen=True, kw_only=True):
    """Everything that one run of a harness measured.

    Attributes:
        schema_version: of this file.
        harness: what measured.
        created: when it began, UTC, ISO 8601.
        nonce: that the host asked with, for reports that a device sends.
        command: that was typed.
        machine: what it was measured on.
        before: state of the machine.
        after: the same, at the end.
        protocol: how it was measured.
        peak: what the machine could do at best; None where it was not measured.
        cells: in the order of the request.
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
    cells: Annotated[tuple[CellFact, ...], Meta(min_length=1, max_length=10_000)]

    def encoded(self) -> bytes:
        """Return the report as JSON, ending in a newline."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def report_from_json(raw: bytes, source: str) -> LatencyReport:
    """Return the report that some bytes hold.

    Args:
        raw: the JSON.
        source: where it came from, for messages.

    Raises:
        BadArtifact: it is not a report, or one of another schema version.
    """
    try:
        version = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get("schema_version")
        if version is not None and bytes(version) != str(SCHEMA_VERSION).encode():
            raise BadArtifact(
                f"{source} has report schema version {bytes(version).decode(errors='replace')}, "
                f"expected {SCHEMA_VERSION}: measure again with this version of styleexport"
            )
        return msgspec.json.decode(raw, type=LatencyReport)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadArtifact(
            f"{source} is not a latency report: {error}; make one with `styleexport bench`"
        ) from error


def read_report(path: Path) -> LatencyReport:
    """Return a report from a file.

    Raises:
        BadArtifact: there is no such file, or `report_from_json` refuses it.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadArtifact(
            f"{path} cannot be read: {error.strerror}; make a report with `styleexport bench`"
        ) from error
    return report_from_json(raw, str(path))


def write_report(report: LatencyReport, path: Path) -> None:
    """Write a report, whole or not at all."""
    with replace_file(path) as part:
        part.write_bytes(report.encoded())


def json_schema() -> bytes:
    """Return the report's JSON Schema, indented."""
    return schema_of(LatencyReport)
