"""ONNX Runtime's own profiler, node by node of the graph that it made of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from styleexport.core.arrays import Arrays
from styleexport.runtime_bench.execution.onnx_profile import (
    OnnxProfile,
    ProfiledNode,
    ProfileSettings,
    profile_model,
)
from styleexport.runtime_bench.profiles._onnx_layers import OnnxLayers
from styleexport.runtime_bench.profiles._profiler import LEAST, MOST, SECONDS, Profiled, Timed
from styleexport.runtime_bench.runners._onnx_batch import widened
from styleexport.runtime_bench.runners._runner import RunOptions
from styleexport.runtime_bench.runners.onnxruntime import CPU, PROVIDERS

# It times how long these take to start a kernel, not how long the kernel takes.
STARTS_ONLY = ("cuda", "directml")


def profiler(
    path: Path, options: RunOptions, inputs: Arrays, layers: Mapping[str, str]
) -> Profiled | None:
    """Return the kernel times of ONNX Runtime's trace; None for providers that run behind it."""
    provider = options.settings.get("provider", "cpu")
    if provider in STARTS_ONLY:
        return None
    model = widened(path, options.batch)
    how = ProfileSettings(
        threads=options.threads,
        providers=tuple(dict.fromkeys((PROVIDERS[provider], CPU))),
        warm_up=2,
        seconds=SECONDS,
        runs=(LEAST, MOST),
    )
    found = profile_model(model, inputs, how)
    known = OnnxLayers(model, layers)
    return Profiled(known.with_macs(_timed(found, known)), found.runs_ns)


def _timed(found: OnnxProfile, known: OnnxLayers) -> Iterator[Timed]:
    outputs = {node.name: tuple(node.output) for node in found.graph.node}
    readers: dict[str, list[str]] = {}
    for node in found.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node.name)
    for node in found.nodes:
        written = outputs.get(node.name, ())
        later = [reader for name in written for reader in readers.get(name, ())]
        names = (*written, node.name, *(n for reader in later for n in (*outputs[reader], reader)))
        yield Timed(
            layer=known.find(names) or node.name,
            op=node.op,
            samples_ns=node.samples_ns,
            delegate=_short(node),
        )


def _short(node: ProfiledNode) -> str:
    return node.provider.removesuffix("ExecutionProvider")


PROFILER = profiler
