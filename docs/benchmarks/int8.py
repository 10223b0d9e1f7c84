"""Time and quality of int8 files: ours beside what other tools make of the same network.

Run: python docs/benchmarks/int8.py ARTIFACT [--rounds N] [--peer NAME=FILE] [--json FILE]

ARTIFACT holds one size, for onnx, tflite or both: fp32, and int8, auto or other precisions. The
other tools get its fp32 files and the calibration pictures that int8 ranges are taken from. All
files are judged on the quality probes, then timed in turns in this process. What a tool cannot
make, or a runtime cannot run, is a row that says why. NNCF and OpenVINO take part where they are
installed.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.metadata
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
from int8_peers import PEERS
from int8_report import Entry, Measured, Runtime, shown
from int8_sessions import OPTIONS, opened

from styleexport.core import environments
from styleexport.core.arrays import Arrays, Run
from styleexport.core.errors import UsageError, first_line
from styleexport.core.images import array_from_image
from styleexport.core.manifest import FileFact, Manifest, read_manifest
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.models.losses.loss_network import shipped_loss_network
from styleexport.runtime_bench.quality.judge import Array, Judge
from styleexport.runtime_bench.quality.probes import quality_probes
from styleexport.runtime_bench.runners._runner import Session, find_runner

# A sample lasts at least so long; before it, the threads of the last candidate come to rest.
SAMPLE_SECONDS = 0.05
REST_SECONDS = 0.01
RUNTIMES: dict[str, Runtime] = {".onnx": "ONNX Runtime", ".tflite": "LiteRT"}
QUANTIZED = (Precision.INT8, Precision.AUTO)
VERSIONS = ("torch", "onnxruntime", "ai-edge-litert", "ai-edge-quantizer", "openvino", "nncf")
INSTRUCTIONS = ("avx2", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")


@dataclass(frozen=True)
class Case:
    """The graph of an artifact that is measured: the one that paints.

    Attributes:
        folder: of the artifact.
        manifest: of the artifact.
        size: of all pictures.
    """

    folder: Path
    manifest: Manifest
    size: Size

    @property
    def files(self) -> list[FileFact]:
        """The files of the graph in formats that run here, float ones first."""
        found = [
            fact
            for fact in self.manifest.files
            if fact.role is not Role.ENCODE and Path(fact.path).suffix in RUNTIMES
            if fact.size is not None and fact.size.size() == self.size
        ]
        return sorted(found, key=lambda fact: tuple(Precision).index(fact.precision))

    @property
    def role(self) -> Role:
        """What the graph computes."""
        return self.files[0].role

    @property
    def inputs(self) -> list[str]:
        """Names of the graph's inputs, in order."""
        return [fact.name for fact in self.files[0].inputs]

    def float_file(self, suffix: str) -> Path | None:
        """Return the fp32 file of a format."""
        for fact in self.files:
            if fact.precision is Precision.FP32 and fact.path.endswith(suffix):
                return self.folder / fact.path
        return None

    def program(self, role: Role) -> AbstractContextManager[Session]:
        """Return a session on the float program of a role."""
        path = next(
            self.folder / program.path
            for program in self.manifest.programs
            if program.role is role and program.size.size() == self.size
        )
        return find_runner("torch").open(path, OPTIONS)

    def encode(self, style: Array) -> Array:
        """Return the style code of a picture."""
        with self.program(Role.ENCODE) as session:
            return next(iter(session({"style": style}).values()))

    @cached_property
    def judge(self) -> Judge:
        """The judge of the graph's files."""
        probes = quality_probes(self.size, self.inputs, self.encode)
        judge = Judge(shipped_loss_network(), probes)
        with self.program(self.role) as session:
            judge.reference(session)
        return judge

    @cached_property
    def feeds(self) -> list[dict[str, Array]]:
        """The calibration inputs, as the exporter takes them."""
        pictures = read_calibration(None)
        contents = [array_from_image(centre_crop(image, self.size)) for image in pictures.content]
        if self.inputs == ["content"]:
            return [{"content": content} for content in contents]
        styles = [array_from_image(centre_crop(image, self.size)) for image in pictures.style]
        coded = "style_code" in self.inputs
        given = [self.encode(style) for style in styles] if coded else styles
        one = np.ones(1, np.float32)
        return [
            {"content": contents[c], "style_code" if coded else "style": given[s], "strength": one}
            for c, s in pictures.pairs()
        ]


def open_case(folder: Path) -> Case:
    """Return the case of an artifact folder.

    Raises:
        UsageError: it holds no file that paints, or files of several sizes.
    """
    manifest = read_manifest(folder)
    painting = [fact for fact in manifest.files if fact.role is not Role.ENCODE]
    sizes = {fact.size.size() for fact in painting if fact.size is not None}
    if len(sizes) != 1:
        raise UsageError(
            f"{folder} holds files of {len(sizes)} fixed sizes, expected one: name one --size"
        )
    return Case(folder, manifest, sizes.pop())


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


def peer_entries(case: Case, folder: Path) -> list[Entry]:
    """Return what the other tools make of the fp32 files, made in a folder."""
    found: list[Entry] = []
    for number, peer in enumerate(PEERS):
        source = case.float_file(peer.reads)
        if source is None:
            continue
        copy, target = folder / f"{number}{peer.reads}", folder / f"{number}_int8{peer.writes}"
        shutil.copy(source, copy)
        error = None
        print(f"{peer.name}: make", file=sys.stderr)
        try:
            peer.make(copy, target, case.feeds)
        except Exception as raised:  # noqa: BLE001 - the benchmark tells whatever it is
            error = f"not made: {first_line(raised)}"
        runtime = RUNTIMES[peer.writes]
        file = None if error else target
        found.append(Entry(name=peer.name, runtime=runtime, kind="peer", file=file, error=error))
    return found


def in_openvino(entries: Sequence[Entry]) -> list[Entry]:
    """Return the ONNX files again, to be run by OpenVINO, if that is installed."""
    if "openvino" not in versions():
        return []
    onnx_files = [e for e in entries if e.file is not None and e.file.suffix == ".onnx"]
    return [msgspec.structs.replace(entry, runtime="OpenVINO") for entry in onnx_files]


def measured(case: Case, entries: Sequence[Entry], rounds: int) -> list[Entry]:
    """Return the entries with their figures: each judged, then all timed in turns."""
    done: list[Entry] = []
    sessions: dict[int, Session] = {}
    with contextlib.ExitStack() as stack:
        for entry in entries:
            if entry.file is not None:
                print(f"{entry.name}, {entry.runtime}: judge", file=sys.stderr)
                try:
                    session, share = stack.enter_context(opened(entry))
                    entry = msgspec.structs.replace(
                        entry,
                        size_bytes=entry.file.stat().st_size,
                        quality=case.judge(session),
                        integer_mac_share=share,
                    )
                    sessions[len(done)] = session
                except Exception as error:  # noqa: BLE001 - the benchmark tells whatever it is
                    entry = msgspec.structs.replace(
                        entry, error=f"does not run: {first_line(error)}"
                    )
            done.append(entry)
        samples = timed(sessions, case.judge.stills[0].inputs, rounds)
    return [
        msgspec.structs.replace(entry, samples_ns=tuple(samples.get(number, ())))
        for number, entry in enumerate(done)
    ]


def timed(sessions: Mapping[int, Run], inputs: Arrays, rounds: int) -> dict[int, list[int]]:
    """Return ns of one run of each session, a sample a round, each round in another order."""
    samples: dict[int, list[int]] = {key: [] for key in sessions}
    repeats = {
        key: math.ceil(SAMPLE_SECONDS * 1e9 / _sample_ns(session, inputs, 1))
        for key, session in sessions.items()
    }
    keys = list(sessions)
    gc.disable()
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        first = number * len(keys) // rounds
        for key in (*keys[first:], *keys[:first]):
            samples[key].append(_sample_ns(sessions[key], inputs, repeats[key]))
    gc.enable()
    return samples


def _sample_ns(session: Run, inputs: Arrays, repeats: int) -> int:
    """Return ns of one run, the mean of some that follow one that is not counted."""
    time.sleep(REST_SECONDS)
    session(inputs)
    started = time.perf_counter_ns()
    for _ in range(repeats):
        session(inputs)
    return (time.perf_counter_ns() - started) // repeats


def versions() -> dict[str, str]:
    """Return the versions of the libraries that take part."""
    found = {name: tool.version for name, tool in environments.TOOLS.items()}
    for name in VERSIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def conditions(load_before: float) -> dict[str, Any]:
    """Return when and on what times were taken, as `compression_report.Conditions` takes it.

    Args:
        load_before: load average before the first sample.
    """
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": processor(),
        "threads": OPTIONS.threads or 0,
        "load": (load_before, os.getloadavg()[0]),
        "versions": versions(),
    }


def processor() -> str:
    """Return the processor's name, and its instructions for integer products."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    fields = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    flags = fields.get("flags", fields.get("Features", "")).split()
    known = " ".join(name for name in INSTRUCTIONS if name in flags)
    return f"{fields.get('model name', 'unknown processor')}, {os.cpu_count()} cores, {known}"


def main(folder: Path, rounds: int, given: Sequence[Entry], keep: Path | None) -> None:
    """Measure an artifact and what others make of it, and print the tables."""
    case, before = open_case(folder), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        found = [*own_entries(case), *peer_entries(case, Path(temporary)), *given]
        found += in_openvino(found)
        found.sort(key=lambda entry: get_args(Runtime).index(entry.runtime))
        entries = measured(case, found, rounds)
    network = case.manifest.network
    result = Measured(
        network=f"{network.name} ({', '.join(network.source)})",
        role=case.role,
        size=str(case.size),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        processor=processor(),
        threads=OPTIONS.threads or 0,
        load=(before, os.getloadavg()[0]),
        versions=versions(),
        entries=tuple(entries),
    )
    print(shown(result))
    if keep is not None:
        keep.write_bytes(msgspec.json.encode(result, enc_hook=str) + b"\n")


def _given(text: str) -> Entry:
    """Return the entry of NAME=FILE."""
    name, _, path = text.partition("=")
    runtime = RUNTIMES.get(Path(path).suffix)
    if runtime is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected NAME=FILE.onnx or NAME=FILE.tflite")
    return Entry(name=name, runtime=runtime, kind="peer", file=Path(path))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--rounds", type=int, default=15, choices=range(2, 1000), metavar="N")
    parser.add_argument("--peer", type=_given, action="append", default=[])
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    main(chosen.artifact, chosen.rounds, chosen.peer, chosen.json)
