"""Blocks of MobileNetV2 and the EfficientNets: expand, convolve each channel alone, project."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from styleexport.models.encoders._staged import Activation, Padding, conv, conv_norm


@dataclass(frozen=True)
class Stage:
    """A run of blocks of one width.

    Attributes:
        expansion: width inside a block over the width of its input.
        kernel: side of the window.
        stride: stride of the first block.
        outputs: channels of each block.
        blocks: number of blocks.
        fused: whether one full convolution expands and convolves (EfficientNetV2).
    """

    expansion: int
    kernel: int
    stride: int
    outputs: int
    blocks: int
    fused: bool = False


@dataclass(frozen=True)
class BlockStyle:
    """Properties of all blocks of a network.

    Attributes:
        activation: activation behind each layer but the projection.
        eps: ε of the batch norms.
        squeeze: whether blocks have gates.
        padding: padding of the layers of stride 2.
    """

    activation: Activation
    eps: float
    squeeze: bool = False
    padding: Padding = "zeros"


class SqueezeExcitation(nn.Module):
    """Gates on the channels, computed from their means (Hu et al., CVPR 2018)."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.activation = nn.SiLU()
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Return the features [N, C, H, W] times their gates."""
        mean = x.mean((2, 3), keepdim=True)
        return x * self.gate(self.fc2(self.activation(self.fc1(mean))))


def _layers(inputs: int, stage: Stage, stride: int, style: BlockStyle) -> Iterator[nn.Module]:
    """Yield the layers of a block: expansion, convolution, gates, projection."""
    wide, act = inputs * stage.expansion, style.activation
    if stage.fused:
        first = stage.outputs if stage.expansion == 1 else wide
        layer = conv(inputs, first, stage.kernel, stride, padding=style.padding)
        yield conv_norm(layer, style.eps, act)
        if stage.expansion != 1:
            yield conv_norm(conv(wide, stage.outputs, 1), style.eps)
        return
    if stage.expansion != 1:
        yield conv_norm(conv(inputs, wide, 1), style.eps, act)
    alone = conv(wide, wide, stage.kernel, stride, groups=wide, padding=style.padding)
    yield conv_norm(alone, style.eps, act)
    if style.squeeze:
        yield SqueezeExcitation(wide, max(1, inputs // 4))
    yield conv_norm(conv(wide, stage.outputs, 1), style.eps)


class Block(nn.Module):
    """A block, added to its input where the shapes allow; ``block`` is torchvision's name.

    Args:
        inputs: channels of the input.
        stage: stage that the block is part of.
        stride: stride of the block.
        style: properties of the network's blocks.
        name: name of the inner layers in the state dict, ``block`` or ``conv``.
    """

    def __init__(
        self, inputs: int, stage: Stage, stride: int, style: BlockStyle, name: str = "block"
    ) -> None:
        super().__init__()
        *first, projection = _layers(inputs, stage, stride, style)
        # MobileNetV2 numbers the projection and its norm on their own.
        last = projection.children() if name == "conv" else [projection]
        inner = nn.Sequential(*first, *last)
        setattr(self, name, inner)
        self.inner = name
        self.adds = stride == 1 and inputs == stage.outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's features of [N, C, H, W]."""
        y = getattr(self, self.inner)(x)
        return x + y if self.adds else y


def blocks_of(
    inputs: int, stages: Sequence[Stage], style: BlockStyle, name: str = "block"
) -> Iterator[list[Block]]:
    """Yield the blocks of each stage."""
    for stage in stages:
        blocks: list[Block] = []
        for index in range(stage.blocks):
            blocks.append(Block(inputs, stage, stage.stride if index == 0 else 1, style, name))
            inputs = stage.outputs
        yield blocks
