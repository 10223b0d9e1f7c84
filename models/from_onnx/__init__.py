"""Style networks read from ONNX files.

A file that takes one picture is a fixed-style network, one with an index or a weight for each style
beside it a network with styles of its own. One that takes two is cut where its style
branch ends: the values that cross the cut are the style code. One that takes a picture and a style
code comes with a second file that encodes styles. Every file is compared with ONNX Runtime when it
is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from onnx import ModelProto
from torch import Tensor, nn

from styleexport.core.errors import (
    BadCheckpoint,
    StyleExportError,
    UsageError,
    first_line,
)
from styleexport.models.checkpoint import sha256_of
from styleexport.models.from_onnx.dequantization import dequantized
from styleexport.models.from_onnx.file import read_model
from styleexport.models.from_onnx.graph import OnnxGraph, StyleIndex, leading_to
from styleexport.models.from_onnx.inputs import (
    Input,
    InputKind,
    Inputs,
    Picture,
    channels_first,
    inputs_of,
    output_of,
)
from styleexport.models.from_onnx.modules import FixedStyle, OwnStyles, TwoFiles, TwoPictures
from styleexport.models.network import LoadedNetwork, StyleNetwork
from styleexport.models.network_spec import NetworkSpec

# Float32 rounds differently in two runtimes; another network differs by far more.
MAX_DIFFERENCE = 1e-3
TRIAL_SIZE = (96, 128)


def read_onnx_network(spec: NetworkSpec, encoders: Sequence[Path] = ()) -> LoadedNetwork:
    """Return the network of an ONNX file, checked against ONNX Runtime.

    Args:
        spec: path of the file, and its settings.
        encoders: file that encodes styles, for a file that takes a style code; () for others.

    Raises:
        BadCheckpoint: the file is missing or damaged, or computes other values than in ONNX
            Runtime.
        UsageError: the file is quantized, or its inputs are not those of a style network.
        UnsupportedOp: an operation is not supported.
    """
    try:
        return _read(spec, encoders)
    except StyleExportError:
        raise
    except Exception as error:  # a valid file may still have shapes that do not fit each other
        raise BadCheckpoint(
            f"network {spec.path} does not run: {first_line(error)}; run it in ONNX Runtime to "
            "see whether the file is whole"
        ) from error


def _read(spec: NetworkSpec, encoders: Sequence[Path]) -> LoadedNetwork:
    file = read_model(spec.path, quantized=spec.dequantize)
    model, files = file.model, list(file.files)
    inputs = inputs_of(model, spec.path, spec.content, spec.style)
    sides = inputs.sides or TRIAL_SIZE
    remarks: list[str] = []
    if spec.dequantize:
        dequantization = dequantized(model, spec.path, sides)
        model = dequantization.model
        remarks.append(f"{spec.path.name} {dequantization}")
    graph = OnnxGraph(model, [item.name for item in inputs.all], [output_of(model)])
    difference = _difference(model, graph, inputs.all, spec.path)
    model = channels_first(model)
    inputs = inputs_of(model, spec.path, spec.content, spec.style)
    graph = OnnxGraph(model, [item.name for item in inputs.all], [output_of(model)])
    module, more = _module(spec, graph, inputs, encoders, sides)
    files += more
    module.eval().requires_grad_(False)
    return LoadedNetwork(
        _describe(spec.path, module, difference, inputs.sides, remarks),
        module,
        tuple(path.name for path in files),
        sha256_of(files),
        remarks=tuple(remarks),
    )


def _module(
    spec: NetworkSpec,
    graph: OnnxGraph,
    inputs: Inputs,
    encoders: Sequence[Path],
    sides: tuple[int, int],
) -> tuple[nn.Module, Sequence[Path]]:
    """Return the module that a graph's inputs call for, and the files of its encoder.

    Raises:
        UsageError: an encoder or a name of weights has no use.
    """
    if inputs.code is not None and (
        inputs.code.kind is InputKind.INDEX or inputs.code.name == spec.styles
    ):
        if encoders:
            raise UsageError(
                f"network {spec.path} has styles of its own, so {encoders[0]} has no use: leave "
                "out --checkpoint"
            )
        return OwnStyles(graph, inputs), ()
    if spec.styles is not None:
        raise UsageError(
            f"network {spec.path} has no style code {spec.styles!r}: expected "
            f"{repr(inputs.code.name) if inputs.code else 'none'}; leave out --styles"
        )
    if inputs.code is not None:
        encoder, files = _read_encoder(encoders, inputs.code, spec)
        return TwoFiles(graph, inputs, encoder), files
    if encoders:
        raise UsageError(
            f"network {spec.path} takes no style code, so {encoders[0]} has no use: leave out "
            "--checkpoint"
        )
    if inputs.style is not None:
        return _two_pictures(graph, inputs, sides), ()
    return FixedStyle(graph, inputs), ()


def _two_pictures(graph: OnnxGraph, inputs: Inputs, sides: tuple[int, int]) -> TwoPictures:
    """Return the network with the style input as named, or the one that gives the shorter code.

    Raises:
        UsageError: no input can be the style.
    """
    modules: list[TwoPictures] = []
    errors: list[UsageError] = []
    for order in (inputs,) if inputs.named else (inputs, inputs.swapped()):
        try:
            modules.append(TwoPictures(graph, order, sides))
        except UsageError as error:
            errors.append(error)
    if not modules:
        raise errors[0]
    return min(modules, key=lambda module: module.code_length)


def _describe(
    path: Path,
    module: nn.Module,
    difference: float,
    fixed: tuple[int, int] | None,
    remarks: Sequence[str],
) -> StyleNetwork:
    power = int(np.ceil(np.log10(max(difference, 1e-7))))
    return StyleNetwork(
        name=re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "network",
        summary=f"a network of yours, read from ONNX: within 1e{power:+03d} of its peak of "
        "what ONNX Runtime computes" + "".join(f"; {line}" for line in remarks),
        paper=path.name,
        licence="that of your weights",
        build=lambda: module,
        read=lambda _: module,
        checkpoints="an ONNX file",
        min_side=min(32, *fixed) if fixed else 32,
    )


def _read_encoder(
    encoders: Sequence[Path], code: Input, spec: NetworkSpec
) -> tuple[Picture, tuple[Path, ...]]:
    if len(encoders) != 1:
        raise UsageError(
            f"network {spec.path} takes a style code ({code.name!r}, {list(code.shape)}), which "
            f"another file makes of a picture; got {len(encoders)} of those: type --checkpoint "
            f"ENCODE.onnx, or {spec.path},styles={code.name} where it weighs the file's own styles"
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
        length = picture(torch.rand(1, 3, *(inputs.sides or TRIAL_SIZE))).flatten(1).shape[1]
    if length != code.length:
        raise UsageError(
            f"encoder {path} makes style codes of length {length}, and {spec.path} takes "
            f"{code.length}: they are of different networks"
        )
    return picture, file.files


def _difference(model: ModelProto, graph: OnnxGraph, inputs: Sequence[Input], path: Path) -> float:
    """Return the largest difference to ONNX Runtime on random inputs, relative to the peak value.

    Raises:
        BadCheckpoint: ONNX Runtime does not run the file, or computes other values.
    """
    generator = np.random.default_rng(0)
    feeds = {item.name: item.random(TRIAL_SIZE, generator) for item in inputs}
    tensors: dict[str, Tensor | StyleIndex] = {k: torch.from_numpy(v) for k, v in feeds.items()}
    for item in inputs:
        if item.kind is InputKind.INDEX:
            # The last style: of the first, an index that is not read would give the same.
            shape, count = item.shape_at(TRIAL_SIZE), max(1, graph.style_count(item.name))
            feeds[item.name] = np.full(shape, count - 1, item.dtype)
            tensors[item.name] = StyleIndex(torch.eye(count)[-1:], shape)
    with torch.no_grad():
        ours = graph(*tensors.values())[0].numpy()
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
    errors = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    # Between two integers, an error of a rounding decides.
    error = float(errors.max() if theirs.dtype.kind == "f" else errors.mean())
    difference = error / max(float(np.abs(theirs).max()), 1e-12)
    if not difference <= MAX_DIFFERENCE:
        raise BadCheckpoint(
            f"network {path} gives other values here than in ONNX Runtime: {difference:.1e} of the "
            f"peak, at most {MAX_DIFFERENCE:g} allowed; export the network from PyTorch instead"
        )
    return difference
