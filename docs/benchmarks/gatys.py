"""Gatys as files: forward pass and one iteration of three loss networks, and what they paint.

Run: python docs/benchmarks/gatys.py WEIGHTS WORK [--rounds N] [--threads N] [--sheet]

WEIGHTS holds ``vgg16`` and ``enet_camvid``; WORK keeps the exported files. The forward pass is that
of the loss: all features and Gram matrices, the role ``encode``. An iteration is one of
`runtime_bench.stylize.lbfgs.optimize` at 256x256: the step and the update of L-BFGS with the
history full. Networks and runtimes take turns of 20 iterations; 5 rounds are 100 runs. Writes
gatys.json and the tables of gatys.md beside this file, and with --sheet the pictures after 10 and
100 iterations, gatys.jpg, of photographs and paintings that ship.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from statistics import fmean

import msgspec
import numpy as np
import torch
from msgspec import Struct
from torch import Tensor

from styleexport.core import assets
from styleexport.core.arrays import Array, Run
from styleexport.core.contact_sheet import picture_grid
from styleexport.core.images import array_from_image, read_image
from styleexport.core.manifest import read_manifest
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.models.network import OPTIMIZATION, LoadedNetwork
from styleexport.models.networks._gatys import GatysNetwork
from styleexport.models.networks._open import open_network
from styleexport.runtime_bench.contract.latency import MachineFact, StateFact
from styleexport.runtime_bench.machine import environment
from styleexport.runtime_bench.runners._runner import RunOptions, runner_for
from styleexport.runtime_bench.stylize.lbfgs import Step, optimize
from styleexport.runtime_bench.stylize.optimization import OptimizeOptions, paint
from styleexport.runtime_bench.stylize.stylizer import StylizeOptions, Stylizer

HERE = Path(__file__).parent
SIZE = Size(256, 256)
NETWORKS = {
    "gatys-vgg16": ("vgg16/vgg16_imagenet_to_relu5_3_fp16.npz",),
    "gatys-enet": ("enet_camvid/best_model.pth",),
    "gatys-vgg-eighth": (),
}
# Parameters as the publication counts them; no topology has the first and the last of them.
PUBLISHED = {"gatys-vgg16": 7_444_896, "gatys-enet": 181_506, "gatys-vgg-eighth": 263_046}
AUTOGRAD, EAGER, ORT, LITERT = "PyTorch, autograd", "PyTorch, written", "ONNX Runtime", "LiteRT"
SUFFIXES = {ORT: ".onnx", LITERT: ".tflite"}
TURN = 20
PAIRS = (("content_lake.jpg", "style_swirl.jpg"), ("content_city.jpg", "style_glass.jpg"))
START, END = "<!-- tables -->", "<!-- end of tables -->"


class Cell(Struct):
    """Wall times of one network in one runtime, in nanoseconds."""

    forward_ns: list[int] = []
    iteration_ns: list[int] = []


class Report(Struct):
    """Contents of gatys.json: times by network and runtime, and the conditions."""

    machine: MachineFact
    before: StateFact
    threads: int
    parameters: dict[str, int]
    cells: dict[str, dict[str, Cell]]


class Measured(Struct):
    """Forward pass and step of one network in one runtime, and the picture they start from."""

    forward: Callable[[], object]
    step: Step
    start: Array


def pictures() -> tuple[Array, Array]:
    """Return the photograph and the painting that are timed."""
    content, style = (read_image(assets.folder() / name) for name in PAIRS[0])
    return array_from_image(centre_crop(content, SIZE)), array_from_image(centre_crop(style, SIZE))


def exported(name: str, network: LoadedNetwork, work: Path) -> Path:
    """Return the artifact of a network, made where it is not there."""
    if not (out := work / name).exists():
        request = ExportRequest(
            network, out, targets=("onnx", "tflite"), precisions=(Precision.FP32,), sizes=(SIZE,)
        )
        export(request, print)
    return out


def by_autograd(network: GatysNetwork, fixed: tuple[Tensor, Tensor]) -> Step:
    """Return the step by automatic differentiation, the usual implementation."""
    target, code = fixed

    def loss_of(image: Tensor) -> Tensor:
        x, loss, start = image, torch.zeros(()), 0
        for name, stage in network.stages.items():
            x = stage(x)
            scaled = x * network.get_buffer(f"{name}_scale") if network.normalized else x
            if name == network.content:
                squares = (scaled - target.reshape(x.shape)).square().mean((2, 3)).sum()
                loss = loss + network.weights.content / 2 * squares
            if name in network.style_layers:
                width, weight = network.style_layers[name]
                rows = scaled.flatten(2)
                gram = rows @ rows.transpose(1, 2) / rows.shape[2]
                expected = code[:, start : start + width**2].reshape(gram.shape)
                start += width**2
                loss = loss + weight / (4 * width**2) * (gram - expected).square().sum()
        squares = image.diff(dim=3).square().sum() + image.diff(dim=2).square().sum()
        return loss + network.weights.smoothness / 2 / image[0, 0].numel() * squares

    def step(picture: Array) -> tuple[float, Array]:
        image = torch.from_numpy(picture).requires_grad_(True)
        loss = loss_of(image)
        loss.backward()
        assert image.grad is not None
        return float(loss.detach()), image.grad.numpy()

    return step


@contextlib.contextmanager
def cells(
    name: str, weights: Path, work: Path, threads: int
) -> Generator[tuple[LoadedNetwork, dict[str, Measured]]]:
    """Yield a network and what is run of it, by runtime."""
    loaded = open_network(name, [weights / path for path in NETWORKS[name]])
    network = loaded.module
    assert isinstance(network, GatysNetwork)
    content, style = pictures()
    one = np.ones(1, np.float32)
    with torch.no_grad():
        code = network.encode(torch.from_numpy(style))
        target = network.content_target(torch.from_numpy(content))
    fixed = {"content_target": target.numpy(), "style_code": code.numpy(), "strength": one}

    def forward() -> Tensor:
        with torch.no_grad():
            return network.encode(torch.from_numpy(content))

    def written(picture: Array) -> tuple[float, Array]:
        with torch.no_grad():
            loss, g = network.step(torch.from_numpy(picture), target, code, torch.ones(1))
        return float(loss), g.numpy()

    by_runtime = {
        AUTOGRAD: Measured(forward, by_autograd(network, (target, code)), content),
        EAGER: Measured(forward, written, content),
    }
    artifact = exported(name, loaded, work)
    files = {
        (f.role, Path(f.path).suffix): artifact / f.path for f in read_manifest(artifact).files
    }
    with contextlib.ExitStack() as stack:
        for runtime, suffix in SUFFIXES.items():
            encode, step = (
                stack.enter_context(runner_for(path).open(path, RunOptions(threads)))
                for path in (files[Role.ENCODE, suffix], files[Role.STEP, suffix])
            )

            def stepped(picture: Array, run: Run = step) -> tuple[float, Array]:
                outputs = run({"image": picture, **fixed})
                return float(outputs["loss"][0]), outputs["gradient"]

            by_runtime[runtime] = Measured(
                lambda run=encode: run({"style": content}), stepped, content
            )
        yield loaded, by_runtime


def turn(measured: Measured, cell: Cell) -> None:
    """Add the times of a turn to a cell: forward passes, then iterations with the history full."""
    measured.forward()
    for _ in range(TURN):
        began = time.perf_counter_ns()
        measured.forward()
        cell.forward_ns.append(time.perf_counter_ns() - began)
    at = list[int]()

    def stamped(picture: Array) -> tuple[float, Array]:
        at.append(time.perf_counter_ns())
        return measured.step(picture)

    how = msgspec.structs.replace(OPTIMIZATION, divergence=1e30)
    optimize(stamped, measured.start, how, TURN + OPTIMIZATION.history)
    cell.iteration_ns += np.diff(at)[-TURN:].tolist()


def painted(artifact: Path, content: str, style: str) -> Iterator[object]:
    """Yield a demo photograph in a demo style after 10 and after 100 iterations."""
    with Stylizer(artifact, RunOptions(), "onnx") as stylizer:
        code = stylizer.encode(read_image(assets.folder() / style))
        photo = read_image(assets.folder() / content)
        for iterations in (10, 100):
            how = OptimizeOptions(iterations)
            yield paint(stylizer, photo, code, StylizeOptions(), how).picture


def sheet(work: Path) -> None:
    """Write gatys.jpg."""
    rows = []
    for content, style in PAIRS:
        given = [read_image(assets.folder() / name) for name in (content, style)]
        paintings = [each for name in NETWORKS for each in painted(work / name, content, style)]
        rows.append([*given, *paintings])
    names = ("VGG-16", "ENet", "an eighth")
    captions = ["photograph", "painting", *(f"{n}, {i}" for n in names for i in (10, 100))]
    picture_grid(rows, 192, captions).save(HERE / "gatys.jpg", quality=88)


def tables(report: Report) -> str:
    """Return the tables of gatys.md."""
    lines = [
        f"Means of {_count(report)} runs, {report.threads} threads, {report.machine.processor}; "
        f"load before {report.before.load_average}.",
        "",
        "| network | runtime | forward, ms | iteration, ms | iteration / forward | "
        "VGG-16's iteration in the same runtime / this |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for name, runtimes in report.cells.items():
        for runtime, cell in runtimes.items():
            forward, iteration = fmean(cell.forward_ns) / 1e6, fmean(cell.iteration_ns) / 1e6
            whole = fmean(report.cells["gatys-vgg16"][runtime].iteration_ns) / 1e6
            lines.append(
                f"| `{name}` | {runtime} | {forward:.1f} | {iteration:.1f} | "
                f"{iteration / forward:.2f} | {whole / iteration:.1f} |"
            )
    lines += ["", "| network | parameters | as published |", "| --- | ---: | ---: |"]
    lines += [f"| `{n}` | {count:,} | {PUBLISHED[n]:,} |" for n, count in report.parameters.items()]
    return "\n".join(lines)


def _count(report: Report) -> int:
    return min(len(c.iteration_ns) for each in report.cells.values() for c in each.values())


def main() -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sheet", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    machine, before = environment.machine(), environment.state()
    report = Report(machine, before, given.threads, {}, {})
    with contextlib.ExitStack() as stack:
        opened: dict[str, dict[str, Measured]] = {}
        for name in NETWORKS:
            loaded, opened[name] = stack.enter_context(
                cells(name, given.weights, given.work, given.threads)
            )
            report.parameters[name] = sum(p.numel() for p in loaded.module.parameters())
            report.cells[name] = {runtime: Cell([], []) for runtime in opened[name]}
        for number in range(given.rounds):
            print(f"round {number + 1} of {given.rounds}", flush=True)
            for name, runtimes in opened.items():
                for runtime, measured in runtimes.items():
                    turn(measured, report.cells[name][runtime])
    (HERE / "gatys.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    page = HERE / "gatys.md"
    head, _, rest = page.read_text(encoding="utf-8").partition(START)
    text = f"{head}{START}\n\n{tables(report)}\n\n{END}{rest.partition(END)[2]}"
    page.write_text(text, encoding="utf-8")
    if given.sheet:
        sheet(given.work)


if __name__ == "__main__":
    main()
