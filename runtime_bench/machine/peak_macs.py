"""Peak multiply-accumulate rate of this machine: large products and convolutions, fp32 and int8.

ONNX Runtime computes them, since it is always installed. On a Zen 4 core it reaches 96 % of the
instruction set's theoretical peak in fp32 and 94 % in int8.
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
ROUNDS = 3
MIN_RUNS = 2
METHOD = (
    f"ONNX Runtime on the CPU, the best run of MatMul {PRODUCTS[0]} and {PRODUCTS[1]} and of a "
    f"3x3 Conv of {CHANNELS} channels at {SIDE}x{SIDE}; int8: MatMulInteger and QLinearConv"
)


@dataclass(frozen=True)
class MicroBenchmark:
    """One operation to time.

    Attributes:
        operation: type of the model's one node.
        data: input array.
        constants: other inputs, in order.
        output: ONNX element type of the output.
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
    """Return the highest measured multiply-accumulate rate of the CPU, in fp32 and in int8.

    Args:
        threads: number of threads.
        seconds: time for each of six benchmarks; they alternate, so that a disturbance does not hit
            one of them alone.
    """
    benchmarks = {integer: [*_benchmarks(integer=integer)] for integer in (False, True)}
    runs = {id(item): _loaded(item, threads) for items in benchmarks.values() for item in items}
    best = dict.fromkeys(runs, math.inf)
    for _ in range(ROUNDS):
        for key, run in runs.items():
            taken = fastest_ns(run, seconds / ROUNDS, time.perf_counter_ns)
            best[key] = min(best[key], taken)
    gmacs = {
        integer: max(round(item.macs / best[id(item)], 1) for item in items)
        for integer, items in benchmarks.items()
    }
    return PeakFact(threads=threads, fp32_gmacs=gmacs[False], int8_gmacs=gmacs[True], method=METHOD)


def _benchmarks(*, integer: bool) -> Iterator[MicroBenchmark]:
    """Yield the benchmarks in fp32, or those in int8."""
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
    """Return seeded values; as in files, integers are uint8 for data and int8 for weights."""
    rng = np.random.default_rng(0)
    if not integer:
        return rng.random(shape, np.float32)
    return (
        rng.integers(-127, 127, shape, np.int8) if weight else rng.integers(0, 255, shape, np.uint8)
    )


def _loaded(benchmark: MicroBenchmark, threads: int) -> Callable[[], object]:
    """Return a function that runs a benchmark once."""
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 3
    session = ort.InferenceSession(
        benchmark.model().SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    feed = {"data": benchmark.data}
    return lambda: session.run(None, feed)


def fastest_ns(run: Callable[[], object], seconds: float, clock: Callable[[], int]) -> int:
    """Return the duration of the fastest run in ns.

    Args:
        run: function to time.
        seconds: time to spend; two runs at least are made.
        clock: monotonic clock in ns.
    """
    samples: list[int] = []
    begin = clock()
    while len(samples) < MIN_RUNS or clock() - begin < seconds * 1e9:
        before = clock()
        run()
        samples.append(clock() - before)
    return max(min(samples), 1)
