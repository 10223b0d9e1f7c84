"""How long each layer takes: the runtimes' own profilers, folded into one table by source layer.

A runtime that fuses operations times them as one: its time stands at the layer whose output the
fused operation ends in. What a runtime adds, such as a change of layout, stands at the layer that
it is added for where that is known, else under the runtime's own name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import cast

from styleexport.core import plugins
from styleexport.core.arrays import Arrays
from styleexport.runtime_bench.contract.latency import OperationFact
from styleexport.runtime_bench.profiles._profiler import PACKAGE, Profiled, Profiler, Timed
from styleexport.runtime_bench.runners._runner import RunOptions
from styleexport.runtime_bench.stats import median

# What a run takes beside its operations.
OTHER = "other"
TEXT, ROWS = 400, 5_000


def operations(
    path: Path, runner: str, options: RunOptions, inputs: Arrays, layers: Mapping[str, str]
) -> tuple[OperationFact, ...]:
    """Return the time of each layer over several profiled runs, in the order that they ran.

    Times are medians over the runs; what a run took beside its operations stands at the end as
    ``other``. Profiling costs time itself: their sum is a little above what the file takes.

    Args:
        path: of the file.
        runner: that runs it.
        options: of the runner.
        inputs: as the runner takes them.
        layers: layer of the captured network → the tensor of the file that holds its output.

    Raises:
        BadArtifact: the runtime cannot load or run the file.
        MissingExtra: the runtime is not installed.
    """
    if runner not in plugins.names(PACKAGE):
        return ()
    profiler = cast("Profiler", plugins.load(PACKAGE, runner, "PROFILER"))
    found = profiler(path, options, inputs, layers)
    return () if found is None else fitting(found)


def fitting(found: Profiled) -> tuple[OperationFact, ...]:
    """Return the rows that a report can hold: past its limit the shortest are left out."""
    rows = tuple(folded(found))
    if len(rows) <= ROWS:
        return rows
    kept = sorted(rows, key=lambda row: row.time_ns, reverse=True)[:ROWS]
    least = min(row.time_ns for row in kept)
    return tuple(row for row in rows if row.time_ns >= least)[-ROWS:]


def folded(found: Profiled) -> Iterator[OperationFact]:
    """Yield one row a layer, and the rest of the run."""
    for layer, parts in _by_layer(found.operations).items():
        times = [int(median(part.samples_ns)) for part in parts]
        longest = parts[max(range(len(parts)), key=times.__getitem__)]
        yield OperationFact(
            layer=layer[:TEXT],
            op=longest.op[:TEXT],
            time_ns=sum(times),
            macs=sum(part.macs for part in parts),
            delegate=longest.delegate[:TEXT],
        )
    if (left := _left(found)) > 0:
        yield OperationFact(layer=OTHER, op="between operations", time_ns=left)


def _left(found: Profiled) -> int:
    """Return what a run took beside its operations: the median over the runs, each for itself."""
    inside = map(sum, zip(*(item.samples_ns for item in found.operations), strict=False))
    rest = [run - taken for run, taken in zip(found.runs_ns, inside, strict=False)]
    return int(median(rest)) if rest else 0


def _by_layer(found: Iterable[Timed]) -> dict[str, list[Timed]]:
    """Return layer → its operations, in the order that they ran."""
    table: dict[str, list[Timed]] = {}
    for item in found:
        table.setdefault(item.layer, []).append(item)
    return table
