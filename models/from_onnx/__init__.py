"""A style network that came from elsewhere as an ONNX file.

A file that takes one picture is a fixed-style network. One that takes two is cut where its style
branch ends: what crosses the cut is the style code. One that takes a picture and a style code comes
with a second file that encodes styles. Every file is compared with ONNX Runtime when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from onnx import ModelProto
from torch import Tensor, nn

from styleexport.core.errors import (
    BadCheckpoint,
    StyleExportError,
    UnsupportedOp,
    UsageError,
    first_line,
)
from styleexport.models.checkpoint import sha256_of
from styleexport.models.from_onnx.file import read_model
from styleexport.models.from_onnx.graph import OnnxGraph, leading_to
from styleexport.models.from_onnx.inputs import (
    Input,
    Inputs,
    Picture,
    channels_first,
    inputs_of,
    output_of,
)
from styleexport.models.from_onnx.modules import FixedStyle, TwoFiles, TwoPictures
from styleexport.models.network import LoadedNetwork, StyleNetwork

# Float32 rounds differently in two runtimes; another network differs by far more.
MOST_DIFFERENCE = 1e-3
TRIED_SIZE = (96, 128)
RANGES: Mapping[str, tuple[float, float]] = {
    "0..1": (0.0, 1.0),
    "0..255": (0.0, 255.0),
    "-1..1": (-1.0, 1.0),
}


@dataclass(frozen=True)
class OnnxSpec:
    """What is typed for an ONNX network: ``candy.onnx,pixel-range=0..255,content=input``.

    Attributes:
        path: of the file.
        pixel_range: of its pictures, a key of `RANGES`; None tells it by the output.
        content: name of the input that is the photograph.
        style: name of the input that is the style's picture.
    """

    path: Path
    pixel_range: str | None = None
    content: str | None = None
    style: str | None = None

    def __str__(self) -> str:
        settings = {"pixel-range": self.pixel_range, "content": self.content, "style": self.style}
        return ",".join([str(self.path), *(f"{k}={v}" for k, v in settings.items() if v)])

    @classmethod
    def parse(cls, text: str) -> OnnxSpec:
        """Return what a text asks for.

        Raises:
            UsageError: an unknown setting, or a range that is none.
        """
        file, onnx, settings = text.partition(".onnx,")
        spec = cls(Path(file + onnx.rstrip(",")))
        for setting in filter(None, settings.split(",")):
            name, _, value = setting.partition("=")
            if name not in ("pixel-range", "content", "style"):
                raise UsageError(
                    f"unknown setting {name!r} of {spec.path}: expected pixel-range, content or "
                    f"style; type {spec.path},pixel-range=0..255"
                )
            spec = replace(spec, **{name.replace("-", "_"): value})
        if spec.pixel_range is not None and spec.pixel_range not in RANGES:
            raise UsageError(
                f"unknown pixel range {spec.pixel_range!r}: expected {', '.join(RANGES)}; type "
                f"{spec.path},pixel-range=0..255"
            )
        return spec


def read_onnx_network(spec: OnnxSpec, encoders: Sequence[Path] = ()) -> LoadedNetwork:
    """Return the network of an ONNX file, shown to compute what ONNX Runtime computes.

    Args:
        spec: the file, and what its inputs and pixels are where that is not plain.
        encoders: the file that encodes styles, for one that takes a style code.

    Raises:
        BadCheckpoint: missing, damaged, or not what ONNX Runtime makes of it.
        UsageError: quantized already, or inputs that are not those of a style network.
        UnsupportedOp: an operation that is not read.
    """
    try:
        return _read(spec, encoders)
    except StyleExportError:
        raise
    except Exception as error:  # a file that checks out may still fit no arithmetic
        raise BadCheckpoint(
            f"network {spec.path} does not run: {first_line(error)}; run it in ONNX Runtime to "
            "see whether the file is whole"
        ) from error


def _read(spec: OnnxSpec, encoders: Sequence[Path]) -> LoadedNetwork:
    file = read_model(spec.path)
    model, files = file.model, list(file.files)
    inputs = inputs_of(model, spec.path, spec.content, spec.style)
    sides = inputs.sides or TRIED_SIZE
    graph = OnnxGraph(model, [item.name for item in inputs.all], [output_of(model)])
    difference = _difference(model, graph, inputs.all, spec.path)
    model = channels_first(model)
    inputs = inputs_of(model, spec.path, spec.content, spec.style)
    graph = OnnxGraph(model, [item.name for item in inputs.all], [output_of(model)])
    module: nn.Module
    if inputs.code is not None:
        encoder, more = _read_encoder(encoders, inputs.code, spec)
        files += more
        module = TwoFiles(graph, inputs, encoder)
    elif encoders:
        raise UsageError(
            f"network {spec.path} takes no style code, so {encoders[0]} has no use: leave out "
            "--checkpoint"
        )
    elif inputs.style is not None:
        module = _two_pictures(graph, inputs, sides)
    else:
        module = FixedStyle(graph, inputs)
    module.eval().requires_grad_(False)
    picked = spec.pixel_range or _told_range(module, sides)
    return LoadedNetwork(
        _described(spec.path, module, picked, difference, inputs.sides),
        module,
        tuple(path.name for path in files),
        sha256_of(files),
    )


def _two_pictures(graph: OnnxGraph, inputs: Inputs, sides: tuple[int, int]) -> TwoPictures:
    """Return the network whose style, where it was not named, is the picture that ends in a code.

    Raises:
        UsageError: neither does.
    """
    made: list[TwoPictures] = []
    refused: list[UsageError] = []
    for order in (inputs,) if inputs.named else (inputs, inputs.swapped()):
        try:
            made.append(TwoPictures(graph, order, sides))
        except UsageError as error:
            refused.append(error)
    if not made:
        raise refused[0]
    return min(made, key=lambda module: module.code_length)


def _described(
    path: Path,
    module: nn.Module,
    pixel_range: str,
    difference: float,
    fixed: tuple[int, int] | None,
) -> StyleNetwork:
    power = int(np.ceil(np.log10(max(difference, 1e-7))))
    return StyleNetwork(
        name=re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "network",
        summary=f"a network of yours, read from ONNX: pixels {pixel_range}, within 1e{power:+03d} "
        "of its peak of what ONNX Runtime computes",
        paper=path.name,
        licence="that of your weights",
        build=lambda: module,
        read=lambda _: module,
        checkpoints="an ONNX file",
        pixel_range=RANGES[pixel_range],
        min_side=min(32, *fixed) if fixed else 32,
    )


def _read_encoder(
    encoders: Sequence[Path], code: Input, spec: OnnxSpec
) -> tuple[Picture, tuple[Path, ...]]:
    if len(encoders) != 1:
        raise UsageError(
            f"network {spec.path} takes a style code ({code.name!r}, {list(code.shape)}), which "
            f"another file makes of a picture; got {len(encoders)} of those: type --checkpoint "
            "ENCODE.onnx"
        )
    path = encoders[0]
    file = read_model(path)
    model = file.model
    inputs = inputs_of(model, path, None, None)
    if len(inputs.all) != 1:
        raise UsageError(
            f"encoder {path} takes {len(inputs.all)} inputs, expected one picture: type "
            "--checkpoint ENCODE.onnx"
        )
    graph = OnnxGraph(model, [inputs.content.name], [output_of(model)])
    _difference(model, graph, inputs.all, path)
    picture = Picture(graph, inputs.content)
    with torch.no_grad():
        found = picture(torch.rand(1, 3, *(inputs.sides or TRIED_SIZE))).flatten(1).shape[1]
    if found != code.shape[1]:
        raise UsageError(
            f"encoder {path} makes style codes of length {found}, and {spec.path} takes "
            f"{code.shape[1]}: they are of different networks"
        )
    return picture, file.files


def _difference(model: ModelProto, graph: OnnxGraph, inputs: Sequence[Input], path: Path) -> float:
    """Return how far torch and ONNX Runtime part on random inputs, as a share of the peak.

    Raises:
        BadCheckpoint: ONNX Runtime does not run the file, or computes something else.
    """
    generator = np.random.default_rng(0)
    feeds = {item.name: generator.random(item.shape_at(TRIED_SIZE), np.float32) for item in inputs}
    with torch.no_grad():
        ours = graph(*map(torch.from_numpy, feeds.values()))[0].numpy()
    settings = ort.SessionOptions()
    settings.log_severity_level = 4
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(
            leading_to(model, graph.outputs).SerializeToString(), settings, ["CPUExecutionProvider"]
        )
        theirs = np.asarray(session.run(list(graph.outputs), feeds)[0])
    except Exception as error:
        raise BadCheckpoint(
            f"network {path} does not run in ONNX Runtime: {first_line(error)}; export it again"
        ) from error
    if ours.shape != theirs.shape or not np.isfinite(theirs).all():
        raise BadCheckpoint(
            f"network {path} gives {list(ours.shape)} here and {list(theirs.shape)} in ONNX "
            "Runtime, or values that are not finite: export it again"
        )
    difference = float(np.abs(ours - theirs).max() / max(float(np.abs(theirs).max()), 1e-12))
    if not difference <= MOST_DIFFERENCE:
        raise BadCheckpoint(
            f"network {path} gives other values here than in ONNX Runtime: {difference:.1e} of the "
            f"peak, at most {MOST_DIFFERENCE:g} allowed; export the network from PyTorch instead"
        )
    return difference


def _told_range(module: nn.Module, sides: tuple[int, int]) -> str:
    """Return the pixel range that a network's output tells, on a picture in 0..1.

    Painted 0..255 is two orders of magnitude above 0..1, and a tenth of a picture in 0..1 does not
    lie below -0.25.
    """
    with torch.no_grad():
        picture = _bands(*sides)
        if isinstance(module, FixedStyle):
            painted = module(picture)
        elif isinstance(module, TwoFiles | TwoPictures):
            code = module.encode(picture.flip(1))
            painted = module.transfer(picture, code, torch.ones(1))
        else:
            raise UnsupportedOp("a network has no picture to tell its range by")
    values = painted.flatten()
    if float(values.abs().quantile(0.99)) > 4:
        return "0..255"
    return "-1..1" if float(values.quantile(0.1)) < -0.25 else "0..1"


def _bands(height: int, width: int) -> Tensor:
    """Return colours that change slowly over a picture, [1, 3, H, W], 0..1."""
    rows = torch.linspace(0, 6.0, height)[:, None]
    columns = torch.linspace(0, 9.0, width)[None, :]
    waves = [torch.sin(rows * a + columns * b + a) for a, b in ((1, 1), (2, -1), (-1, 2))]
    return torch.stack(waves)[None] * 0.5 + 0.5
