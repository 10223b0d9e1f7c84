"""``.tflite`` files whose weights alone are small: fp16, or int8 with one scale an output channel.

fp16 weights are converted back to float32 when the file is loaded: the file is half as large and
runs on every CPU. int8 weights can be used in two ways. With a dynamic range, a runtime rounds
each convolution's input to int8 as it comes and multiplies integers: faster, and coarser by 0 to 20
dB. Stored weights are converted back to float and nothing else is rounded. The first is taken where
it stays close to the float file on calibration pictures, else the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from styleexport.core.arrays import Arrays
from styleexport.core.manifest import FloatIslandFact, QuantizationFact
from styleexport.core.psnr import psnr_db
from styleexport.exporter.targets.tflite.aeq import (
    DYNAMIC,
    STORED_HALF,
    STORED_INT8,
    quantize,
    weighted,
)
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.runners._runner import RunOptions, find_runner

# The gate is 35 dB on probes; pictures differ by about 2 dB from one another.
LEAST_DYNAMIC_DB = 38.0
PICTURES = 2


def half_weights(source: Path, target: Path) -> None:
    """Write a float32 file with its weights in fp16."""
    graph = read_graph(source)
    quantize(source, target, graph, weighted(graph), STORED_HALF)


def int8_weights(source: Path, target: Path, inputs: Sequence[Arrays]) -> QuantizationFact:
    """Write a float32 file with its weights in int8 and return how it uses them.

    Args:
        source: a float32 file.
        target: the file to write.
        inputs: calibration inputs, the first two of which decide between the two ways.
    """
    graph = read_graph(source)
    quantize(source, target, graph, weighted(graph), DYNAMIC)
    dynamic = _closeness_db(source, target, inputs[:PICTURES]) >= LEAST_DYNAMIC_DB
    if not dynamic:
        quantize(source, target, graph, weighted(graph), STORED_INT8)
    names = tuple(dict.fromkeys(item.name for item in weighted(graph)))
    reason = (
        "activations are float between operations: each rounds its own input to int8"
        if dynamic
        else "only the weights are stored in int8: rounding activations would cost too much here"
    )
    return QuantizationFact(
        scheme="dynamic-range" if dynamic else "weights-only",
        weight_dtype="int8",
        activation_dtype="int8" if dynamic else None,
        per_channel=True,
        calibration=None,
        float_islands=(FloatIslandFact(ops=names, reason=reason),),
    )


def _closeness_db(source: Path, target: Path, inputs: Sequence[Arrays]) -> float:
    """Return the worst PSNR of one file against another, over a few inputs."""
    runner, options = find_runner("litert"), RunOptions()
    worst: list[float] = []
    with runner.open(source, options) as reference, runner.open(target, options) as quantized:
        for values in inputs:
            for name, expected in reference(values).items():
                peak = 1.0 if expected.ndim == 4 else None
                worst.append(psnr_db(quantized(values)[name], expected, peak))
    return min(worst)
