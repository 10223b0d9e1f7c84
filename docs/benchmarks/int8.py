"""Time and quality of int8 files: ours beside what other tools make of the same network.

Run: python docs/benchmarks/int8.py ARTIFACT ... [--work FOLDER] [--rounds N] [--json FILE]
    [--tool NAME] [--peer NAME=FILE] [--environments FOLDER] [--limit SECONDS]

ARTIFACT holds one size, for onnx, tflite or both: fp32, and int8, auto or other precisions. The
other tools get its fp32 files and the calibration pictures that int8 ranges are taken from. All
files are judged on the quality probes, then timed in turns. What a tool cannot make, or a runtime
cannot run, is a row that says why; so is a tool that is not installed (int8_environments.py).
OpenVINO takes part where it is installed; a folder ARTIFACT-openvino beside the artifact holds its
int8 file of `--runtime openvino`. Several artifacts are measured one after the other, each
printed when it is done. --work keeps what the tools make, and their failures: a second run with it
times only. An interrupt while times are taken ends with the rounds that are whole.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.util
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
from int8_case import RUNTIMES, Case, open_case
from int8_environments import FOLDER
from int8_making import judged, peer_entries
from int8_report import Entry, Measured, Runtime, shown
from int8_sessions import OPTIONS, opened
from int8_timing import processor, timed, versions

from styleexport.core.errors import UnsupportedOp, first_line
from styleexport.core.manifest import read_manifest
from styleexport.core.types import Precision
from styleexport.runtime_bench.formats._pte import read_pte
from styleexport.runtime_bench.quality.judge import Array
from styleexport.runtime_bench.runners._runner import Session

QUANTIZED = (Precision.INT8, Precision.AUTO)


@dataclass(frozen=True)
class Options:
    """Settings of a run.

    Attributes:
        work: folder that keeps what tools make; None for none.
        rounds: samples of each file.
        tools: parts of the names of tools that take part; () for all.
        given: files of other tools.
        environments: folder of the tools' environments.
        limit_s: wall time in s after which a tool is killed.
        keep: file for all figures, a line of JSON an artifact.
    """

    work: Path | None
    rounds: int
    tools: tuple[str, ...]
    given: tuple[Entry, ...]
    environments: Path
    limit_s: float
    keep: Path | None


def own_entries(case: Case) -> list[Entry]:
    """Return the files of the artifact."""
    return [
        Entry(
            name=f"styleexport {fact.precision}",
            runtime=RUNTIMES[Path(fact.path).suffix],
            kind="ours" if fact.precision in QUANTIZED else "float",
            file=case.folder / fact.path,
        )
        for fact in case.files
    ]


def in_openvino(entries: Sequence[Entry]) -> list[Entry]:
    """Return the ONNX files again, to be run by OpenVINO, if that is installed."""
    if importlib.util.find_spec("openvino") is None:
        return []
    onnx_files = [e for e in entries if e.file is not None and e.file.suffix == ".onnx"]
    return [msgspec.structs.replace(entry, runtime="OpenVINO") for entry in onnx_files]


def made_for_openvino(case: Case) -> list[Entry]:
    """Return the int8 file that was made for OpenVINO, if there is an artifact of it."""
    folder = case.folder.with_name(f"{case.folder.name}-openvino")
    if importlib.util.find_spec("openvino") is None or not folder.is_dir():
        return []
    files = [fact for fact in read_manifest(folder).files if fact.role is case.role]
    return [
        Entry(
            name=f"styleexport {fact.precision} for OpenVINO",
            runtime="OpenVINO",
            kind="ours",
            file=folder / fact.path,
        )
        for fact in files
        if fact.precision in QUANTIZED
    ]


def finite(session: Session) -> Session:
    """Return a session that refuses to paint what is no number."""

    def fetch() -> dict[str, Array]:
        outputs = session.fetch()
        if not all(np.isfinite(value).all() for value in outputs.values()):
            raise UnsupportedOp("it paints NaN or infinity")
        return outputs

    return dataclasses.replace(session, fetch=fetch)


def partitions(path: Path) -> int | None:
    """Return the number of partitions of an ExecuTorch file; None of others."""
    return len(read_pte(path).partitions) if path.suffix == ".pte" else None


def measured(case: Case, entries: Sequence[Entry], rounds: int, work: Path) -> list[Entry]:
    """Return the entries with their figures: each judged, then all timed in turns."""
    done: list[Entry] = []
    sessions: dict[int, Session] = {}
    with contextlib.ExitStack() as stack:
        for entry in entries:
            if entry.file is not None:
                print(
                    f"{entry.name}, {entry.runtime}: judge ({len(done) + 1} of {len(entries)})",
                    file=sys.stderr,
                )
                try:
                    session, share = stack.enter_context(opened(entry))
                    entry = msgspec.structs.replace(
                        entry,
                        size_bytes=entry.file.stat().st_size,
                        quality=judged(case, entry, finite(session), work),
                        integer_mac_share=share,
                        partitions=partitions(entry.file),
                    )
                    if entry.runtime != "PyTorch":  # which simulates integers in float
                        sessions[len(done)] = session
                except Exception as error:  # noqa: BLE001 - the benchmark tells whatever it is
                    entry = msgspec.structs.replace(
                        entry, error=f"does not run: {first_line(error)}"
                    )
            done.append(entry)
        samples = timed(sessions, case.feeds[0], rounds)
    return [
        msgspec.structs.replace(entry, samples_ns=tuple(samples.get(number, ())))
        for number, entry in enumerate(done)
    ]


def measure(folder: Path, options: Options) -> None:
    """Measure an artifact and what others make of it, and print the tables."""
    case, before = open_case(folder), os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        work = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peers = peer_entries(case, work, options.tools, options.environments, options.limit_s)
        found = [*own_entries(case), *peers, *options.given]
        found += [*in_openvino(found), *made_for_openvino(case)]
        found.sort(key=lambda entry: get_args(Runtime).index(entry.runtime))
        entries = measured(case, found, options.rounds, work)
    network = case.manifest.network
    result = Measured(
        network=f"{network.name} ({', '.join(network.source)})",
        role=case.role,
        size=str(case.size),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        processor=processor(),
        threads=OPTIONS.threads or 0,
        load=(before, os.getloadavg()[0]),
        versions=versions(options.environments),
        entries=tuple(entries),
    )
    print(shown(result), flush=True)
    if options.keep is not None:
        with options.keep.open("ab") as file:
            file.write(msgspec.json.encode(result, enc_hook=str) + b"\n")


def main(folders: Sequence[Path], options: Options) -> int:
    """Measure artifacts one after the other, and return how many could not be."""
    failed = 0
    for number, folder in enumerate(folders, 1):
        print(f"{folder} ({number} of {len(folders)})", file=sys.stderr)
        try:
            measure(folder, options)
        except Exception:  # noqa: BLE001 - the others are measured all the same
            failed += 1
            traceback.print_exc()
    return failed


def _rounds(text: str) -> int:
    """Return a number of rounds: two at least, for quartiles."""
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of 2 or more")
    return int(text)


def _given(text: str) -> Entry:
    """Return the entry of NAME=FILE."""
    name, _, path = text.partition("=")
    runtime = RUNTIMES.get(Path(path).suffix)
    if runtime is None:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected NAME=FILE with a file in {', '.join(RUNTIMES)}"
        )
    return Entry(name=name, runtime=runtime, kind="peer", file=Path(path))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("artifacts", type=Path, nargs="+", metavar="ARTIFACT")
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--rounds", type=_rounds, default=15, metavar="N")
    parser.add_argument("--tool", action="append", default=[], help="part of a tool's name")
    parser.add_argument("--peer", type=_given, action="append", default=[])
    parser.add_argument("--environments", type=Path, default=FOLDER)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds a tool may take")
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    sys.exit(
        main(
            chosen.artifacts,
            Options(
                work=chosen.work,
                rounds=chosen.rounds,
                tools=tuple(chosen.tool),
                given=tuple(chosen.peer),
                environments=chosen.environments,
                limit_s=chosen.limit,
                keep=chosen.json,
            ),
        )
    )
