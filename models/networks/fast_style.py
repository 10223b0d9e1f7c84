"""fast-style: the feed-forward network of Johnson et al. (ECCV 2016), trained for one style.

Checkpoints of two published conventions are read. pytorch/examples ``fast_neural_style``:
reflection padding, nearest upsampling, images in 0..255, instance norm with ε = 1e-5; old
checkpoints hold running statistics, which that network never used. The TensorFlow line (``.npz``
with ``Variable`` … ``Variable_47``): SAME padding with zeros, transposed convolutions, ε = 1e-3, an
output of 150·tanh + 127.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.core.errors import BadCheckpoint
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.network import StyleNetwork
from styleexport.models.pixels import PixelFormat

BLOCKS = 5
STALE = ("running_mean", "running_var", "num_batches_tracked")


class ConvLayer(nn.Module):
    """A reflection-padded convolution, under the key names of pytorch/examples.

    Args:
        inputs: number of input channels.
        outputs: number of output channels.
        kernel: side of the window.
        stride: stride of the convolution.
        up: factor of the nearest upsampling in front of it.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, up: int = 1
    ) -> None:
        super().__init__()
        self.up = up
        self.conv2d = nn.Conv2d(
            inputs, outputs, kernel, stride, padding=kernel // 2, padding_mode="reflect"
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of [N, C, h, w], upsampled first where the layer upsamples."""
        if self.up > 1:
            x = F.interpolate(x, scale_factor=float(self.up), mode="nearest")
        return self.conv2d(x)


class ResidualBlock(nn.Module):
    """Two normalised convolutions with an identity shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = ConvLayer(width, width, 3)
        self.in1 = nn.InstanceNorm2d(width, affine=True)
        self.conv2 = ConvLayer(width, width, 3)
        self.in2 = nn.InstanceNorm2d(width, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the input plus the block's residual, [N, C, H, W]."""
        return self.in2(self.conv2(F.relu(self.in1(self.conv1(x))))) + x


class TransformerNet(nn.Module):
    """The network of pytorch/examples: [N, 3, H, W] in 0..255 → the same."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = ConvLayer(3, 32, 9)
        self.in1 = nn.InstanceNorm2d(32, affine=True)
        self.conv2 = ConvLayer(32, 64, 3, stride=2)
        self.in2 = nn.InstanceNorm2d(64, affine=True)
        self.conv3 = ConvLayer(64, 128, 3, stride=2)
        self.in3 = nn.InstanceNorm2d(128, affine=True)
        for number in range(1, BLOCKS + 1):
            self.add_module(f"res{number}", ResidualBlock(128))
        self.deconv1 = ConvLayer(128, 64, 3, up=2)
        self.in4 = nn.InstanceNorm2d(64, affine=True)
        self.deconv2 = ConvLayer(64, 32, 3, up=2)
        self.in5 = nn.InstanceNorm2d(32, affine=True)
        self.deconv3 = ConvLayer(32, 3, 9)

    def forward(self, image: Tensor) -> Tensor:
        """Return the stylized image of an image [N, 3, H, W] in 0..255."""
        x = F.relu(self.in1(self.conv1(image)))
        x = F.relu(self.in2(self.conv2(x)))
        x = F.relu(self.in3(self.conv3(x)))
        for number in range(1, BLOCKS + 1):
            x = self.get_submodule(f"res{number}")(x)
        x = F.relu(self.in4(self.deconv1(x)))
        x = F.relu(self.in5(self.deconv2(x)))
        return self.deconv3(x)


class SameConv(nn.Module):
    """A convolution with TensorFlow's SAME padding, instance norm and, if asked, ReLU.

    SAME pads so that the output has ceil(n / stride) rows; where the padding is odd, the extra row
    goes to the end.

    Args:
        inputs: number of input channels.
        outputs: number of output channels.
        kernel: side of the window.
        stride: stride of the convolution.
        up: whether to transpose the convolution, which multiplies the size by the stride.
        relu: whether a ReLU follows.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        *,
        up: bool = False,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.relu = kernel, stride, relu
        self.conv = (
            nn.ConvTranspose2d(inputs, outputs, kernel, stride, bias=False)
            if up
            else nn.Conv2d(inputs, outputs, kernel, stride, bias=False)
        )
        self.norm = nn.InstanceNorm2d(outputs, eps=1e-3, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for [N, C, h, w], its sides divided or multiplied by the stride."""
        height, width = x.shape[2], x.shape[3]
        if isinstance(self.conv, nn.ConvTranspose2d):
            x = self.conv(x)[:, :, : height * self.stride, : width * self.stride]
        else:
            after = (self.kernel - 1) // 2
            # An even length under stride 2 needs one row less, taken from the front.
            top = after if self.stride == 1 else height % self.stride
            left = after if self.stride == 1 else width % self.stride
            x = self.conv(F.pad(x, (left, after, top, after)))
        x = self.norm(x)
        return F.relu(x) if self.relu else x


class SameNet(nn.Module):
    """The network of the TensorFlow line: [N, 3, H, W] in 0..255 → the same."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [SameConv(3, 32, 9), SameConv(32, 64, 3, 2), SameConv(64, 128, 3, 2)]
        )
        self.residual = nn.ModuleList(
            SameConv(128, 128, 3, relu=index % 2 == 0) for index in range(2 * BLOCKS)
        )
        self.up = nn.ModuleList(
            [
                SameConv(128, 64, 3, 2, up=True),
                SameConv(64, 32, 3, 2, up=True),
                SameConv(32, 3, 9, relu=False),
            ]
        )

    def layers(self) -> list[SameConv]:
        """Return the sixteen layers in the order of their variables."""
        parts = (*self.down, *self.residual, *self.up)
        return [layer for layer in parts if isinstance(layer, SameConv)]

    def forward(self, image: Tensor) -> Tensor:
        """Return the stylized image of an image [N, 3, H, W] in 0..255."""
        x = image
        for layer in self.down:
            x = layer(x)
        for index in range(0, 2 * BLOCKS, 2):
            x = x + self.residual[index + 1](self.residual[index](x))
        for layer in self.up:
            x = layer(x)
        return torch.tanh(x) * 150.0 + 127.5


def build(line: str = "examples") -> nn.Module:
    """Return the network of one line, ``examples`` or ``tensorflow``, with random weights."""
    return {"examples": TransformerNet, "tensorflow": SameNet}[line]()


def settings(module: nn.Module) -> dict[str, str | int]:
    """Return the line of a module, as `build` takes it."""
    return {"line": "tensorflow" if isinstance(module, SameNet) else "examples"}


def _read_same_net(path: Path, tensors: dict[str, Tensor]) -> SameNet:
    network = SameNet()
    names = ["Variable", *(f"Variable_{i}" for i in range(1, 3 * len(network.layers())))]
    keys = [
        f"{part}.{index}.{tensor}"
        for part, count in (("down", 3), ("residual", 2 * BLOCKS), ("up", 3))
        for index in range(count)
        for tensor in ("conv.weight", "norm.bias", "norm.weight")
    ]
    # TensorFlow stores [height, width, in, out], transposed convolutions [height, width, out, in]:
    # both become torch's order by the same permutation.
    permuted = {k: v.permute(3, 2, 0, 1) if v.dim() == 4 else v for k, v in tensors.items()}
    load_into(network, permuted, path, renamed=dict(zip(names, keys, strict=True)))
    return network


def read(paths: Sequence[Path]) -> nn.Module:
    """Return the network of a pytorch/examples checkpoint or of an npz of the TensorFlow line.

    Raises:
        BadCheckpoint: the file is neither.
    """
    if len(paths) != 1:
        raise BadCheckpoint(f"fast-style takes one checkpoint file, got {len(paths)}")
    tensors = read_tensors(paths[0])
    if "Variable" in tensors:
        return _read_same_net(paths[0], tensors)
    network = TransformerNet()
    used = {k: v for k, v in tensors.items() if not k.endswith(STALE)}
    load_into(network, used, paths[0])
    return network


NETWORK = StyleNetwork(
    name="fast-style",
    summary="a feed-forward network trained for one style, 1.7 M parameters",
    paper="Johnson et al., Perceptual Losses for Real-Time Style Transfer, ECCV 2016",
    licence="that of your weights",
    build=build,
    read=read,
    checkpoints="one .pth of pytorch/examples fast_neural_style, or an .npz with Variable names",
    input_pixels=PixelFormat(0.0, 255.0),
    output_pixels=PixelFormat(0.0, 255.0),
    min_side=32,
    settings=settings,
    family="One style a network",
)
