"""Profiles: time per layer of the network, from the runtimes' own profilers.

A fused operation is timed as one and counts for the layer whose output it computes last. An
operation that a runtime adds, such as a change of layout, counts for the layer that it is added
for, where that is known, and otherwise stands under its own name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import cast

from styleexport.core import plugins
from styleexport.core.arrays import Arrays
from styleexport.runtime_bench.contract.latency import OperationFact
from styleexport.runtime_bench.profiles._profiler import PACKAGE, Profile, Profiler, TimedOperation
from styleexport.runtime_bench.runners._runner import RunOptions
from styleexport.runtime_bench.stats import median

# Time of a run outside its operations.
OTHER = "other"
TEXT, ROWS = 400, 5_000


def operations(
    path: Path, runner: str, options: RunOptions, inputs: Arrays, layers: Mapping[str, str]
) -> tuple[OperationFact, ...]:
    """Return the time of each layer over several profiled runs, in execution order.

    Times are medians over the runs; the time outside the operations follows as ``other``. Profiling
    takes time itself, so the sum slightly exceeds the latency of the file.

    Args:
        path: path of the file.
        runner: name of the runner.
        options: options of the runner.
        inputs: inputs by name, float32; images [N, 3, H, W] in 0..1.
        layers: layer of the captured network → tensor of the file with its output.

    Raises:
        BadArtifact: the runtime cannot load or run the file.
        MissingExtra: the runtime is not installed.
    """
    if runner not in plugins.names(PACKAGE):
        return ()
    profiler = cast("Profiler", plugins.load(PACKAGE, runner, "PROFILER"))
    profile = profiler(path, options, inputs, layers)
    return () if profile is None else fitting(profile)


def fitting(profile: Profile) -> tuple[OperationFact, ...]:
    """Return the rows that fit into a report: beyond its limit the shortest are left out."""
    rows = tuple(folded(profile))
    if len(rows) <= ROWS:
        return rows
    kept = sorted(rows, key=lambda row: row.time_ns, reverse=True)[:ROWS]
    least = min(row.time_ns for row in kept)
    return tuple(row for row in rows if row.time_ns >= least)[-ROWS:]


def folded(profile: Profile) -> Iterator[OperationFact]:
    """Yield one row per layer, and one for the rest of the run."""
    for layer, parts in _by_layer(profile.operations).items():
        times = [int(median(part.samples_ns)) for part in parts]
        longest = parts[max(range(len(parts)), key=times.__getitem__)]
        yield OperationFact(
            layer=layer[:TEXT],
            op=longest.op[:TEXT],
            time_ns=sum(times),
            macs=sum(part.macs for part in parts),
            delegate=longest.delegate[:TEXT],
        )
    if (rest := _rest_ns(profile)) > 0:
        yield OperationFact(layer=OTHER, op="between operations", time_ns=rest)


def _rest_ns(profile: Profile) -> int:
    """Return the median over the runs of the time outside their operations."""
    inside = map(sum, zip(*(item.samples_ns for item in profile.operations), strict=False))
    rest = [run - taken for run, taken in zip(profile.runs_ns, inside, strict=False)]
    return int(median(rest)) if rest else 0


def _by_layer(operations: Iterable[TimedOperation]) -> dict[str, list[TimedOperation]]:
    """Return layer → its operations, in execution order."""
    table: dict[str, list[TimedOperation]] = {}
    for item in operations:
        table.setdefault(item.layer, []).append(item)
    return table
