"""Messages between the harness and a worker, one JSON document per line."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from styleexport.core.manifest import ParityFact
from styleexport.runtime_bench.contract.cell import Cell
from styleexport.runtime_bench.contract.job import PlanFact
from styleexport.runtime_bench.contract.latency import OperationFact


class Load(Struct, frozen=True, kw_only=True, tag="load"):
    """Load a cell's file twice; all later commands are about it.

    Attributes:
        cell: cell to measure.
        plan: measuring plan.
    """

    cell: Cell
    plan: PlanFact


class CheckProbes(Struct, frozen=True, kw_only=True, tag="check"):
    """Run the probes; the first of these runs is the first inference."""


class Warm(Struct, frozen=True, kw_only=True, tag="warm"):
    """Run until the file is warm."""


class Turn(Struct, frozen=True, kw_only=True, tag="turn"):
    """Take the samples of one turn."""


class Profile(Struct, frozen=True, kw_only=True, tag="profile"):
    """Profile by operation."""


class Peak(Struct, frozen=True, kw_only=True, tag="peak"):
    """Report the peak memory of the process."""


class Loaded(Struct, frozen=True, kw_only=True, tag="loaded"):
    """The file is ready.

    Attributes:
        idle_rss_bytes: resident memory before the file was loaded.
        loads_ns: time of each load.
        effective: settings as the runtime reports them.
    """

    idle_rss_bytes: int
    loads_ns: tuple[int, ...]
    effective: dict[str, str]


class Checked(Struct, frozen=True, kw_only=True, tag="checked"):
    """Result on the probes.

    Attributes:
        first_ns: time of the first inference.
        parity: parity on all probes.
        picture: output on the first probe, a JPEG in base64; None for style codes.
    """

    first_ns: int
    parity: ParityFact
    picture: str | None


class Warmed(Struct, frozen=True, kw_only=True, tag="warmed"):
    """Result of the warm-up.

    Attributes:
        warm_up_ns: time of each inference.
        stable: whether it became stable before its limit.
    """

    warm_up_ns: tuple[int, ...]
    stable: bool


class Turned(Struct, frozen=True, kw_only=True, tag="turned"):
    """Samples of one turn.

    Attributes:
        samples_ns: inference times.
        pre_ns: time of converting the inputs, per sample.
        post_ns: time of converting the outputs, per sample.
    """

    samples_ns: tuple[int, ...]
    pre_ns: tuple[int, ...]
    post_ns: tuple[int, ...]


class Profiled(Struct, frozen=True, kw_only=True, tag="profiled"):
    """Operations of a profiled run."""

    operations: tuple[OperationFact, ...]


class Peaked(Struct, frozen=True, kw_only=True, tag="peaked"):
    """Peak resident memory of the process."""

    peak_rss_bytes: int


class Refused(Struct, frozen=True, kw_only=True, tag="refused"):
    """Failure of a command; the worker takes no further ones.

    Attributes:
        status: status of the cell.
        message: reason, in one line.
        killed: whether a signal ended the worker.
    """

    status: Literal["unavailable", "failed", "out-of-memory"]
    message: str
    killed: bool = False


Command = Load | CheckProbes | Warm | Turn | Peak | Profile
Answer = Loaded | Checked | Warmed | Turned | Peaked | Profiled | Refused


def encode(message: Command | Answer) -> bytes:
    """Return a message as one line."""
    return msgspec.json.encode(message, enc_hook=str) + b"\n"


def decode_command(line: bytes) -> Command:
    """Return the command of a line.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _COMMANDS.decode(line)


def decode_answer(line: bytes) -> Answer:
    """Return the answer of a line.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _ANSWERS.decode(line)


def _as_path(kind: type, value: object) -> object:
    """Decode paths, which msgspec does not know."""
    if kind is not Path:
        raise NotImplementedError(f"messages hold no {kind.__name__}")
    return Path(str(value))


_COMMANDS = msgspec.json.Decoder(Command, dec_hook=_as_path)
_ANSWERS = msgspec.json.Decoder(Answer)
