"""Conversion between LiteRT's channels-last tensors and [N, C, H, W] arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import UsageError
from styleexport.core.quiet import captured_stderr
from styleexport.runtime_bench.formats._tflite_graph import TfliteTensor


def to_file(
    name: str, inputs: Arrays, tensor: TfliteTensor, path: Path, batch: int = 1
) -> NDArray[np.float32]:
    """Return an input in the file's layout: images [N, H, W, 3] instead of [N, 3, H, W].

    Raises:
        UsageError: it is missing, or differs from the file's in shape.
    """
    expected = batched(nchw(tensor.shape), batch)
    if name not in inputs:
        raise UsageError(
            f"{path.name} takes {name} {list(expected)}, got {', '.join(inputs) or 'nothing'}"
        )
    value = np.asarray(inputs[name], np.float32)
    if value.shape != expected:
        raise UsageError(
            f"{path.name} takes {name} {list(expected)}, got {list(value.shape)}: it holds one "
            "size; export another with --size"
        )
    return np.ascontiguousarray(value.transpose(0, 2, 3, 1) if value.ndim == 4 else value)


def nchw(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a channels-last image shape channels-first; other shapes unchanged."""
    return (shape[0], shape[3], shape[1], shape[2]) if len(shape) == 4 else shape


def batched(shape: tuple[int, ...], batch: int) -> tuple[int, ...]:
    """Return the shape for a batch of pictures or style codes; the strength [1] is shared."""
    return (batch, *shape[1:]) if batch > 1 and len(shape) > 1 else shape


def from_file(value: NDArray[np.generic], tensor: TfliteTensor) -> NDArray[np.float32]:
    """Return a tensor of a file in float32: dequantized as (q - zero point)·scale, images NCHW."""
    result = np.array(value, np.float32)
    if tensor.scales and tensor.dtype.startswith(("int", "uint")):
        result = (result - np.float32(tensor.zero_points[0])) * np.float32(tensor.scales[0])
    return np.ascontiguousarray(result.transpose(0, 3, 1, 2)) if result.ndim == 4 else result


@contextlib.contextmanager
def native_quiet() -> Generator[None]:
    """Discard what compiled code writes to stderr inside the block."""
    with captured_stderr():
        yield
