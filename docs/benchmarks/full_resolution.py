"""Pictures of any size in tiles: exactness, seconds, memory, and what another strength costs.

Run: python docs/benchmarks/full_resolution.py WORK [--exact] [--int8] [--times] [--rounds N]
    [--checkpoint NETWORK=FILE ...] [--only NETWORK ...]

WORK keeps the artifacts, which are exported first: fp32 and int8 ONNX files with windows of
512x512 that paint in tiles, and files of 1024x1024 that paint at once. --exact compares tiles with
the network on the whole picture in PyTorch, at 1024 and 2048 pixels and several windows; --int8
compares tiles with the int8 file of 1024x1024; --times measures seconds and peak memory, each in a
process of its own. Networks that need weights are measured where --checkpoint names them, once per
file. Writes full_resolution.json and the tables of full_resolution.md beside this file; what is not
asked for is kept as it was.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import msgspec
import numpy as np
from full_resolution_report import Exact, Int8, Measured, Painted, tables
from int8_sessions import OPTIONS
from int8_timing import conditions
from PIL import Image

from styleexport.core import assets
from styleexport.core.images import array_from_image, read_image
from styleexport.core.manifest import read_manifest
from styleexport.core.psnr import psnr_db
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.exporter.request import painting_role
from styleexport.exporter.tile_proof import prove
from styleexport.exporter.tiling.split import split
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import open_network
from styleexport.runtime_bench.machine.memory import peak_rss_bytes
from styleexport.runtime_bench.runners._runner import runner_for
from styleexport.runtime_bench.stylize.full_picture import FullPainter, ImagePicture
from styleexport.runtime_bench.stylize.stylizer import StylizeOptions, Stylizer

HERE = Path(__file__).parent
START, END = "<!-- tables -->", "<!-- end of tables -->"
WINDOW, WHOLE = Size(512, 512), Size(1024, 1024)
SHIPPED = ("adain-lite", "adain-residual", "adain-mobilenetv2", "adain-efficientnet-lite0")
# Side of the picture → windows that it is painted in.
EXACT = {1024: (Size(512, 512), Size(384, 448), Size(256, 640)), 2048: (Size(512, 512),)}
# Networks whose windows have other sizes, and the pictures of their times: 40, 12, 4 and 1 MP.
SIZES = (Size(5480, 7300), Size(3000, 4000), Size(1728, 2304), Size(1024, 1024))
TIMED = {"adain-lite": SIZES, "adain-vgg16": SIZES[:1], "fast-style": SIZES[1:2]}
INT8 = ("adain-lite",)
PRECISIONS = (Precision.FP32, Precision.INT8)


def photograph(size: Size) -> Image.Image:
    """Return the shipped photograph, enlarged."""
    image = read_image(assets.folder() / assets.DEMO_CONTENT)
    return image.resize((size.width, size.height), Image.Resampling.BICUBIC)


def exact_rows(network: LoadedNetwork) -> list[Exact]:
    """Return how near tiles come to the whole picture, by size and window."""
    role, rows = painting_role(network), list[Exact]()
    assert role is not None
    for side, windows in EXACT.items():
        for window in windows:
            graph, _ = apply_passes(capture(network, role, window))
            parts = split(graph)
            proof = prove(network, parts, Size(side, side))
            name, passes = network.network.name, len(parts.passes)
            facts = (proof.tiled_db, proof.largest_difference)
            rows.append(Exact(name, str(window), side, passes, parts.grid, *facts))
            sys.stderr.write(f"{rows[-1]}\n")
    return rows


def precisions_of(name: str) -> tuple[Precision, ...]:
    """Return the precisions in which a network is measured."""
    return PRECISIONS if name in INT8 else PRECISIONS[:1]


def artifacts(network: LoadedNetwork, work: Path) -> tuple[Path, Path]:
    """Return the artifact that paints in tiles and the one of whole pictures; exported once."""
    name = network.network.name
    role = painting_role(network)
    assert role is not None
    roles = (Role.ENCODE, role) if Role.ENCODE in network.roles else (role,)
    found: list[Path] = []
    for size, full in ((WINDOW, True), (WHOLE, False)):
        out = work / f"{name}-{size}"
        found.append(out)
        if not out.exists():
            export(
                ExportRequest(
                    network,
                    out,
                    precisions=precisions_of(name),
                    roles=roles,
                    sizes=(size,),
                    full=full,
                    allow_degraded=True,
                ),
                lambda line: None if "write" in line else print(line, file=sys.stderr),
            )
    return found[0], found[1]


def code_of(stylizer: Stylizer) -> np.ndarray | None:
    """Return the code of the shipped painting; None for a network with a style of its own."""
    if stylizer.is_fixed_style:
        return None
    return stylizer.encode(read_image(assets.folder() / assets.DEMO_STYLE))


def int8_row(network: LoadedNetwork, work: Path) -> Int8:
    """Return what int8 loses of the float network, in tiles and at once, at 1024x1024."""
    tiled, whole = artifacts(network, work)
    photo = photograph(WHOLE)
    with Stylizer(tiled, OPTIONS, "onnx", Precision.INT8) as stylizer:
        code = code_of(stylizer)
        in_tiles = array_from_image(FullPainter(stylizer).paint(photo, code))
    inputs = {"content": array_from_image(photo)}
    if code is not None:
        inputs |= {"style_code": code, "strength": np.ones(1, np.float32)}
    expected, own = (
        _run(painting_file(whole, precision), inputs)
        for precision in (Precision.FP32, Precision.INT8)
    )
    losses = [round(psnr_db(x, expected, 1.0), 2) for x in (own, in_tiles)]
    return Int8(network.network.name, *losses)


def painting_file(artifact: Path, precision: Precision) -> Path:
    """Return the file of one size that paints."""
    (path,) = (
        fact.path
        for fact in read_manifest(artifact).files
        if fact.precision is precision and fact.role in (Role.TRANSFORM, Role.STYLIZE)
    )
    return artifact / path


def _run(path: Path, inputs: dict[str, np.ndarray]) -> np.ndarray:
    with runner_for(path).open(path, OPTIONS) as session:
        return session(inputs)["image"]


def timed_whole(artifact: Path, precision: Precision, rounds: int) -> Painted:
    """Return seconds and memory of the file that paints 1024x1024 at once."""
    path, name = painting_file(artifact, precision), read_manifest(artifact).network.name
    inputs = {"content": array_from_image(photograph(WHOLE))}
    if name != "fast-style":
        with Stylizer(artifact, OPTIONS, "onnx", precision) as stylizer:
            inputs |= {"style_code": code_of(stylizer), "strength": np.ones(1, np.float32)}
    with runner_for(path).open(path, OPTIONS) as session:
        session(inputs)
        seconds = [_seconds(lambda: session(inputs)) for _ in range(rounds)]
    return _painted(name, precision, WHOLE, "at once", seconds)


def timed_tiles(artifact: Path, precision: Precision, size: Size, rounds: int) -> list[Painted]:
    """Return seconds and memory of a picture in tiles, and of another strength afterwards."""
    photo = photograph(size)
    full, again, half = list[float](), list[float](), StylizeOptions(alpha=0.5)
    with Stylizer(artifact, OPTIONS, "onnx", precision) as stylizer:
        code, painter = code_of(stylizer), FullPainter(stylizer)
        name = stylizer.manifest.network.name
        painter.paint(photo.crop((0, 0, 512, 512)), code)
        for _ in range(rounds):
            started = time.perf_counter()
            with painter.tiled.features(ImagePicture(photo)) as features:
                painter.render(features, photo, code, keep=True)
                full.append(time.perf_counter() - started)
                if not stylizer.is_fixed_style:
                    started = time.perf_counter()
                    painter.render(features, photo, code, half, keep=True)
                    again.append(time.perf_counter() - started)
    rows = [_painted(name, precision, size, "in tiles", full)]
    return [*rows, *([_painted(name, precision, size, "again", again)] if again else [])]


def _painted(
    name: str, precision: Precision, size: Size, way: str, seconds: Sequence[float]
) -> Painted:
    return Painted(
        name, str(precision), str(size), way, round(median(seconds), 3), peak_rss_bytes()
    )


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def in_a_process(*arguments: object) -> list[Painted]:
    """Return rows that a process of its own measures."""
    command = [sys.executable, __file__, "--child", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=list[Painted])


def child(way: str, artifact: str, precision: str, size: str, rounds: str) -> None:
    """Measure in this process, and print the rows."""
    kind = Precision(precision)
    if way == "whole":
        rows = [timed_whole(Path(artifact), kind, int(rounds))]
    else:
        rows = timed_tiles(Path(artifact), kind, Size.parse(size), int(rounds))
    print(msgspec.json.encode(rows).decode())


def timed_rows(
    network: LoadedNetwork, work: Path, rounds: int, precisions: Sequence[Precision]
) -> list[Painted]:
    """Return seconds and memory of a network's pictures."""
    name = network.network.name
    tiled, whole = artifacts(network, work)
    rows: list[Painted] = []
    for precision in precisions:
        rows += in_a_process("whole", whole, precision, WHOLE, 5)
        for size in TIMED[name]:
            rows += in_a_process("tiles", tiled, precision, size, rounds)
            sys.stderr.write(f"{rows[-1]}\n")
    return rows


def write(measured: Measured) -> None:
    """Write the figures and the tables."""
    encoded = msgspec.json.format(msgspec.json.encode(measured), indent=1)
    (HERE / "full_resolution.json").write_bytes(encoded + b"\n")
    page = HERE / "full_resolution.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(f"{START}\n")
    after = rest.partition(END)[2]
    page.write_text(f"{before}{START}\n{tables(measured)}{END}{after}", encoding="utf-8")


def read_measured() -> Measured:
    """Return the figures as they were."""
    path = HERE / "full_resolution.json"
    return msgspec.json.decode(path.read_bytes(), type=Measured) if path.exists() else Measured()


def main(arguments: Sequence[str]) -> None:
    """Measure what is asked for, and write the tables after each network."""
    if arguments and arguments[0] == "--child":
        child(*arguments[1:])
        return
    parser = argparse.ArgumentParser(description="Measure pictures that are painted in tiles.")
    parser.add_argument("work", type=Path, help="folder that keeps the artifacts")
    parser.add_argument("--exact", action="store_true", help="compare with the whole picture")
    parser.add_argument("--int8", action="store_true", help="compare int8 in tiles and at once")
    parser.add_argument("--times", action="store_true", help="measure seconds and memory")
    parser.add_argument("--rounds", type=int, default=1, help="paintings of each size")
    parser.add_argument("--checkpoint", nargs="*", default=[], metavar="NETWORK=FILE")
    parser.add_argument("--only", nargs="*", metavar="NETWORK")
    given = parser.parse_args(arguments)
    weights: dict[str, list[Path]] = {name: [] for name in SHIPPED}
    for item in given.checkpoint:
        name, path = item.split("=", 1)
        weights.setdefault(name, []).append(Path(path))
    given.work.mkdir(parents=True, exist_ok=True)
    measured, before = read_measured(), os.getloadavg()[0]
    for name in given.only or weights:
        network = open_network(name, weights[name])
        if given.exact:
            measured = measured.with_exact(exact_rows(network))
        if given.int8 and name in INT8:
            measured = measured.with_int8(int8_row(network, given.work))
        if given.times and name in TIMED:
            rows = timed_rows(network, given.work, given.rounds, precisions_of(name))
            facts = conditions(before)
            measured = msgspec.structs.replace(measured.with_painted(rows), **facts)
        write(measured)


if __name__ == "__main__":
    main(sys.argv[1:])
