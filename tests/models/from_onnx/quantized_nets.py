"""Small quantized ONNX files, as onnxruntime's tools write them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from torch import nn

from styleexport.core.quiet import quiet
from tests.models.from_onnx.onnx_nets import exported


class Small(nn.Module):
    """A fixed style of five convolutions: strided, residual, upsampled."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.down = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, 2, 1)
        self.middle, self.up = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.first(x))
        x = torch.relu(self.down(x))
        x = x + torch.relu(self.middle(x))
        x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
        return torch.sigmoid(self.last(torch.relu(self.up(x))))


class _Pictures(CalibrationDataReader):
    def __init__(self, size: tuple[int, int]) -> None:
        self.feeds: Iterator[dict[str, np.ndarray]] = iter(
            {"x": np.random.default_rng(seed).random((1, 3, *size), np.float32)}
            for seed in range(4)
        )

    def get_next(self) -> dict[str, np.ndarray] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return next(self.feeds, None)


def float_file(path: Path, size: tuple[int, int] = (48, 64)) -> Path:
    torch.manual_seed(0)
    return exported(Small(), path, 13, {"x": (1, 3, *size)}, dynamic=False)


def quantized_file(folder: Path, kind: str) -> Path:
    """Write a file: ``qdq``, ``qdq-signed``, ``operators``, ``everywhere`` or ``dynamic``."""
    source, path = float_file(folder / "float.onnx"), folder / f"{kind}.onnx"
    with quiet():
        if kind == "dynamic":
            quantize_dynamic(source, path, weight_type=QuantType.QUInt8)
            return path
        quantize_static(
            source,
            path,
            _Pictures((48, 64)),
            quant_format=QuantFormat.QOperator if kind == "operators" else QuantFormat.QDQ,
            per_channel=kind != "operators",
            activation_type=QuantType.QInt8 if kind == "qdq-signed" else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"] if kind == "qdq" else None,
        )
    return path


KINDS = ("qdq", "qdq-signed", "operators", "everywhere", "dynamic")


class Saturating(Small):
    """A network whose limits quantizers keep where `quantize_static` leaves its Clip out."""

    def forward(self, x):
        return torch.clamp(self.last(torch.clamp(self.first(x), 0.1, 0.3)), 0.0, 1.0)
