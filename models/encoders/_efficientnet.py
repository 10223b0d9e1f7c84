"""EfficientNets of torchvision: stem, stages of inverted residual blocks, 1x1 head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn

from styleexport.models.encoders._inverted import BlockStyle, Stage, blocks_of
from styleexport.models.encoders._staged import conv, conv_norm

STYLE = BlockStyle(nn.SiLU, eps=1e-3, squeeze=True)


def efficientnet_stages(
    stem: int, stages: Sequence[Stage], head: int
) -> Iterator[tuple[str, nn.Module]]:
    """Yield the stages of an EfficientNet under torchvision's numbers.

    Args:
        stem: channels of the first convolution.
        stages: runs of blocks.
        head: channels of the last convolution.
    """
    yield "0", conv_norm(conv(3, stem, 3, 2), STYLE.eps, STYLE.activation)
    for number, blocks in enumerate(blocks_of(stem, stages, STYLE), 1):
        yield str(number), nn.Sequential(*blocks)
    last = conv(stages[-1].outputs, head, 1)
    yield str(len(stages) + 1), conv_norm(last, STYLE.eps, STYLE.activation)
