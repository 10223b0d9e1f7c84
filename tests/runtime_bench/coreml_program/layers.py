"""Layers that style networks are made of, and their Core ML package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from styleexport.core.quiet import quiet


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def gram(x):
    flat = x.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[-1]


def whiten(x):
    flat = x.flatten(2) - x.flatten(2).mean(-1, keepdim=True)
    return torch.softmax(flat.transpose(1, 2) @ flat, -1)


def swap(x):
    patches = F.unfold(x, 3).transpose(1, 2)
    return patches / patches.norm(dim=-1, keepdim=True)


LAYERS = {
    "transposed": nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1),
    "transposed plain": nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1),
    "dilated groups": nn.Conv2d(4, 8, 3, dilation=2, groups=2, padding="same"),
    "same even": nn.Conv2d(4, 8, 4, padding="same"),
    "circular": nn.Conv2d(4, 8, 3, padding=1, padding_mode="replicate"),
    "reflect": nn.ReflectionPad2d((3, 1, 2, 0)),
    "instance norm": nn.InstanceNorm2d(4, affine=True),
    "group norm": nn.GroupNorm(2, 4),
    "batch norm": nn.BatchNorm2d(4),
    "layer norm": nn.LayerNorm([9, 10]),
    "max pool ceil": nn.MaxPool2d(2, 2, ceil_mode=True),
    "avg pool": nn.AvgPool2d(3, 2, padding=1, count_include_pad=False),
    "adaptive pool": nn.AdaptiveAvgPool2d(1),
    "nearest": nn.Upsample(scale_factor=2),
    "nearest fraction": nn.Upsample(scale_factor=1.5),
    "bilinear": nn.Upsample(scale_factor=2, mode="bilinear"),
    "bilinear aligned": nn.Upsample(size=(13, 7), mode="bilinear", align_corners=True),
    "shuffle": nn.PixelShuffle(2),
    "unshuffle": Function(lambda x: F.pixel_unshuffle(x[:, :, :8], 2)),
    "leaky": nn.LeakyReLU(0.2),
    "prelu": nn.PReLU(4),
    "elu": nn.ELU(),
    "gelu": nn.GELU(approximate="tanh"),
    "mish": nn.Mish(),
    "hard swish": nn.Hardswish(),
    "softplus": nn.Softplus(),
    "glu": nn.GLU(1),
    "unbiased variance": Function(lambda x: x.flatten(2).var(-1).sqrt()),
    "gram": Function(gram),
    "whiten": Function(whiten),
    "norm": Function(lambda x: F.normalize(x, dim=1)),
    "crop and join": Function(lambda x: torch.cat([x[:, :, 1:-1, ::2], x[:, :, :7, 5:]], 3)),
    "roll": Function(lambda x: torch.flip(torch.roll(x, 2, 3), [2])),
    "gather": Function(lambda x: x.gather(1, x.argsort(1))),
    "chunk": Function(lambda x: x.chunk(2, 1)[1] * x.chunk(2, 1)[0]),
    "where": Function(lambda x: torch.where(x > 0, x, x.exp() - 1)),
    "einsum": Function(lambda x: torch.einsum("bchw,bdhw->bcd", x, x)),
    "attention": Function(
        lambda x: F.scaled_dot_product_attention(x.flatten(2), x.flatten(2) * 2, x.flatten(2))
    ),
    "topk": Function(lambda x: x.flatten(2).topk(5, -1).values),
    "cumsum": Function(lambda x: x.cumsum(2)),
    "clamp": Function(lambda x: x.clamp(0, 1)),
    "arithmetic": Function(lambda x: (x + 2) * (x - 1) / (x.abs() + 1) - x**3),
    "exponentials": Function(lambda x: torch.exp(x / 2) + torch.log(x.abs() + 1) + torch.erf(x)),
    "roots": Function(lambda x: torch.sqrt(x.abs()) + torch.rsqrt(x * x + 1)),
    "reciprocal": Function(lambda x: 1 / (x * x + 1)),
    "angles": Function(lambda x: torch.sin(x) + torch.cos(x) + torch.atan(x) + torch.tanh(x)),
    "rounding": Function(lambda x: torch.floor(x) + torch.ceil(3 * x) + torch.round(5 * x)),
    "comparisons": Function(lambda x: torch.logical_or(x > 0.5, x <= -0.5).float() * torch.sign(x)),
    "extremes": Function(lambda x: torch.maximum(x, x.flip(3)) - torch.minimum(x, 1 - x)),
    "sums": Function(lambda x: x.sum(3) + x.mean(3) * x.amax(3) - x.amin(3)),
    "sigmoid": nn.Sigmoid(),
    "silu": nn.SiLU(),
    "relu6": nn.ReLU6(),
    "hard sigmoid": nn.Hardsigmoid(),
    "zero pad": nn.ZeroPad2d((1, 2, 0, 3)),
    "linear": nn.Linear(10, 5),
    "index of the largest": Function(lambda x: x.flatten(2).argmax(1).float()),
    "tiles": Function(lambda x: x[:, :, None].expand(1, 4, 2, 9, 10).repeat(1, 1, 1, 2, 1)),
    "squeezed": Function(lambda x: x.mean((2, 3)).unsqueeze(-1).permute(0, 2, 1).squeeze(1)),
    "grid sample": Function(
        lambda x: F.grid_sample(x, (x[:, :2] / 3).permute(0, 2, 3, 1), align_corners=False)
    ),
}


X = torch.randn(1, 4, 9, 10, generator=torch.Generator().manual_seed(0))


class Layers(nn.Module):
    """All layers side by side, so that one conversion does."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(LAYERS.values())

    def forward(self, x):
        return tuple(layer(x) for layer in self.layers)


def save_package(path: Path, system: str) -> list[str]:
    """Save the layers as a float32 package; return the names of the outputs, a layer each."""
    import coremltools as ct

    names = [f"out{number}" for number in range(len(LAYERS))]
    with quiet():
        model = ct.convert(
            torch.jit.trace(Layers().eval().requires_grad_(False), X),
            inputs=[ct.TensorType(name="x", shape=X.shape)],
            outputs=[ct.TensorType(name=name, dtype=np.float32) for name in names],
            convert_to="mlprogram",
            compute_precision=ct.precision.FLOAT32,
            minimum_deployment_target=getattr(ct.target, system),
            skip_model_load=True,
        )
        model.save(str(path))
    return names
