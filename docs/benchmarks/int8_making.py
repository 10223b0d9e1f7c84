"""int8 files that other tools write from an artifact's fp32 files, and their quality; cached."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from int8_case import RUNTIMES, Case
from int8_environments import TOOLS
from int8_peers import PEERS, Peer, Work
from int8_report import Entry
from int8_timing import versions

from styleexport.core.errors import MissingExtra, first_line
from styleexport.core.files import replace_file
from styleexport.core.manifest import sha256_of_file
from styleexport.runtime_bench.quality.report import QualityReport
from styleexport.runtime_bench.runners._runner import Session


def peer_entries(
    case: Case, work: Path, tools: Sequence[str], environments: Path, limit_s: float
) -> list[Entry]:
    """Return what the other tools make of the fp32 files, or made of them before.

    Args:
        case: artifact.
        work: folder that keeps files and failures.
        tools: parts of the names of tools that take part; () for all.
        environments: folder of the tools' environments.
        limit_s: wall time in s after which a tool is killed.
    """
    peers = [peer for peer in PEERS if not tools or any(part in peer.name for part in tools)]
    work.mkdir(parents=True, exist_ok=True)
    return [
        _entry(case, peer, source, work, environments, limit_s)
        for peer in peers
        if (source := case.float_file(peer.reads)) is not None
    ]


def judged(case: Case, entry: Entry, session: Session, work: Path) -> QualityReport:
    """Return what a file loses against the float network, or what it lost when last measured.

    Args:
        case: artifact.
        entry: file and runtime.
        session: session on it.
        work: folder that keeps reports.
    """
    assert entry.file is not None
    parts = (sha256_of_file(entry.file), entry.runtime, case.digest, str(versions()))
    key = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]
    kept = work / f"quality-{key}.json"
    if kept.exists():
        return msgspec.json.decode(kept.read_bytes(), type=QualityReport)
    report = case.judge(session)
    with replace_file(kept) as part:
        part.write_bytes(msgspec.json.encode(report))
    return report


def _entry(
    case: Case, peer: Peer, source: Path, work: Path, environments: Path, limit_s: float
) -> Entry:
    target = work / f"{_slug(peer.name)}-{_key(case, peer, source)}{peer.writes}"
    failure = target.with_suffix(".error.txt")
    error = failure.read_text(encoding="utf-8") if failure.exists() else None
    if error is None and not target.exists():
        error = _made(case, peer, source, target, environments, limit_s)
    return Entry(
        name=peer.name,
        runtime=RUNTIMES[peer.writes],
        kind=peer.kind,
        file=None if error else target,
        error=error,
    )


def _made(
    case: Case, peer: Peer, source: Path, target: Path, environments: Path, limit_s: float
) -> str | None:
    """Write a tool's file, whole or not at all, and return why it could not be; None if it is."""
    print(f"{peer.name}: make", end="", file=sys.stderr, flush=True)
    started, error = time.monotonic(), None
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / f"source{source.suffix}"
        made = Path(temporary) / f"int8{target.suffix}"
        shutil.copy(source, copy)
        try:
            peer.make(Work(copy, made, case.feeds, environments, limit_s))
        except MissingExtra as missing:
            # Not kept: it may be installed before the next run.
            error = first_line(missing)
        except Exception as raised:  # noqa: BLE001 - the benchmark tells whatever it is
            error = f"not made: {first_line(raised)}"
            target.with_suffix(".error.txt").write_text(error, encoding="utf-8")
        else:
            with replace_file(target) as part:
                shutil.copy(made, part)
    print(f", {time.monotonic() - started:.0f} s{(error and f': {error}') or ''}", file=sys.stderr)
    return error


def _key(case: Case, peer: Peer, source: Path) -> str:
    """Return the digest of all that a tool's file depends on."""
    digest = hashlib.sha256(sha256_of_file(source).encode())
    for feed in case.feeds:
        for name, value in feed.items():
            digest.update(f"{name} {value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
    if peer.tool:
        for name in ("quantize.py", f"{peer.tool}.txt"):
            digest.update((TOOLS / name).read_bytes())
    return digest.hexdigest()[:12]


def _slug(name: str) -> str:
    return re.sub(r"\W+", "-", name).strip("-").lower()
