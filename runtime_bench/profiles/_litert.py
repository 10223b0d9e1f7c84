"""LiteRT's own profiler, for its kernels and for XNNPACK's operators."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from styleexport.core.arrays import Arrays
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.formats._tflite_graph import TfliteGraph
from styleexport.runtime_bench.profiles._litert_library import (
    DELEGATED,
    OPERATION,
    WHOLE,
    Event,
    Library,
    opened,
)
from styleexport.runtime_bench.profiles._profiler import Profiled, Timed, by_tensor, repeated
from styleexport.runtime_bench.profiles._xnnpack import aligned, partitions
from styleexport.runtime_bench.runners._litert_tensors import native_quiet
from styleexport.runtime_bench.runners._runner import RunOptions

# The kernels of LiteRT's CPU: XNNPACK's where it can, or its own optimized ones.
XNNPACK, BUILTIN = 0, 2
INVOKE = "Invoke"
DELEGATE = "XNNPACK"
# Tensors that the exporter names: parts of a layer, and a layer's output in another type.
PART = re.compile(r"_at_\d+$")
CONVERTED = re.compile(r"_(quantized|dequant)$")


def profiled(
    path: Path, options: RunOptions, inputs: Arrays, layers: Mapping[str, str], *, kernels: int
) -> Profiled | None:
    """Return the times that LiteRT tells; None where it cannot be asked, or for several pictures.

    Args:
        path: of the file.
        options: of the runner.
        inputs: as the runner takes them.
        layers: layer of the captured network → tensor of the file.
        kernels: ``XNNPACK`` or ``BUILTIN``.
    """
    if options.batch > 1 or options.settings.get("delegate", "xnnpack") != "xnnpack":
        return None
    graph = read_graph(path)
    cpu = f"kernel_mode = {kernels}\nnum_threads = {options.threads or 1}\n"
    with native_quiet():
        library = opened(
            path, {b"runtime_options_string": "enable_profiling = true\n", b"xnnpack": cpu}
        )
    if library is None:
        return None
    for name, value in inputs.items():
        library.feed(name, value.transpose(0, 2, 3, 1) if value.ndim == 4 else value)
    runs = _runs(_events(library))
    timed = _timed(graph, runs, _names(graph, layers))
    return Profiled(tuple(timed), tuple(run[0].elapsed_ns for run in runs))


def _events(library: Library) -> Sequence[Event]:
    """Run once to warm up, then as often as a profile needs."""
    library.run()
    with library.profiling() as events:
        repeated(library.run)
    return events


def _runs(events: Sequence[Event]) -> list[list[Event]]:
    """Return the events of each run; the first of each is the whole of it."""
    runs: list[list[Event]] = []
    for event in events:
        if event.kind == WHOLE and event.name == INVOKE:
            runs.append([event])
        elif runs and event.kind in (OPERATION, DELEGATED):
            runs[-1].append(event)
    shapes = [[(event.name, event.index) for event in run] for run in runs]
    return [run for run, shape in zip(runs, shapes, strict=True) if shape == shapes[0]]


def _timed(
    graph: TfliteGraph, runs: Sequence[Sequence[Event]], names: Sequence[str]
) -> Iterator[Timed]:
    """Yield the operations of a run with their times in all runs."""
    events = runs[0][1:] if runs else ()
    placed = _placed(graph, events)
    for number, event in enumerate(events, start=1):
        index = placed[number - 1]
        samples = tuple(run[number].elapsed_ns for run in runs)
        delegate = DELEGATE if event.kind == DELEGATED else "LiteRT"
        if index is None:
            yield Timed(event.name, event.name, samples, 0, delegate)
            continue
        once = index not in placed[: number - 1]
        macs = graph.macs(graph.operations[index]) if once else 0
        yield Timed(names[index], event.name, samples, macs, delegate)


def _names(graph: TfliteGraph, layers: Mapping[str, str]) -> list[str]:
    """Return the layer of each operation: of its output, or of what the output is a part of.

    A converter numbers the parts that it makes of one layer: they end in the tensor with a name.
    """
    known, names = by_tensor(layers), [""] * len(graph.operations)
    readers = {i: n for n, item in reversed([*enumerate(graph.operations)]) for i in item.inputs}
    for index in reversed(range(len(names))):
        output = graph.operations[index].outputs[0]
        tensor = graph.tensors[output].name
        part = PART.search(tensor) and tensor not in known and output in readers
        name = names[readers[output]] if part else CONVERTED.sub("", tensor)
        names[index] = known.get(tensor, name)
    return names


def _placed(graph: TfliteGraph, events: Sequence[Event]) -> list[int | None]:
    """Return the operation of the file behind each event; None for all that cannot be told."""
    own = {event.index for event in events if event.kind == OPERATION}
    delegated = [part for part in partitions(graph, own) if part.delegated]
    groups = _groups(events)
    if len(groups) != len(delegated):
        return [event.index if event.kind == OPERATION else None for event in events]
    behind: dict[int, int] = {}
    for group, part in zip(groups, delegated, strict=True):
        found = aligned(graph, part, [events[number].name for number in group])
        behind.update(zip(group, found, strict=True))
    return [
        event.index if event.kind == OPERATION else behind[number]
        for number, event in enumerate(events)
    ]


def _groups(events: Sequence[Event]) -> list[list[int]]:
    """Return the positions of the events of each delegate kernel: each begins at 0 again."""
    groups: list[list[int]] = []
    for number, event in enumerate(events):
        if event.kind == DELEGATED:
            if event.index == 0 or not groups:
                groups.append([])
            groups[-1].append(number)
    return groups
