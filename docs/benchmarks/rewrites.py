"""Time of layers before and after they become phase convolutions, a runtime and precision each.

    python docs/benchmarks/rewrites.py [--rounds 15]

Each layer stands alone, with a ReLU behind it, as a file of ours, in ONNX Runtime and LiteRT,
in float32 and int8, and (ONNX files) in OpenVINO, with two threads. Both forms run in turns in one
process; a cell is the time before, and the median of the ratios of after by before. The last column
is what `exporter.rewrites.choices` estimates of the layer, which decides for float ONNX files and
for upsampled layers of int8 files.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn import functional

from styleexport.core.arrays import Arrays
from styleexport.core.manifest import CalibrationFact, TensorFact
from styleexport.core.recipe import Settings
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.graph import Graph, trace
from styleexport.exporter.quantize.calibration_inputs import CalibrationInputs
from styleexport.exporter.quantize.plan import make_plan
from styleexport.exporter.rewrites.choices import FLOATS, INTEGERS, PHASES, for_integers
from styleexport.exporter.rewrites.phase_convs import rewrite_transposed, rewrite_upsampled
from styleexport.exporter.rewrites.phase_layers import Choice, Layer
from styleexport.exporter.targets._target import Recipe, Target, find_target
from styleexport.runtime_bench.runners._runner import RunOptions, Session, find_runner

RUNTIMES = {"onnxruntime": "onnx", "openvino": "onnx", "litert": "tflite"}
ROUND_SECONDS = 0.03


class Upsampled(nn.Module):
    """Nearest upsampling by 2, a reflection, a 3x3 convolution, a ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.interpolate(x, scale_factor=2, mode="nearest")
        return functional.relu(self.conv(functional.pad(x, [1] * 4, mode="reflect")))


class Transposed(nn.Module):
    """A transposed convolution of stride 2, a ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, kernel, 2, 1, kernel % 2)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.conv(x))


@dataclass(frozen=True)
class Case:
    """A layer: its name, module, input channels and side."""

    name: str
    module: nn.Module
    channels: int
    side: int


def cases() -> Iterator[Case]:
    """Yield layers as style networks have them."""
    for inputs, outputs, side in ((128, 64, 64), (64, 32, 128), (32, 16, 128), (256, 128, 64)):
        name = f"upsampled {inputs} -> {outputs}, {side} -> {2 * side}"
        yield Case(name, Upsampled(inputs, outputs), inputs, side)
    for inputs, outputs, kernel, side in ((128, 64, 3, 64), (64, 32, 3, 128), (64, 32, 4, 128)):
        name = f"transposed {kernel}x{kernel}, {inputs} -> {outputs}, {side} -> {2 * side}"
        yield Case(name, Transposed(inputs, outputs, kernel), inputs, side)


def graph_of(case: Case) -> Graph:
    """Return a layer as a graph."""
    shape = (1, case.channels, case.side, case.side)
    given = TensorFact(name="x", kind="image", shape=shape, dtype="float32", layout="NCHW")
    with torch.no_grad():
        output = case.module(torch.zeros(shape))
    made = TensorFact(
        name="y", kind="image", shape=tuple(output.shape), dtype="float32", layout="NCHW"
    )
    program = trace(case.module.eval(), (torch.zeros(shape),), (given,), False, 1)
    size = Size(case.side, case.side)
    return Graph(program, Role.FEATURES, size, False, 1, (given,), (made,))


def transposed(graph: Graph) -> bool:
    """Whether a graph has a transposed convolution."""
    return any("conv_transpose2d" in node.name for node in graph.reading.graph.nodes)


def written(
    target: Target, graph: Graph, inputs: CalibrationInputs, precision: Precision, path: Path
) -> Path:
    """Write a file of a graph; of a transposed convolution as it is, int8 is float."""
    integers = precision is Precision.INT8 and not transposed(graph)
    recipe = Recipe(precision if integers else Precision.FP32)
    if integers:
        applied = make_plan(graph, inputs, Settings(equalize=0.75)).applied(
            expand_norms=target.expands_norms
        )
        graph, recipe = applied.graph, Recipe(precision, int8=applied.recipe)
    target.write(graph, recipe, path, lambda: inputs.inputs)
    return path


def estimates(graph: Graph) -> dict[str, float]:
    """Return float or int8 → the share of the layer's time that is estimated."""
    found: dict[str, float] = {}

    def keep(layer: Layer) -> Choice:
        for name, rates in (("fp32", FLOATS["onnx"]), ("int8", INTEGERS["onnx"])):
            found[name] = rates.share(layer)
        return Choice(taken=False, reason="")

    for rewrite in (rewrite_transposed, rewrite_upsampled):
        rewrite(graph.module(), keep)
    return found


def ratio(before: Session, after: Session, inputs: Arrays, rounds: int) -> tuple[float, float]:
    """Return the median time of the first in ms, and the median ratio of the second by it."""
    times: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        pair = [0.0, 0.0]
        for place in (0, 1) if number % 2 else (1, 0):
            session, runs = (before, after)[place], 0
            session(inputs)
            started = time.perf_counter()
            while time.perf_counter() - started < ROUND_SECONDS:
                session(inputs)
                runs += 1
            pair[place] = (time.perf_counter() - started) / runs
        times.append((pair[0], pair[1]))
    return 1e3 * median(a for a, _ in times[1:]), median(b / a for a, b in times[1:])


def rows(case: Case, folder: Path, rounds: int) -> Iterator[str]:
    """Yield a line of the table for each precision of a layer."""
    torch.manual_seed(0)
    graph = graph_of(case)
    generator = torch.Generator().manual_seed(1)
    fed = [
        {"x": torch.rand(1, case.channels, case.side, case.side, generator=generator).numpy()}
        for _ in range(2)
    ]
    fact = CalibrationFact(method="min-max", images=2, styles=0, sha256="0" * 64)
    inputs, told = CalibrationInputs(tuple(fed), fact), estimates(graph)
    forms = (for_integers(graph, PHASES)[0], for_integers(graph)[0])
    for precision in (Precision.FP32, Precision.INT8):
        figures: list[str] = []
        for runtime, name in RUNTIMES.items():
            target = find_target(name)
            files = [
                written(target, form, inputs, precision, folder / f"{number}{target.suffix}")
                for number, form in enumerate(forms)
            ]
            runner, options = find_runner(runtime), RunOptions(threads=2)
            with ExitStack() as stack:
                before, after = (stack.enter_context(runner.open(x, options)) for x in files)
                milliseconds, share = ratio(before, after, fed[0], rounds)
            figures.append(f"{milliseconds:.1f} ms, {share:.2f}")
        yield f"| {case.name} | {precision} | {' | '.join(figures)} | {told[precision]:.2f} |"


def main(show: Callable[[str], None] = print) -> None:
    """Measure every layer and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    show("| layer | precision | ONNX Runtime | OpenVINO | LiteRT | estimated |")
    show("|---|---|---|---|---|---|")
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        for case in cases():
            for line in rows(case, Path(folder), rounds):
                show(line)


if __name__ == "__main__":
    main()
