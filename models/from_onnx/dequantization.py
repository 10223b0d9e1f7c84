"""Dequantization of an ONNX file, proven against the file.

What rounding alone changes is measured: the float network with noise as large as each quantizer's
rounding. The float network must not be further from the file than that, with a margin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper

from styleexport.core.errors import BadCheckpoint, UsageError, first_line
from styleexport.core.psnr import psnr_from_squared_error
from styleexport.models.from_onnx.dequantize import Counts, Limits, float_model, is_quantized

Array = NDArray[np.float32]
# Rounding errors are not independent, and those of saturation come on top.
MARGIN_DB = 6.0
PICTURES = 3


@dataclass(frozen=True)
class Dequantization:
    """A float network taken out of a quantized file.

    Attributes:
        model: float network.
        counts: what was taken out.
        measured_db: PSNR between file and float network on drawn pictures, of the output's range.
        rounding_db: PSNR between the float network and itself with noise as large as the rounding.
    """

    model: ModelProto
    counts: Counts
    measured_db: float
    rounding_db: float

    def __str__(self) -> str:
        return (
            f"dequantized: {self.counts}; {self.measured_db:.1f} dB against the file, whose "
            f"rounding alone explains {self.rounding_db:.1f} dB"
        )


def dequantized(model: ModelProto, path: Path, sides: tuple[int, int]) -> Dequantization:
    """Return the float network of a quantized file, proven against it.

    Args:
        model: model of the file.
        path: path of the file, for messages.
        sides: height and width of pictures where the file takes any.

    Raises:
        UsageError: nothing in the file is quantized.
        UnsupportedOp: an operator is not taken back to float.
        BadCheckpoint: the file does not run, or differs by more than its rounding explains.
    """
    if not any(map(is_quantized, model.graph.node)):
        raise UsageError(f"network {path} is not quantized: leave out --dequantize")
    feeds = _feeds(model, sides)
    expected = _run(model, feeds, path)
    plain, _ = float_model(model, path, Limits.RELU)
    noisy, _ = float_model(model, path, Limits.NOISE)
    rounding = _psnr(_run(noisy, feeds, path), _run(plain, feeds, path))
    tried: list[Dequantization] = []
    for limits in (Limits.RELU, Limits.RANGE):
        candidate, counts = float_model(model, path, limits)
        measured = _psnr(_run(candidate, feeds, path), expected)
        tried.append(Dequantization(candidate, counts, measured, rounding))
        if measured >= rounding - MARGIN_DB:
            return tried[-1]
    best = max(tried, key=lambda item: item.measured_db)
    raise BadCheckpoint(
        f"network {path} cannot be dequantized: the float network gives {best.measured_db:.1f} dB "
        f"against the file, and its rounding explains {best.rounding_db:.1f} dB; give the float32 "
        "file that it was made from"
    )


def _feeds(model: ModelProto, sides: tuple[int, int]) -> list[dict[str, Array]]:
    """Return inputs of several runs: pictures in the range of the input's quantizer."""
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    generator = np.random.default_rng(0)
    feeds: list[dict[str, Array]] = [{} for _ in range(PICTURES)]
    for value in graph.input:
        if value.name in stored:
            continue
        shape = [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        low, high = _range_of(model, value.name)
        for number, feed in enumerate(feeds):
            picture = _picture(_filled(shape, sides), number, generator)
            feed[value.name] = (picture * (high - low) + low).astype(np.float32)
    return feeds


def _filled(shape: Sequence[int], sides: tuple[int, int]) -> list[int]:
    """Return a shape with its open axes filled in."""
    last = len(shape) == 4 and shape[3] == 3
    sizes = {1: sides[0], 2: sides[1]} if last else {2: sides[0], 3: sides[1]}
    return [
        side or (sizes.get(axis, 1) if len(shape) == 4 else 1) for axis, side in enumerate(shape)
    ]


def _range_of(model: ModelProto, name: str) -> tuple[float, float]:
    """Return the range of the quantizer of an input, cut to that of pixels; 0..1 without one."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] == name and node.input[1] in stored:
            scale = float(numpy_helper.to_array(stored[node.input[1]]).reshape(-1)[0])
            given = stored.get(node.input[2]) if len(node.input) > 2 else None
            zeros = np.zeros(1, np.uint8) if given is None else numpy_helper.to_array(given)
            info, zero = np.iinfo(zeros.dtype), float(zeros.reshape(-1)[0])
            return max(-255.0, (info.min - zero) * scale), min(255.0, (info.max - zero) * scale)
    return 0.0, 1.0


def _picture(
    shape: Sequence[int], number: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return values in 0..1 of a shape: patches of colour, coarser with each number, and grain."""
    if len(shape) != 4:
        return generator.random(shape)
    grain = generator.random(shape)
    patch = 4 << number
    coarse = [-(-side // patch) if side > 4 else side for side in shape]
    patches = generator.random(coarse)
    for axis, side in enumerate(shape):
        if side > 4:
            patches = np.repeat(patches, patch, axis).take(range(side), axis)
    return 0.85 * patches + 0.15 * grain


def _run(model: ModelProto, feeds: Sequence[Mapping[str, Array]], path: Path) -> list[Array]:
    """Return the first output of ONNX Runtime for each feed.

    Raises:
        BadCheckpoint: it does not run the model.
    """
    settings = ort.SessionOptions()
    settings.log_severity_level = 4
    try:
        session = ort.InferenceSession(
            model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
        )
        name = model.graph.output[0].name
        return [np.asarray(session.run([name], dict(feed))[0]) for feed in feeds]
    except Exception as error:
        raise BadCheckpoint(
            f"network {path} does not run in ONNX Runtime: {first_line(error)}; export it again"
        ) from error


def _psnr(outputs: Sequence[Array], expected: Sequence[Array]) -> float:
    """Return the PSNR of outputs in dB, relative to the range of what is expected."""
    errors = [
        np.mean((a.astype(np.float64) - b) ** 2) for a, b in zip(outputs, expected, strict=True)
    ]
    span = max(float(b.max()) for b in expected) - min(float(b.min()) for b in expected)
    return psnr_from_squared_error(float(np.mean(errors)), span)
