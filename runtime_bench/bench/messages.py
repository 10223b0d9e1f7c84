"""What the harness and a worker say to each other, one JSON a line."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from styleexport.core.manifest import ParityFact
from styleexport.core.types import Precision
from styleexport.runtime_bench.bench.request import WarmUp
from styleexport.runtime_bench.contract.latency import OperationFact


class Job(Struct, frozen=True, kw_only=True):
    """What one worker measures.

    Attributes:
        file: to run.
        runner: that runs it.
        settings: of the runner.
        threads: of the runtime.
        batch: pictures at once.
        affinity: processors to stay on; () binds to none.
        precision: of the file, which says how close it must come to the probe.
        inputs: names, in order.
        output: its name.
        image: whether it paints.
        rounded: whether its pictures come out in 8 bits.
        probes: files of golden inputs and outputs, at the size that is measured.
    """

    file: str
    runner: str
    settings: dict[str, str]
    threads: int
    batch: int
    affinity: tuple[int, ...]
    precision: Precision
    inputs: tuple[str, ...]
    output: str
    image: bool
    rounded: bool
    probes: tuple[str, ...]


class Load(Struct, frozen=True, kw_only=True, tag="load"):
    """Load the file, twice."""

    job: Job


class Probe(Struct, frozen=True, kw_only=True, tag="probe"):
    """Run the probes; the first of these runs is the first inference."""


class Warm(Struct, frozen=True, kw_only=True, tag="warm"):
    """Run until the rule is met."""

    rule: WarmUp


class Turn(Struct, frozen=True, kw_only=True, tag="turn"):
    """Take samples for so many seconds, and so many samples, at least."""

    seconds: float
    min_samples: int


class Profile(Struct, frozen=True, kw_only=True, tag="profile"):
    """Profile by operation; layers of the captured network → tensors of the file."""

    layers: dict[str, str]


class Peak(Struct, frozen=True, kw_only=True, tag="peak"):
    """Say how much memory was held at most."""


class Loaded(Struct, frozen=True, kw_only=True, tag="loaded"):
    """The file is ready."""

    idle_rss_bytes: int
    loads_ns: tuple[int, ...]
    effective: dict[str, str]


class Probed(Struct, frozen=True, kw_only=True, tag="probed"):
    """What the probes showed."""

    first_ns: int
    parity: ParityFact
    picture: str | None


class Warmed(Struct, frozen=True, kw_only=True, tag="warmed"):
    """The runs until warm, and whether the rule was met before its limit."""

    warm_up_ns: tuple[int, ...]
    stable: bool


class Turned(Struct, frozen=True, kw_only=True, tag="turned"):
    """The samples of one turn, and what surrounds each."""

    samples_ns: tuple[int, ...]
    pre_ns: tuple[int, ...]
    post_ns: tuple[int, ...]


class Profiled(Struct, frozen=True, kw_only=True, tag="profiled"):
    """The operations of a profiled run."""

    operations: tuple[OperationFact, ...]


class Peaked(Struct, frozen=True, kw_only=True, tag="peaked"):
    """The most memory that was held."""

    peak_rss_bytes: int


class Refused(Struct, frozen=True, kw_only=True, tag="refused"):
    """What was asked cannot be done, and why; nothing more is to be asked of this worker."""

    status: Literal["unavailable", "failed", "out-of-memory"]
    message: str
    killed: bool = False


Command = Load | Probe | Warm | Turn | Peak | Profile
Answer = Loaded | Probed | Warmed | Turned | Peaked | Profiled | Refused
