"""AdaIN on other encoders: what each network costs, how it paints, and how long it takes.

Run: python docs/benchmarks/encoders.py RUNS IMAGES VGG16 LPIPS_HEADS [--pairs N] [--rounds N]
    [--sheets FOLDER] [--only-timed NAME ...]

RUNS holds a folder for each network, named as it is: ``weights.safetensors`` and ``log.jsonl`` of
`styleexport train`, and in artifacts named ``artifact…`` the role transform at 256, 512 and 1024,
as fp32 and, where it holds, int8 of onnx and tflite. IMAGES holds ``eval/content`` and
``eval/style``. Pictures are painted and judged by the float network and by the int8 file of ONNX
Runtime, which takes the style codes of the float network. All times are taken in one process, in
turns. Writes encoders.json, encoders.svg and the tables of encoders.md beside this file; what
encoders.json holds already of the same weights and files is not measured again, unless --rounds is
given for times.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
import torch
from compression_report import Cost
from encoders_report import Measured, Painted, Row, Timing, chart, tables
from int8_report import Entry, Runtime
from int8_sessions import OPTIONS, opened
from int8_timing import conditions, timed
from torch import Tensor

from styleexport.core.arrays import Arrays, Run
from styleexport.core.images import write_image
from styleexport.core.manifest import read_manifest
from styleexport.core.psnr import psnr_db
from styleexport.core.types import Precision, Role, Size
from styleexport.models.checkpoint import sha256_of
from styleexport.models.compress.activation_hooks import macs_of
from styleexport.models.compress.cost import parameters_of
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import open_network
from styleexport.models.training.contact_sheet import sheet_of, squares
from styleexport.models.training.data import image_files
from styleexport.models.training.evaluation import Stylize, evaluate
from styleexport.runtime_bench.quality.fidelity import ssim

HERE = Path(__file__).parent
SIZES = (256, 512, 1024)
JUDGED = 512
RUNTIMES: tuple[tuple[Runtime, str], ...] = (
    ("ONNX Runtime", ".onnx"),
    ("LiteRT", ".tflite"),
    ("OpenVINO", ".onnx"),
)
PRECISIONS = (Precision.FP32, Precision.INT8)
SHEET = 5
LIKENESS = 4
START, END = "<!-- tables -->", "<!-- end of tables -->"


@dataclass(frozen=True)
class Variant:
    """A trained network and the files made of it.

    Attributes:
        folder: folder with its weights and its artifact.
    """

    folder: Path

    @property
    def name(self) -> str:
        """Name of the network."""
        return self.folder.name

    @property
    def weights(self) -> Path:
        """Its weights file."""
        return self.folder / "weights.safetensors"

    @cached_property
    def network(self) -> LoadedNetwork:
        """The network with its weights."""
        return open_network(self.name, [self.weights])

    @cached_property
    def files(self) -> dict[tuple[Precision, str, int], Path]:
        """Files that paint, by precision, suffix and side."""
        return {
            (fact.precision, Path(fact.path).suffix, fact.size.size().height): artifact / fact.path
            for artifact in sorted(self.folder.glob("artifact*"))
            for fact in read_manifest(artifact).files
            if fact.role is Role.TRANSFORM and fact.size is not None
        }

    def role(self, role: Role) -> Callable[..., Tensor]:
        """Return the float network in one role."""
        return self.network.role_module(role)

    def sha256(self, precision: Precision) -> str:
        """Return the digest of what paints in a precision."""
        judged = (precision, ".onnx", JUDGED)
        files = [self.files[judged]] if precision is Precision.INT8 else []
        return sha256_of([self.weights, *files])

    def row(self) -> Row:
        """Return what is known before anything is measured."""
        log = self.folder / "log.jsonl"
        logged = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        size = Size(JUDGED, JUDGED)
        return Row(
            steps=msgspec.json.decode(logged[-1])["step"] if logged else 0,
            cost=Cost(
                parameters=parameters_of(self.network),
                encode_macs=sum(macs_of(self.network, Role.ENCODE, size).values()),
                transform_macs=sum(macs_of(self.network, Role.TRANSFORM, size).values()),
                bytes={
                    f"{p}{suffix}": path.stat().st_size
                    for (p, suffix, side), path in self.files.items()
                    if side == JUDGED
                },
            ),
        )

    @contextlib.contextmanager
    def painter(self, precision: Precision, side: int) -> Generator[Stylize]:
        """Yield what paints pictures of a side: the float network, or its int8 ONNX file."""
        encode, transform = self.role(Role.ENCODE), self.role(Role.TRANSFORM)
        if precision is Precision.FP32:
            yield lambda content, style: transform(content, encode(style), torch.ones(1))
            return
        file = self.files[precision, ".onnx", side]
        with opened(_entry(self.name, "ONNX Runtime", file)) as (session, _):

            def paint(content: Tensor, style: Tensor) -> Tensor:
                inputs = _arrays(content, encode(style))
                return torch.from_numpy(session(inputs)["image"])

            yield paint


def _entry(name: str, runtime: Runtime, file: Path) -> Entry:
    return Entry(name=name, runtime=runtime, kind="ours", file=file)


def _arrays(content: Tensor, code: Tensor) -> dict[str, np.ndarray]:
    one = np.ones(1, np.float32)
    return {"content": content.numpy(), "style_code": code.numpy(), "strength": one}


@torch.inference_mode()
def judged(variant: Variant, precision: Precision, given: argparse.Namespace) -> Painted:
    """Return how a network paints the evaluation pictures."""
    paths = [image_files([given.images / "eval" / kind]) for kind in ("content", "style")]
    contents, styles = (squares(each, JUDGED) for each in paths)
    with variant.painter(precision, JUDGED) as paint:
        figures, outputs = evaluate(
            paint, contents, styles, given.loss_weights, given.heads, given.pairs
        )
    if given.sheets is not None:
        sheet = sheet_of(contents[:SHEET], styles[:SHEET], outputs[:SHEET, :SHEET], 256)
        write_image(sheet, given.sheets / f"{variant.name}-{precision}.png")
    kept: dict[str, tuple[float, float]] = {}
    for side in SIZES:
        if precision is Precision.FP32 or (precision, ".onnx", side) in variant.files:
            with variant.painter(precision, side) as paint:
                kept[str(side)] = _likeness(paint, *(squares(each, side) for each in paths))
    assert figures.lpips is not None
    return Painted(
        sha256=variant.sha256(precision),
        pairs=figures.pairs,
        style_distance=figures.style_distance,
        lpips=figures.lpips,
        gains=tuple(gain.mean for gain in figures.gain_beyond_colour),
        likeness=kept,
    )


def _likeness(paint: Stylize, contents: Tensor, styles: Tensor) -> tuple[float, float]:
    """Return mean PSNR in dB and SSIM of four paintings to their photographs, a style each."""
    figures: list[tuple[float, float]] = []
    pairs = zip(contents.split(1), styles.split(1), strict=False)
    for content, style in islice(pairs, LIKENESS):
        output, photograph = paint(content, style).clamp(0, 1).numpy(), content.numpy()
        figures.append((psnr_db(output, photograph), ssim(output, photograph)))
    psnr, structure = (sum(column) / len(column) for column in zip(*figures, strict=True))
    return psnr, structure


@torch.inference_mode()
def times(variants: Sequence[Variant], images: Path, rounds: int) -> list[Timing]:
    """Return the samples of every network, way to paint and size, sizes one after the other."""
    photograph = image_files([images / "eval" / "content"])[:1]
    timings: list[Timing] = []
    for side in SIZES:
        content = squares(photograph, side)
        with contextlib.ExitStack() as stack:
            ways = list(_ways(variants, content, stack))
            samples = timed({n: run for n, (_, run) in enumerate(ways)}, {}, rounds)
        timings += [
            msgspec.structs.replace(timing, samples_ns=tuple(samples[number]))
            for number, (timing, _) in enumerate(ways)
        ]
    return timings


def _ways(
    variants: Sequence[Variant], content: Tensor, stack: contextlib.ExitStack
) -> Iterator[tuple[Timing, Run]]:
    """Yield each way to paint: eager with the style encoded each time, files with its code."""
    side = content.shape[-1]
    for variant in variants:
        stylize = variant.role(Role.STYLIZE)
        yield (
            Timing(variant.name, "PyTorch eager", Precision.FP32, side),
            _eager(stylize, content),
        )
        arrays = _arrays(content, variant.role(Role.ENCODE)(content))
        for runtime, suffix in RUNTIMES:
            for precision in PRECISIONS:
                file = variant.files.get((precision, suffix, side))
                if file is not None:
                    entry = _entry(variant.name, runtime, file)
                    session, _ = stack.enter_context(opened(entry))
                    yield Timing(variant.name, runtime, precision, side), _fixed(session, arrays)


def _eager(stylize: Callable[..., Tensor], content: Tensor) -> Run:
    def run(_: Arrays) -> dict[str, np.ndarray]:
        return {"image": stylize(content, content, torch.ones(1)).numpy()}

    return run


def _fixed(session: Run, arrays: Arrays) -> Run:
    return lambda _: session(arrays)


def read_measured(path: Path) -> Measured:
    """Return what an earlier run measured."""
    return msgspec.json.decode(path.read_bytes(), type=Measured) if path.exists() else Measured()


def write(measured: Measured) -> None:
    """Write the figures, the tables and the chart."""
    encoded = msgspec.json.format(msgspec.json.encode(measured), indent=1)
    (HERE / "encoders.json").write_bytes(encoded + b"\n")
    page = HERE / "encoders.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(f"{START}\n")
    after = rest.partition(END)[2]
    page.write_text(f"{before}{START}\n{tables(measured)}{END}{after}", encoding="utf-8")
    if measured.timings:
        (HERE / "encoders.svg").write_text(chart(measured), encoding="utf-8")


def paint_all(
    variants: Sequence[Variant], given: argparse.Namespace, known: Mapping[str, Row]
) -> Iterator[dict[str, Row]]:
    """Yield the rows after each that was measured."""
    rows = dict(known)
    for variant in variants:
        earlier = rows[variant.name].painted if variant.name in rows else {}
        row = rows[variant.name] = variant.row()
        for precision in () if variant.name in given.only_timed else PRECISIONS:
            if precision is Precision.INT8 and (precision, ".onnx", JUDGED) not in variant.files:
                continue
            painted = earlier.get(str(precision))
            if painted is None or painted.sha256 != variant.sha256(precision):
                painted = judged(variant, precision, given)
                sys.stderr.write(f"{variant.name} {precision} {painted}\n")
            row = msgspec.structs.replace(row, painted=row.painted | {str(precision): painted})
            rows[variant.name] = row
            yield rows
    yield rows


def main(arguments: Sequence[str]) -> None:
    """Measure the networks, and write what was measured."""
    parser = argparse.ArgumentParser(description="Measure AdaIN networks of other encoders.")
    parser.add_argument("runs", type=Path, help="folder of one folder for each network")
    parser.add_argument("images", type=Path, help="folder that holds eval/content and eval/style")
    parser.add_argument("loss_weights", type=Path, help="ImageNet VGG-16 weights")
    parser.add_argument("heads", type=Path, help="LPIPS heads for VGG-16")
    parser.add_argument("--pairs", type=int, help="pairs to judge at 512; all without it")
    parser.add_argument("--rounds", type=int, default=0, help="rounds of times; 0 for none")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    parser.add_argument("--only-timed", nargs="*", default=[], metavar="NAME")
    given = parser.parse_args(arguments)
    torch.set_num_threads(OPTIONS.threads or 0)
    variants = [Variant(path.parent) for path in sorted(given.runs.glob("*/weights.safetensors"))]
    result = read_measured(HERE / "encoders.json")
    for rows in paint_all(variants, given, result.rows):
        result = msgspec.structs.replace(result, rows=rows)
        write(result)
    if given.rounds:
        before = os.getloadavg()[0]
        timings = times(variants, given.images, given.rounds)
        result = msgspec.structs.replace(
            result,
            timings=tuple(timings),
            **conditions(before),
        )
    write(result)


if __name__ == "__main__":
    main(sys.argv[1:])
