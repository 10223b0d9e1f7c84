"""Encoders as a row of named stages, tapped behind some of them; layers that several have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.models.encoders._encoder import EncoderModule, set_normalisation
from styleexport.models.pixels import IMAGENET_MEAN, IMAGENET_STD

Padding = Literal["zeros", "same"]
Activation = Callable[[], nn.Module]
NUMBERED = "features."


class StagedEncoder(EncoderModule):
    """An encoder whose stages run one after the other.

    Args:
        stages: name and module of each stage, made one by one and no further than the last tap.
        taps: names of the stages whose output is returned; stage ``3`` is ``features.3``.
        mean: mean of the pictures, RGB in 0..1.
        std: deviation of the pictures.
        multiple: height and width that every stage divides without a rest; pictures are continued
            by reflection to the next multiple. 1 where the layers round sizes up themselves.

    Raises:
        ValueError: there is no such tap.
    """

    def __init__(
        self,
        stages: Iterable[tuple[str, nn.Module]],
        taps: Sequence[str],
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        multiple: int = 1,
    ) -> None:
        super().__init__()
        self.normalise = nn.Conv2d(3, 3, 1)
        set_normalisation(self.normalise, mean, std)
        self.features = nn.Sequential()
        self.tap_names = tuple(taps)
        self.multiple = multiple
        self._places = tuple(name.removeprefix(NUMBERED) for name in taps)
        remaining = set(self._places)
        for name, stage in stages:
            self.features.add_module(name, stage)
            remaining.discard(name)
            if not remaining:
                break
        if remaining:
            raise ValueError(f"no such tap: {sorted(remaining)}")

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the features at each tap, in the order of ``tap_names``."""
        if self.multiple > 1:
            image = continued(image, self.multiple)
        features: dict[str, Tensor] = {}
        x = self.normalise(image)
        for name, stage in self.features.named_children():
            x = stage(x)
            if name in self._places:
                features[name] = x
        return tuple(features[place] for place in self._places)


def continued(image: Tensor, multiple: int) -> Tensor:
    """Return pictures continued by reflection below and to the right to a multiple of a length."""
    down, right = -image.shape[2] % multiple, -image.shape[3] % multiple
    return F.pad(image, (0, right, 0, down), mode="reflect") if down or right else image


class FixedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that uses its running statistics in training too.

    A training of a few pictures a step would replace statistics of ImageNet by those of single
    batches. Weights and biases are trained as others are.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__(channels, eps)
        self.train()

    def train(self, mode: bool = True) -> FixedBatchNorm2d:
        """Return itself, in inference mode."""
        super().train(False)
        return self


class SameConv2d(nn.Conv2d):
    """A convolution of stride 2 with TensorFlow's SAME padding: below and to the right first.

    torch's symmetric padding would compute the features one pixel further up and left.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return [N, C, ceil(H/2), ceil(W/2)]."""
        after = self.kernel_size[0] // 2
        top, left = (after - 1 + side % 2 for side in input.shape[2:])
        return super().forward(F.pad(input, (left, after, top, after)))


def conv(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    *,
    groups: int = 1,
    padding: Padding = "zeros",
    bias: bool = False,
) -> nn.Conv2d:
    """Return a convolution that keeps the size, or halves it rounding up."""
    if padding == "same" and stride == 2 and kernel > 1:
        return SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=bias)
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=bias)


def conv_norm(layer: nn.Conv2d, eps: float, activation: Activation | None = None) -> nn.Sequential:
    """Return a convolution, its batch norm and its activation, numbered as torchvision does."""
    norm = FixedBatchNorm2d(layer.out_channels, eps=eps)
    return nn.Sequential(layer, norm, *([] if activation is None else [activation()]))
