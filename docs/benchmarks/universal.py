"""Universal style transfer, seven methods: time, memory, quality, beside ArtNet's published table.

Run: python docs/benchmarks/universal.py RUNS CD16X IMAGES VGG16 LPIPS_HEADS [--pairs N]
    [--rounds N] [--peaks] [--prune] [--sheet FILE] [--only METHOD ...]

RUNS holds ``weights.safetensors`` of `styleexport train` in a folder for each method that is
trained here (style-swap, linear-wct, avatar-net, artnet, artnet-mobilenetv2); the other three are
read from CD16X, the folder of Collaborative Distillation's files. A method whose folder has no
``artifact`` is exported first: encode and transform as fp32 ONNX at 128, 256, 512 and 1024. IMAGES
holds ``eval/content`` and ``eval/style``. --pairs judges that many pairs at 512x512, --rounds times
every way in one process, in turns, --peaks measures the peak memory of one painting in a process of
its own, --prune removes channels that are always zero. Where a GPU is at hand, eager PyTorch is
timed on it too. Writes universal.json and the tables of universal.md beside this file; what is not
asked for is kept as it was.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import torch
from compression_quality import judged, read_scales
from encoders_report import Timing
from int8_sessions import OPTIONS
from int8_timing import conditions, timed
from torch import Tensor
from universal_report import CUDA, EAGER, FILE, SIDES, Measured, Method, Pruned, tables, timing

from styleexport.core.arrays import Arrays, Run
from styleexport.core.contact_sheet import picture_grid
from styleexport.core.images import image_from_array
from styleexport.core.manifest import read_manifest
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.models.checkpoint import sha256_of
from styleexport.models.compress.cost import parameters_of
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import open_network, weight_files
from styleexport.models.training.contact_sheet import squares
from styleexport.models.training.data import image_files
from styleexport.runtime_bench.machine.memory import peak_rss_bytes
from styleexport.runtime_bench.runners._runner import runner_for

HERE = Path(__file__).parent
JUDGED = 512
CELL = 256
START, END = "<!-- tables -->", "<!-- end of tables -->"
# Method → its name in the publication's table, and its network.
METHODS = {
    "style-swap": ("StyleSwap", "style-swap"),
    "adain-cd16x": ("AdaIN", "adain-cd16x"),
    "wct": ("WCT", "wct"),
    "linear-wct": ("LinearWCT", "linear-wct"),
    "optimal-wct": ("OptimalWCT", "optimal-wct"),
    "avatar-net": ("Avatar-Net", "avatar-net"),
    "artnet": ("ArtNet", "artnet"),
    "artnet-mobilenetv2": ("", "artnet"),
}


@dataclass(frozen=True)
class Variant:
    """A method with its weights and files.

    Attributes:
        name: name of the method.
        folder: folder with its weights, where it is trained here, and its artifact.
        cd16x: folder of Collaborative Distillation's files.
    """

    name: str
    folder: Path
    cd16x: Path

    @property
    def checkpoints(self) -> list[Path]:
        """Its weights files."""
        own = self.folder / "weights.safetensors"
        if own.exists():
            return [own]
        if self.name == "adain-cd16x":
            return [self.cd16x / "e4.pth", self.cd16x / "d4.pth"]
        return [self.cd16x]

    @cached_property
    def network(self) -> LoadedNetwork:
        """The network with its weights."""
        return open_network(METHODS[self.name][1], self.checkpoints)

    @cached_property
    def files(self) -> dict[int, Path]:
        """Files that paint, by side; the artifact is written where there is none."""
        artifact = self.folder / "artifact"
        if not artifact.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            sizes = tuple(Size(side, side) for side in SIDES)
            roles = (Role.ENCODE, Role.TRANSFORM)
            precisions = (Precision.FP32,)
            request = ExportRequest(
                self.network, artifact, roles=roles, sizes=sizes, precisions=precisions
            )
            export(request)
        return {
            fact.size.size().height: artifact / fact.path
            for fact in read_manifest(artifact).files
            if fact.role is Role.TRANSFORM and fact.size is not None
        }

    def stylize(self, content: Tensor, style: Tensor) -> Tensor:
        """Return the painting of the float network in eager PyTorch, the style encoded anew."""
        return self.network.role_module(Role.STYLIZE)(content, style, torch.ones(1))

    def facts(self) -> Method:
        """Return the method with its cost, without what is measured."""
        published, network = METHODS[self.name]
        layout = self.network.module.code_layout
        return Method(
            published=published,
            network=network,
            parameters=parameters_of(self.network),
            code_bytes=4 * layout.length,  # pyright: ignore
            file_bytes=self.files[JUDGED].stat().st_size,
            sha256=sha256_of(weight_files(self.checkpoints)),
        )

    def inputs(self, content: Tensor) -> dict[str, np.ndarray]:
        """Return the inputs of the file that paints a content in its own style."""
        code = self.network.role_module(Role.ENCODE)(content)
        one = np.ones(1, np.float32)
        return {"content": content.numpy(), "style_code": code.numpy(), "strength": one}


def pictures(images: Path, kind: str, side: int, most: int | None = None) -> Tensor:
    """Return evaluation pictures, [N, 3, side, side] in 0..1."""
    return squares(image_files([images / "eval" / kind])[:most], side)


@torch.inference_mode()
def judge(variant: Variant, given: argparse.Namespace) -> tuple[Method, Tensor]:
    """Return the method with its quality at 512x512, and a row of its paintings."""
    contents, styles = (pictures(given.images, kind, JUDGED) for kind in ("content", "style"))
    scales = read_scales(given.loss_weights, given.heads)
    pairs = list(zip(contents[: given.pairs].split(1), styles.split(1), strict=False))
    outputs = [variant.stylize(*pair).clamp(0, 1) for pair in pairs]
    rows = [
        judged([output], [output], *pair, scales)
        for output, pair in zip(outputs, pairs, strict=True)
    ]
    quality = msgspec.structs.replace(
        rows[0],
        pairs=len(rows),
        style_distance=_mean([row.style_distance for row in rows]),
        lpips=_mean([row.lpips for row in rows]),
        edge_ssim=_mean([row.edge_ssim for row in rows]),
        gains=tuple(map(_mean, zip(*(row.gains for row in rows), strict=True))),
    )
    return msgspec.structs.replace(variant.facts(), quality=quality), torch.cat(outputs)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def pruned(variant: Variant) -> Pruned:
    """Return what `styleexport prune` leaves of the network."""
    before = parameters_of(variant.network)
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary, "slim")
        command = [sys.executable, "-m", "styleexport", "prune", METHODS[variant.name][1], "--json"]
        for path in variant.checkpoints:
            command += ["--checkpoint", str(path)]
        subprocess.run([*command, "-o", str(out)], check=True, stdout=subprocess.DEVNULL)
        if not out.exists():
            return Pruned(before, before, None)
        report = msgspec.json.decode((out / "report.json").read_bytes())
        slim = open_network(METHODS[variant.name][1], [out / "weights.safetensors"])
        return Pruned(before, parameters_of(slim), report["worst_db"])


@torch.inference_mode()
def times(variants: Sequence[Variant], images: Path, rounds: int) -> list[Timing]:
    """Return the samples of every method and way to paint, sizes one after the other."""
    timings: list[Timing] = []
    for side in SIDES:
        content = pictures(images, "content", side, 1)
        with contextlib.ExitStack() as stack:
            ways = list(_ways(variants, content, stack))
            samples = timed({n: run for n, (_, run) in enumerate(ways)}, {}, rounds)
        timings += [
            msgspec.structs.replace(way, samples_ns=tuple(samples[number]))
            for number, (way, _) in enumerate(ways)
        ]
    return timings


def _ways(
    variants: Sequence[Variant], content: Tensor, stack: contextlib.ExitStack
) -> Iterator[tuple[Timing, Run]]:
    """Yield each way to paint: eager with the style encoded each time, a file with its code."""
    side = content.shape[-1]
    for variant in variants:
        yield timing(variant.name, EAGER, side), _eager(variant.stylize, content)
        if torch.cuda.is_available():
            yield timing(variant.name, CUDA, side), _cuda(variant, content)
        inputs = variant.inputs(content)
        session = stack.enter_context(
            runner_for(variant.files[side]).open(variant.files[side], OPTIONS)
        )
        yield timing(variant.name, FILE, side), _fixed(session, inputs)


def _eager(stylize: Callable[..., Tensor], content: Tensor) -> Run:
    return lambda _: {"image": stylize(content, content).numpy()}


def _fixed(session: Run, inputs: Arrays) -> Run:
    return lambda _: session(inputs)


def _cuda(variant: Variant, content: Tensor) -> Run:
    module = variant.network.role_module(Role.STYLIZE).cuda()
    given = content.cuda(), content.cuda(), torch.ones(1).cuda()

    def run(_: Arrays) -> dict[str, np.ndarray]:
        painting = module(*given)
        torch.cuda.synchronize()
        return {"image": painting.cpu().numpy()}

    return run


def peaks(variant: Variant, given: argparse.Namespace) -> dict[str, dict[int, int]]:
    """Return the peak memory of one painting in a process of its own, by runtime and side."""
    found: dict[str, dict[int, int]] = {EAGER: {}, FILE: {}}
    for runtime, side in ((runtime, side) for runtime in found for side in SIDES):
        command = [sys.executable, __file__, *map(str, given.places), "--peak-of"]
        command += [variant.name, runtime, str(side)]
        found[runtime][side] = int(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


@torch.inference_mode()
def peak(variant: Variant, runtime: str, side: int, images: Path) -> int:
    """Return the peak memory in bytes of this process after it has painted once.

    The file's process loads no network: its inputs are noise of their shapes.
    """
    if runtime == EAGER:
        content = pictures(images, "content", side, 1)
        variant.stylize(content, content)
        return peak_rss_bytes()
    file = variant.files[side]
    facts = {fact.path: fact for fact in read_manifest(file.parent).files}[file.name]
    random = np.random.default_rng(0)
    inputs = {
        x.name: random.random([int(n) for n in x.shape]).astype(np.float32) for x in facts.inputs
    }
    with runner_for(file).open(file, OPTIONS) as session:
        session(inputs)
    return peak_rss_bytes()


def read_measured() -> Measured:
    """Return what an earlier run measured."""
    path = HERE / "universal.json"
    return msgspec.json.decode(path.read_bytes(), type=Measured) if path.exists() else Measured()


def write(measured: Measured) -> None:
    """Write the figures and the tables."""
    encoded = msgspec.json.format(msgspec.json.encode(measured), indent=1)
    (HERE / "universal.json").write_bytes(encoded + b"\n")
    page = HERE / "universal.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(f"{START}\n")
    after = rest.partition(END)[2]
    page.write_text(f"{before}{START}\n{tables(measured)}{END}{after}", encoding="utf-8")


def measure(variants: Sequence[Variant], given: argparse.Namespace) -> None:
    """Measure what is asked for, and write the tables after each method."""
    result = read_measured()
    rows: list[Tensor] = []
    for variant in variants:
        known = result.methods.get(variant.name)
        method = variant.facts()
        if known is not None and known.sha256 == method.sha256:
            method = msgspec.structs.replace(
                method, quality=known.quality, peaks=known.peaks, pruned=known.pruned
            )
        if given.pairs:
            judged_method, row = judge(variant, given)
            method = msgspec.structs.replace(method, quality=judged_method.quality)
            rows.append(row)
        if given.prune:
            method = msgspec.structs.replace(method, pruned=pruned(variant))
        if given.peaks:
            method = msgspec.structs.replace(method, peaks=peaks(variant, given))
        methods = {**result.methods, variant.name: method}
        ordered = {name: methods[name] for name in METHODS if name in methods}
        result = msgspec.structs.replace(result, methods=ordered)
        write(result)
        sys.stderr.write(f"{variant.name} {method}\n")
    if given.sheet is not None and rows:
        pair = [pictures(given.images, kind, JUDGED, given.pairs) for kind in ("content", "style")]
        columns = [[image_from_array(each[None].numpy()) for each in x] for x in (*pair, *rows)]
        captions = ("photograph", "painting", *(variant.name for variant in variants))
        picture_grid(list(zip(*columns, strict=True)), CELL, captions).save(given.sheet)
    if given.rounds:
        before = os.getloadavg()[0]
        timings = times(variants, given.images, given.rounds)
        write(msgspec.structs.replace(result, timings=tuple(timings), **conditions(before)))


def main(arguments: Sequence[str]) -> None:
    """Measure the methods, and write what was measured."""
    parser = argparse.ArgumentParser(description="Measure methods of universal style transfer.")
    parser.add_argument("runs", type=Path, help="folder of one folder for each trained method")
    parser.add_argument("cd16x", type=Path, help="folder of Collaborative Distillation's files")
    parser.add_argument("images", type=Path, help="folder that holds eval/content and eval/style")
    parser.add_argument("loss_weights", type=Path, help="ImageNet VGG-16 weights")
    parser.add_argument("heads", type=Path, help="LPIPS heads for VGG-16")
    parser.add_argument("--pairs", type=int, default=0, help="pairs to judge at 512; 0 for none")
    parser.add_argument("--rounds", type=int, default=0, help="rounds of times; 0 for none")
    parser.add_argument("--peaks", action="store_true", help="measure peak memory")
    parser.add_argument("--prune", action="store_true", help="remove channels that are always zero")
    parser.add_argument("--sheet", type=Path, help="file of a contact sheet of the judged pairs")
    parser.add_argument("--only", nargs="*", default=list(METHODS), metavar="METHOD")
    parser.add_argument("--peak-of", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    given.places = arguments[:5]
    torch.set_num_threads(OPTIONS.threads or 0)
    if given.peak_of:
        name, runtime, side = given.peak_of
        variant = Variant(name, given.runs / name, given.cd16x)
        print(peak(variant, runtime, int(side), given.images))
        return
    names = [name for name in METHODS if name in given.only]
    measure([Variant(name, given.runs / name, given.cd16x) for name in names], given)


if __name__ == "__main__":
    main(sys.argv[1:])
