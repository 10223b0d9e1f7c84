"""MobileNetV2 1.0 (Sandler et al., CVPR 2018).

Reads torchvision's state dict, and TensorFlow's weights with folded batch norms (``conv00.weight``
to ``conv50.bias``, the order of computation). TensorFlow's were trained on pictures in -1..1 and
pad layers of stride 2 below and to the right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.encoders._backbone import load_stages
from styleexport.models.encoders._encoder import Encoder, Settings, Tap
from styleexport.models.encoders._inverted import BlockStyle, Stage, blocks_of
from styleexport.models.encoders._staged import (
    FixedBatchNorm2d,
    Padding,
    SameConv2d,
    StagedEncoder,
    conv,
    conv_norm,
)

STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 3, 2, 32, 3),
    Stage(6, 3, 2, 64, 4),
    Stage(6, 3, 1, 96, 3),
    Stage(6, 3, 2, 160, 3),
    Stage(6, 3, 1, 320, 1),
)
TAPS = (
    Tap("features.1", 16, 2, 1_824),
    Tap("features.3", 24, 4, 15_792),
    Tap("features.6", 32, 8, 55_488),
    Tap("features.13", 96, 16, 542_528),
    Tap("features.17", 320, 32, 1_811_712),
    Tap("features.18", 1280, 32, 2_223_872),
)
HALF = (0.5, 0.5, 0.5)


def _stages(padding: Padding) -> Iterator[tuple[str, nn.Module]]:
    style = BlockStyle(nn.ReLU6, eps=1e-5, padding=padding)
    yield "0", conv_norm(conv(3, 32, 3, 2, padding=padding), style.eps, nn.ReLU6)
    number = 1
    for blocks in blocks_of(32, STAGES, style, name="conv"):
        for block in blocks:
            yield str(number), block
            number += 1
    yield str(number), conv_norm(conv(320, 1280, 1), style.eps, nn.ReLU6)


def build(taps: Sequence[str], padding: Padding = "zeros") -> StagedEncoder:
    """Return MobileNetV2 up to the last of ``taps``, with random weights.

    Args:
        taps: names of the taps.
        padding: ``zeros`` as torchvision pads, ``same`` as TensorFlow does.
    """
    if padding == "same":
        return StagedEncoder(_stages(padding), taps, HALF, HALF)
    return StagedEncoder(_stages(padding), taps)


def settings(module: nn.Module) -> Settings:
    """Return the padding of a module, as `build` takes it."""
    same = any(isinstance(layer, SameConv2d) for layer in module.modules())
    return {"padding": "same" if same else "zeros"}


def read(path: Path, taps: Sequence[str]) -> StagedEncoder:
    """Return the encoder with torchvision's weights, or TensorFlow's.

    Raises:
        BadCheckpoint: the file holds neither.
    """
    tensors = read_tensors(path)
    if "conv00.weight" not in tensors:
        return load_stages(build(taps), ENCODER, tensors, path)
    encoder = build(taps, "same")
    _load_folded(encoder, tensors, path)
    return encoder


def _load_folded(encoder: StagedEncoder, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load convolutions with the norms folded into them: the norms add their biases alone."""
    names: dict[str, str] = {}
    folded = dict(tensors)
    layers = list(encoder.features.named_modules())
    pairs = [n for n, layer in layers if isinstance(layer, nn.Conv2d)]
    norms = [(n, layer) for n, layer in layers if isinstance(layer, FixedBatchNorm2d)]
    for index, (name, (norm_name, norm)) in enumerate(zip(pairs, norms, strict=True)):
        names[f"conv{index:02}.weight"] = f"{name}.weight"
        names[f"conv{index:02}.bias"] = f"{norm_name}.bias"
        for key, value in (("weight", 1.0), ("running_mean", 0.0), ("running_var", 1 - norm.eps)):
            names[f"{norm_name}.{key}"] = f"{norm_name}.{key}"
            folded[f"{norm_name}.{key}"] = norm.weight.detach().new_full(
                (norm.num_features,), value
            )
    past = [key for key in tensors if key not in names and key.startswith("conv")]
    load_into(encoder.features, folded, path, renamed=names, ignore=past)


ENCODER = Encoder(
    name="mobilenetv2",
    summary="MobileNetV2 1.0: inverted residual blocks, ReLU6",
    paper="Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018",
    taps=TAPS,
    default_tap="features.6",
    build=build,
    read=read,
    checkpoints="torchvision's mobilenet_v2, or TensorFlow's with folded norms as .npz",
    settings=settings,
)
