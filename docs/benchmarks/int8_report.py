"""The tables of the int8 benchmark: what was measured, and how ours stands to the others'."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from styleexport.core.types import Precision, Role
from styleexport.runtime_bench.quality.report import QualityReport

Runtime = Literal["ONNX Runtime", "LiteRT", "OpenVINO", "ExecuTorch", "PyTorch"]
Kind = Literal["float", "ours", "peer"]

# Runtimes whose kernels are the same, XNNPACK's: files are compared across them.
SAME_KERNELS: dict[Runtime, tuple[Runtime, ...]] = {"LiteRT": ("ExecuTorch",)}
# What is within so much of another's time is as fast.
NOISE = 1.03


class Entry(Struct, frozen=True, kw_only=True):
    """One file in one runtime, and what was measured.

    Attributes:
        name: of who made the file and how.
        runtime: that runs it.
        kind: whether it is an int8 file of ours, one of another tool, or neither.
        file: where it lies; None where there is none.
        error: why there are no figures.
        size_bytes: of the file.
        quality: what it loses against the float network.
        integer_mac_share: the share of its MACs that the runtime computes in integers, 0..1.
        partitions: parts that a delegate takes, of an ExecuTorch file.
        samples_ns: of one run each, in the order of the rounds.
    """

    name: str
    runtime: Runtime
    kind: Kind
    file: Path | None = None
    error: str | None = None
    size_bytes: int = 0
    quality: QualityReport | None = None
    integer_mac_share: float | None = None
    partitions: int | None = None
    samples_ns: tuple[int, ...] = ()

    @property
    def psnr_db(self) -> float:
        """The PSNR that budgets speak of: pooled over the stable pictures."""
        return (self.quality and self.quality.measured("psnr")) or 0.0

    def time_by(self, other: Entry) -> tuple[float, float, float]:
        """Return the quartiles of this entry's time by that of another, round by round."""
        shares = [a / b for a, b in zip(self.samples_ns, other.samples_ns, strict=True)]
        low, middle, high = statistics.quantiles(shares, n=4, method="inclusive")
        return low, middle, high


class Measured(Struct, frozen=True, kw_only=True):
    """All that one run of this script measured, and on what."""

    network: str
    role: Role
    size: str
    date: str
    processor: str
    threads: int
    load: tuple[float, float]
    versions: dict[str, str]
    entries: tuple[Entry, ...]


def table(entries: Sequence[Entry]) -> list[str]:
    """Return the figures as a Markdown table, a line each."""
    lines = [
        "| runtime | file | PSNR dB (all, worst) | SSIM | style | flicker | int8 MACs | bytes "
        "| ms | by its fp32 (quartiles) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in entries:
        quality, fp32 = entry.quality, baseline(entries, entry.runtime)
        if quality is None:
            lines.append(f"| {entry.runtime} | {entry.name} | {entry.error} |" + " |" * 7)
            continue
        share = "" if entry.integer_mac_share is None else f"{entry.integer_mac_share:.0%}"
        ratio = ""
        if fp32 is not None and entry.samples_ns:
            low, middle, high = entry.time_by(fp32)
            ratio = f"{middle:.2f} ({low:.2f}–{high:.2f})"
        count = entry.partitions
        parts = "" if count is None else f", {count} partition{'s' if count > 1 else ''}"
        cells = (
            f"{entry.runtime}{parts}",
            entry.name,
            f"{entry.psnr_db:.1f} ({quality.psnr_db:.1f}, {quality.worst_psnr_db:.1f})",
            "" if quality.ssim is None else f"{quality.ssim:.4f}",
            _percent(quality.style_change),
            _percent(quality.flicker_change),
            share,
            f"{entry.size_bytes / 1000:.0f} k",
            f"{statistics.median(entry.samples_ns) / 1e6:.1f}" if entry.samples_ns else "simulated",
            ratio,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _percent(change: float | None) -> str:
    return "" if change is None else f"{100 * change:+.1f} %"


def baseline(entries: Sequence[Entry], runtime: Runtime) -> Entry | None:
    """Return the fp32 file of a runtime, if it ran."""
    floats = (e for e in entries if e.kind == "float" and e.name.endswith(f" {Precision.FP32}"))
    return next((e for e in floats if e.runtime == runtime and e.samples_ns), None)


def verdicts(entries: Sequence[Entry]) -> list[str]:
    """Return how each int8 file of ours stands to each other tool's in the same runtime."""
    lines: list[str] = []
    ran = [entry for entry in entries if entry.samples_ns]
    for own in (entry for entry in ran if entry.kind == "ours"):
        runtimes = (own.runtime, *SAME_KERNELS.get(own.runtime, ()))
        peers = [e for e in ran if e.kind == "peer" and e.runtime in runtimes]
        if not peers:
            lines.append(f"- {own.name}, {own.runtime}: no other tool's file runs")
        for peer in peers:
            gain, ratio = own.psnr_db - peer.psnr_db, own.time_by(peer)[1]
            lost = [
                word
                for word, holds in (("quality", gain >= 0), ("speed", ratio <= NOISE))
                if not holds
            ]
            told = f"**not better in {' and '.join(lost)}**" if lost else "better"
            lines.append(
                f"- {own.name} by {peer.name}, {_where(own, peer)}: {gain:+.1f} dB, "
                f"{ratio:.2f} of its time: {told}"
            )
    return lines


def _where(own: Entry, peer: Entry) -> str:
    """Return the runtimes of two entries."""
    if own.runtime == peer.runtime:
        return own.runtime
    return f"{own.runtime} by {peer.runtime}"


def shown(result: Measured) -> str:
    """Return everything in Markdown."""
    tools = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    rounds = max(len(entry.samples_ns) for entry in result.entries)
    load = " to ".join(f"{value:.1f}" for value in result.load)
    return "\n".join(
        [
            f"## {result.network} {result.role} {result.size}",
            "",
            *table(result.entries),
            "",
            *verdicts(result.entries),
            "",
            f"{result.date}, {result.processor}, {result.threads} threads, {rounds} rounds, load "
            f"{load}; {tools}.",
            "",
        ]
    )
