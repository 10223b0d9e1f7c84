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
from styleexport.runtime_bench.profiles._profiler import (
    Profile,
    TimedOperation,
    by_tensor,
    repeated,
)
from styleexport.runtime_bench.profiles._xnnpack import aligned, partitions
from styleexport.runtime_bench.runners._litert_tensors import native_quiet
from styleexport.runtime_bench.runners._runner import RunOptions

# The kernels of LiteRT's CPU: XNNPACK's where it can, or its own optimized ones.
XNNPACK, BUILTIN = 0, 2
INVOKE = "Invoke"
DELEGATE = "XNNPACK"
# Names that the exporter gives: to parts of a layer, and to a layer's output in another type.
PART = re.compile(r"_at_\d+$")
CONVERTED = re.compile(r"_(quantized|dequant)$")


def profiled(
    path: Path, options: RunOptions, inputs: Arrays, layers: Mapping[str, str], *, kernels: int
) -> Profile | None:
    """Return LiteRT's profile; None where it has no profiler, on a GPU, or for a batch.

    Args:
        path: path of the file.
        options: options of the runner.
        inputs: inputs by name, float32; images [1, 3, H, W] in 0..1.
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
    return Profile(tuple(timed), tuple(run[0].elapsed_ns for run in runs))


def _events(library: Library) -> Sequence[Event]:
    """Return the events of several runs, after one to warm up."""
    library.run()
    with library.profiling() as events:
        repeated(library.run)
    return events


def _runs(events: Sequence[Event]) -> list[list[Event]]:
    """Return the events of each run; the first event is the whole run."""
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
) -> Iterator[TimedOperation]:
    """Yield the operations with their times in all runs."""
    events = runs[0][1:] if runs else ()
    placed = _placed(graph, events)
    for number, event in enumerate(events, start=1):
        index = placed[number - 1]
        samples = tuple(run[number].elapsed_ns for run in runs)
        delegate = DELEGATE if event.kind == DELEGATED else "LiteRT"
        if index is None:
            yield TimedOperation(event.name, event.name, samples, 0, delegate)
            continue
        is_first = index not in placed[: number - 1]
        macs = graph.macs(graph.operations[index]) if is_first else 0
        yield TimedOperation(names[index], event.name, samples, macs, delegate)


def _names(graph: TfliteGraph, layers: Mapping[str, str]) -> list[str]:
    """Return the layer of each operation: that of its output, or that its output is a part of.

    A converter numbers the parts of a layer, which lead to the tensor that has the layer's name.
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
    """Return the file's operation of each event; None where it cannot be determined."""
    own = {event.index for event in events if event.kind == OPERATION}
    delegated = [part for part in partitions(graph, own) if part.delegated]
    groups = _groups(events)
    if len(groups) != len(delegated):
        return [event.index if event.kind == OPERATION else None for event in events]
    sources: dict[int, int] = {}
    for group, part in zip(groups, delegated, strict=True):
        operations = aligned(graph, part, [events[number].name for number in group])
        sources.update(zip(group, operations, strict=True))
    return [
        event.index if event.kind == OPERATION else sources[number]
        for number, event in enumerate(events)
    ]


def _groups(events: Sequence[Event]) -> list[list[int]]:
    """Return the positions of the events of each delegate kernel, whose indices start at 0."""
    groups: list[list[int]] = []
    for number, event in enumerate(events):
        if event.kind == DELEGATED:
            if event.index == 0 or not groups:
                groups.append([])
            groups[-1].append(number)
    return groups
