"""Small ONNX files, as exporters write them and by hand."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import nn

from styleexport.core.quiet import quiet

Shape = Sequence[int | str | None]


def write(
    path: Path,
    nodes: Sequence[NodeProto],
    weights: Mapping[str, NDArray[np.generic]] | None = None,
    inputs: Mapping[str, Shape] | None = None,
    opset: int = 13,
) -> Path:
    """Write a file whose output is "y"; its input is "x", [1, 3, 24, 32], if none is named."""
    known = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (inputs or {"x": [1, 3, 24, 32]}).items()
    }
    graph = helper.make_graph(
        list(nodes),
        "g",
        list(known.values()),
        [onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in (weights or {}).items()],
    )
    graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("my", 1)]
    )
    model.ir_version = 8 if opset < 20 else 10
    with contextlib.suppress(onnx.shape_inference.InferenceError):
        model = onnx.shape_inference.infer_shapes(model)
    if not model.graph.output[0].type.tensor_type.HasField("shape"):
        model.graph.output[0].CopyFrom(
            helper.make_tensor_value_info("y", TensorProto.FLOAT, "abcd")
        )
    onnx.save(model, path)
    return path


def weight(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.3, shape).astype(np.float32)


class Padded(nn.Module):
    def __init__(self, inner: int, outer: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.pad, self.conv = (
            nn.ReflectionPad2d(kernel // 2),
            nn.Conv2d(inner, outer, kernel, stride),
        )

    def forward(self, x):
        return self.conv(self.pad(x))


class Candy(nn.Module):
    """The topology of the ONNX zoo's style networks, narrow; painted in 0..``peak``."""

    def __init__(self, peak: float = 255.0) -> None:
        super().__init__()
        self.down = nn.Sequential(
            Padded(3, 4, 9),
            nn.InstanceNorm2d(4, affine=True),
            nn.ReLU(),
            Padded(4, 8, 3, 2),
            nn.InstanceNorm2d(8, affine=True),
            nn.ReLU(),
        )
        self.residual = nn.Sequential(Padded(8, 8, 3), nn.InstanceNorm2d(8, affine=True), nn.ReLU())
        self.up, self.last = Padded(8, 4, 3), Padded(4, 3, 9)
        self.peak = peak

    def forward(self, x):
        x = self.down(x)
        x = self.residual(x) + x
        x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
        return torch.sigmoid(self.last(torch.relu(self.up(x))) * 9) * self.peak


def exported(
    module: nn.Module, path: Path, opset: int, inputs: Mapping[str, Sequence[int]], dynamic: bool
) -> Path:
    """Write a module as torch's older exporter does."""
    axes = {name: {2: f"{name}_h", 3: f"{name}_w"} for name in inputs} if dynamic else None
    with quiet():
        torch.onnx.export(
            module.eval(),
            tuple(torch.rand(*shape) for shape in inputs.values()),
            path,
            dynamo=False,
            opset_version=opset,
            input_names=list(inputs),
            output_names=["y"],
            dynamic_axes=axes,
        )
    return path


def candy(path: Path, opset: int = 11, dynamic: bool = True, peak: float = 255.0) -> Path:
    torch.manual_seed(0)
    return exported(Candy(peak), path, opset, {"input1": (1, 3, 48, 64)}, dynamic)


class Adain(nn.Module):
    """Two pictures in; the style comes first."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = Padded(3, 4, 3, 2), Padded(4, 3, 3)

    def forward(self, style, photo):
        there, here = self.encoder(style), self.encoder(photo)
        mean, std = there.mean((2, 3), keepdim=True), there.std((2, 3), keepdim=True)
        flat = (here - here.mean((2, 3), keepdim=True)) / (here.std((2, 3), keepdim=True) + 1e-3)
        painted = self.decoder(nn.functional.interpolate(flat * std + mean, scale_factor=2.0))
        return torch.sigmoid(painted)


def adain(path: Path, names: tuple[str, str] = ("style", "photo"), dynamic: bool = True) -> Path:
    torch.manual_seed(0)
    shapes = dict.fromkeys(names, (1, 3, 64, 64))
    return exported(Adain(), path, 17, shapes, dynamic)
