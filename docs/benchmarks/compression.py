"""What pruning and int8 make of a style network: size, work, time and quality, step by step.

Run: python docs/benchmarks/compression.py NETWORK \
    --original WEIGHTS ... ARTIFACT --pruned WEIGHTS ARTIFACT \
    --content DIR --style DIR --loss-weights VGG16 --lpips-heads HEADS --json FILE \
    [--sheet PNG] [--most N] [--rounds N]

WEIGHTS are what --checkpoint takes; ARTIFACT holds the role transform of these weights at one size,
fp32 and int8, for onnx and tflite. All times are taken in one process, in turns. What FILE holds
already of the same weights and artifacts is not painted again; times always are, unless --rounds 0.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import torch
from compression_quality import Painter, Scales, judged, painted, read_scales
from compression_report import Cost, Measured, Quality, Timing, shown
from int8_report import Entry, Runtime
from int8_sessions import OPTIONS, opened
from int8_timing import conditions, timed
from PIL import Image

from styleexport.core.arrays import Arrays, Run
from styleexport.core.images import write_image
from styleexport.core.manifest import read_manifest
from styleexport.core.types import Precision, Role, Size
from styleexport.models.checkpoint import sha256_of
from styleexport.models.compress.activation_hooks import macs_of
from styleexport.models.compress.cost import parameters_of
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import open_network
from styleexport.models.training.contact_sheet import sheet_of, squares
from styleexport.models.training.data import image_files

ORIGINAL, PRUNED = "original", "pruned"
RUNTIMES: tuple[tuple[Runtime, str], ...] = (
    ("ONNX Runtime", ".onnx"),
    ("LiteRT", ".tflite"),
    ("OpenVINO", ".onnx"),
)
SHEET = 5


@dataclass(frozen=True)
class Variant:
    """A network in float, with the files made of it.

    Attributes:
        name: ``original`` or ``pruned``.
        network: with its weights.
        weights: their files.
        files: of the role transform, by precision and suffix.
        size: of the files.
        codes: style codes by the address of the picture that they are of.
    """

    name: str
    network: LoadedNetwork
    weights: tuple[Path, ...]
    files: Mapping[tuple[Precision, str], Path]
    size: Size
    codes: dict[int, torch.Tensor] = field(default_factory=dict[int, torch.Tensor])

    @property
    def sha256(self) -> str:
        """Over the weights and the files."""
        return sha256_of([*self.weights, *self.files.values()])

    def code(self, style: torch.Tensor) -> torch.Tensor:
        """Return the style code of a picture [1, 3, H, W]; each picture is encoded once."""
        key = style.data_ptr()
        if key not in self.codes:
            self.codes[key] = self.network.role_module(Role.ENCODE)(style)
        return self.codes[key]

    def cost(self) -> Cost:
        """Return what the network costs at the size of its files."""
        return Cost(
            parameters=parameters_of(self.network),
            encode_macs=sum(macs_of(self.network, Role.ENCODE, self.size).values()),
            transform_macs=sum(macs_of(self.network, Role.TRANSFORM, self.size).values()),
            bytes={f"{p}{s}": path.stat().st_size for (p, s), path in self.files.items()},
        )


def open_variant(name: str, spec: str, given: Sequence[Path]) -> Variant:
    """Return a network, and the files of its role transform.

    Args:
        name: of the variant.
        spec: the network, as `open_network` takes it.
        given: weights files, then the folder of the artifact.
    """
    *weights, artifact = given
    facts = [f for f in read_manifest(artifact).files if f.role is Role.TRANSFORM]
    sizes = {fact.size.size() for fact in facts if fact.size is not None}
    wanted = (Precision.FP32, Precision.INT8)
    files = {
        (fact.precision, suffix): artifact / fact.path
        for fact in facts
        for suffix in (".onnx", ".tflite")
        if fact.precision in wanted and fact.path.endswith(suffix)
    }
    if len(sizes) != 1 or len(files) != len(wanted) * 2:
        raise SystemExit(
            f"{artifact} holds {len(files)} files of {len(sizes)} sizes, expected transform in "
            "fp32 and int8 for onnx and tflite, at one --size"
        )
    return Variant(name, open_network(spec, weights), tuple(weights), files, sizes.pop())


def in_torch(variant: Variant) -> Painter:
    """Return what the network itself paints."""
    module = variant.network.role_module(Role.TRANSFORM)
    return lambda content, style: module(content, variant.code(style), torch.ones(1))


def by_session(variant: Variant, session: Run) -> Painter:
    """Return what a file paints, with the style codes of the float network."""

    def paint(content: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        given = {
            "content": content.numpy(),
            "style_code": variant.code(style).numpy(),
            "strength": np.ones(1, np.float32),
        }
        return torch.from_numpy(session(given)["image"])

    return paint


@contextlib.contextmanager
def painters(variants: Sequence[Variant]) -> Generator[dict[str, Painter]]:
    """Yield what is judged, by name: each network in float, then its int8 file."""
    with contextlib.ExitStack() as stack:
        found: dict[str, Painter] = {}
        for variant in variants:
            found[variant.name] = in_torch(variant)
            file = variant.files[Precision.INT8, ".onnx"]
            session, _ = stack.enter_context(opened(_entry(variant, "ONNX Runtime", file)))
            found[f"{variant.name}, int8"] = by_session(variant, session)
        yield found


def _entry(variant: Variant, runtime: Runtime, file: Path) -> Entry:
    return Entry(name=variant.name, runtime=runtime, kind="ours", file=file)


def eager(variant: Variant, role: Role, inputs: Mapping[str, torch.Tensor]) -> Run:
    """Return one run of the network in PyTorch, whatever it is given."""
    module = variant.network.role_module(role)
    given = [inputs[name] for name in module.input_names()]

    def run(_: Arrays) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            return {"out": module(*given).numpy()}

    return run


def times(variants: Sequence[Variant], content: torch.Tensor, rounds: int) -> list[Timing]:
    """Return the samples of every way to paint, in turns."""
    found: list[Timing] = []
    runs: dict[int, Run] = {}
    with contextlib.ExitStack() as stack:
        for variant in variants:
            inputs = {
                "content": content,
                "style": content,
                "style_code": variant.code(content),
                "strength": torch.ones(1),
            }
            for role in (Role.STYLIZE, Role.TRANSFORM):
                runs[len(runs)] = eager(variant, role, inputs)
                found.append(Timing(variant.name, "PyTorch eager", Precision.FP32, role))
            arrays = {name: inputs[name].numpy() for name in ("content", "style_code", "strength")}
            for runtime, suffix in RUNTIMES:
                for precision in (Precision.FP32, Precision.INT8):
                    file = variant.files[precision, suffix]
                    session, _ = stack.enter_context(opened(_entry(variant, runtime, file)))
                    runs[len(runs)] = _fixed(session, arrays)
                    found.append(Timing(variant.name, runtime, precision, Role.TRANSFORM))
        samples = timed(runs, {}, rounds)
    return [
        msgspec.structs.replace(timing, samples_ns=tuple(samples[number]))
        for number, timing in enumerate(found)
    ]


def _fixed(session: Run, inputs: Arrays) -> Run:
    return lambda _: session(inputs)


def paintings(
    variants: Sequence[Variant],
    folders: tuple[Path, Path],
    most: int | None,
    scales: Scales,
    sheet: Path | None,
    keep: Callable[[dict[str, Quality]], None],
    known: Mapping[str, Quality],
) -> dict[str, Quality]:
    """Return how well each way paints all pairs of the evaluation pictures."""
    side = variants[0].size.height
    contents, styles = (squares(image_files([folder]), side, most) for folder in folders)
    found, originals = dict(known), list[torch.Tensor]()
    with torch.inference_mode(), painters(variants) as named:
        for name, painter in named.items():
            if name in found and sheet is None and name != ORIGINAL:
                continue
            print(f"{name}: paint {len(contents)} x {len(styles)}", file=sys.stderr)
            outputs = painted(painter, contents, styles)
            originals = originals or outputs
            if sheet is not None:
                write_image(_sheet(contents, styles, outputs), _named(sheet, name))
            if name not in found:
                found[name] = judged(outputs, originals, contents, styles, scales)
                keep(found)
    return found


def _sheet(
    contents: torch.Tensor, styles: torch.Tensor, outputs: Sequence[torch.Tensor]
) -> Image.Image:
    rows = torch.cat(list(outputs)).unflatten(0, (len(contents), len(styles)))
    return sheet_of(contents[:SHEET], styles[:SHEET], rows[:SHEET, :SHEET], 192)


def _named(path: Path, name: str) -> Path:
    """Return the path of a sheet of one way to paint."""
    return path.with_name(f"{path.stem}-{name.replace(', ', '-')}{path.suffix}")


def read_measured(path: Path, variants: Sequence[Variant]) -> Measured | None:
    """Return what was measured of the same variants before."""
    if not path.exists():
        return None
    found = msgspec.json.decode(path.read_bytes(), type=Measured)
    same = found.sha256 == {variant.name: variant.sha256 for variant in variants}
    return found if same else None


def main(chosen: argparse.Namespace) -> None:
    """Measure, write what was measured, and print the tables."""
    given = {ORIGINAL: chosen.original, PRUNED: chosen.pruned}
    variants = [open_variant(name, chosen.network, paths) for name, paths in given.items()]
    torch.set_num_threads(OPTIONS.threads or 0)
    result = read_measured(chosen.json, variants) or Measured(
        network=chosen.network,
        size=str(variants[0].size),
        sha256={variant.name: variant.sha256 for variant in variants},
        cost={variant.name: variant.cost() for variant in variants},
    )

    def keep(quality: dict[str, Quality]) -> None:
        nonlocal result
        result = msgspec.structs.replace(result, quality=quality)
        chosen.json.write_bytes(msgspec.json.encode(result) + b"\n")

    folders = (chosen.content, chosen.style)
    scales = read_scales(chosen.loss_weights, chosen.lpips_heads)
    keep(paintings(variants, folders, chosen.most, scales, chosen.sheet, keep, result.quality))
    if chosen.rounds:
        before = os.getloadavg()[0]
        content = squares(image_files([chosen.content])[:1], variants[0].size.height)
        with torch.inference_mode():
            samples = times(variants, content, chosen.rounds)
        result = msgspec.structs.replace(
            result,
            timings=tuple(samples),
            **conditions(before),
        )
        keep(result.quality)
    print(shown(result))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("network")
    for name in (ORIGINAL, PRUNED):
        parser.add_argument(f"--{name}", nargs="+", type=Path, required=True, metavar="PATH")
    for name in ("content", "style", "loss-weights", "lpips-heads", "json"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--most", type=int, default=None, help="pictures of each kind")
    parser.add_argument("--sheet", type=Path, default=None)
    parser.add_argument("--rounds", type=int, default=9, metavar="N")
    main(parser.parse_args())
