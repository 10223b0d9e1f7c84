"""ONNX Runtime's own profiler, by node of its optimized graph."""

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
from styleexport.runtime_bench.profiles._profiler import (
    LEAST,
    MOST,
    SECONDS,
    Profile,
    TimedOperation,
)
from styleexport.runtime_bench.runners._onnx_batch import widened
from styleexport.runtime_bench.runners._runner import RunOptions
from styleexport.runtime_bench.runners.onnxruntime import CPU, PROVIDERS

# Providers for which it times the launch of a kernel, not the kernel.
STARTS_ONLY = ("cuda", "directml")


def profiler(
    path: Path, options: RunOptions, inputs: Arrays, layers: Mapping[str, str]
) -> Profile | None:
    """Return ONNX Runtime's profile; None for providers that run asynchronously."""
    provider = options.settings.get("provider", "cpu")
    if provider in STARTS_ONLY:
        return None
    model = widened(path, options.batch)
    settings = ProfileSettings(
        threads=options.threads,
        providers=tuple(dict.fromkeys((PROVIDERS[provider], CPU))),
        warm_up=2,
        seconds=SECONDS,
        runs=(LEAST, MOST),
    )
    profile = profile_model(model, inputs, settings)
    known = OnnxLayers(model, layers)
    return Profile(known.with_macs(_timed(profile, known)), profile.runs_ns)


def _timed(profile: OnnxProfile, known: OnnxLayers) -> Iterator[TimedOperation]:
    outputs = {node.name: tuple(node.output) for node in profile.graph.node}
    readers: dict[str, list[str]] = {}
    for node in profile.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node.name)
    for node in profile.nodes:
        written = outputs.get(node.name, ())
        later = [reader for name in written for reader in readers.get(name, ())]
        names = (*written, node.name, *(n for reader in later for n in (*outputs[reader], reader)))
        yield TimedOperation(
            layer=known.find(names) or node.name,
            op=node.op,
            samples_ns=node.samples_ns,
            delegate=_short(node),
        )


def _short(node: ProfiledNode) -> str:
    return node.provider.removesuffix("ExecutionProvider")


PROFILER = profiler
