"""What this machine multiplies at best: large products and convolutions, in float and in integers.

ONNX Runtime computes them, since it is always installed. On a Zen 4 core it reaches 96 % of what
the instruction set allows in fp32 and 94 % in int8, so the figure is a peak and not a kernel's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from styleexport.runtime_bench.contract.latency import PeakFact

# The small product fits a short quiet moment, the large one many cores; which of product and
# convolution is faster depends on the kernels of the instruction set.
PRODUCTS = (768, 1536)
CHANNELS, SIDE = 256, 64
SECONDS = 0.3
TURNS = 3
LEAST = 2
METHOD = (
    f"ONNX Runtime on the CPU, the best run of MatMul {PRODUCTS[0]} and {PRODUCTS[1]} and of a "
    f"3x3 Conv of {CHANNELS} channels at {SIDE}x{SIDE}; int8: MatMulInteger and QLinearConv"
)


@dataclass(frozen=True)
class MicroBenchmark:
    """One operation to time.

    Attributes:
        operation: of the model's one node.
        data: what it is fed.
        constants: its other inputs, in order.
        output: element type of what it writes.
        macs: multiply-accumulates of one run.
    """

    operation: str
    data: NDArray[np.generic]
    constants: tuple[NDArray[np.generic], ...]
    output: int
    macs: int

    def model(self) -> onnx.ModelProto:
        """Return the one-node model."""
        names = [f"constant_{number}" for number in range(len(self.constants))]
        pads = {"auto_pad": "SAME_UPPER"} if "Conv" in self.operation else {}
        element = helper.np_dtype_to_tensor_dtype(self.data.dtype)
        graph = helper.make_graph(
            [helper.make_node(self.operation, ["data", *names], ["result"], **pads)],
            "peak",
            [helper.make_tensor_value_info("data", element, self.data.shape)],
            [helper.make_tensor_value_info("result", self.output, self.data.shape)],
            [
                numpy_helper.from_array(value, name)
                for value, name in zip(self.constants, names, strict=True)
            ],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def peak(threads: int, *, seconds: float = SECONDS) -> PeakFact:
    """Return the most multiply-accumulates a second that the CPU was seen to do.

    Args:
        threads: to use.
        seconds: for each of six probes, in turns, so that no one of them meets all disturbances.
    """
    probes = {integer: [*_probes(integer=integer)] for integer in (False, True)}
    runs = {id(probe): _loaded(probe, threads) for found in probes.values() for probe in found}
    best = dict.fromkeys(runs, math.inf)
    for _ in range(TURNS):
        for key, run in runs.items():
            taken = fastest_ns(run, seconds / TURNS, time.perf_counter_ns)
            best[key] = min(best[key], taken)
    gmacs = {
        integer: max(round(probe.macs / best[id(probe)], 1) for probe in found)
        for integer, found in probes.items()
    }
    return PeakFact(threads=threads, fp32_gmacs=gmacs[False], int8_gmacs=gmacs[True], method=METHOD)


def _probes(*, integer: bool) -> Iterator[MicroBenchmark]:
    """Yield the probes of one type."""
    for side in PRODUCTS:
        data, weight = _values((side, side), integer), _values((side, side), integer, weight=True)
        if integer:
            output = onnx.TensorProto.INT32
            yield MicroBenchmark("MatMulInteger", data, (weight,), output, side**3)
        else:
            yield MicroBenchmark("MatMul", data, (weight,), onnx.TensorProto.FLOAT, side**3)
    data = _values((1, CHANNELS, SIDE, SIDE), integer)
    weight = _values((CHANNELS, CHANNELS, 3, 3), integer, weight=True)
    macs = CHANNELS**2 * 9 * SIDE**2
    if integer:
        scale, zero = np.float32(0.02), np.uint8(128)
        quantization = tuple(map(np.asarray, (scale, np.int8(0), scale, zero)))
        constants = (np.asarray(scale), np.asarray(zero), weight, *quantization)
        yield MicroBenchmark("QLinearConv", data, constants, onnx.TensorProto.UINT8, macs)
    else:
        yield MicroBenchmark("Conv", data, (weight,), onnx.TensorProto.FLOAT, macs)


def _values(shape: tuple[int, ...], integer: bool, *, weight: bool = False) -> NDArray[np.generic]:
    """Return seeded values; integers are uint8 for data and int8 for weights, as files have it."""
    rng = np.random.default_rng(0)
    if not integer:
        return rng.random(shape, np.float32)
    return (
        rng.integers(-127, 127, shape, np.int8) if weight else rng.integers(0, 255, shape, np.uint8)
    )


def _loaded(probe: MicroBenchmark, threads: int) -> Callable[[], object]:
    """Return what runs a probe once."""
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 3
    session = ort.InferenceSession(
        probe.model().SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    feed = {"data": probe.data}
    return lambda: session.run(None, feed)


def fastest_ns(run: Callable[[], object], seconds: float, clock: Callable[[], int]) -> int:
    """Return the shortest of the runs that fit some seconds, at least two, in nanoseconds."""
    samples: list[int] = []
    begin = clock()
    while len(samples) < LEAST or clock() - begin < seconds * 1e9:
        before = clock()
        run()
        samples.append(clock() - before)
    return max(min(samples), 1)
