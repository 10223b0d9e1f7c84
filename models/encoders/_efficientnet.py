"""EfficientNets of torchvision: stem, stages of inverted residual blocks, 1x1 head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import nn

from styleexport.models.checkpoint import read_tensors
from styleexport.models.encoders._backbone import load_stages
from styleexport.models.encoders._encoder import Encoder, Tap
from styleexport.models.encoders._inverted import BlockStyle, Stage, blocks_of
from styleexport.models.encoders._staged import StagedEncoder, conv, conv_norm

STYLE = BlockStyle(nn.SiLU, eps=1e-3, squeeze=True)


def _stages(stem: int, stages: Sequence[Stage], head: int) -> Iterator[tuple[str, nn.Module]]:
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


def efficientnet(
    name: str,
    *,
    summary: str,
    paper: str,
    taps: tuple[Tap, ...],
    default_tap: str,
    stem: int,
    stages: Sequence[Stage],
    head: int,
    checkpoints: str,
) -> Encoder:
    """Return the description of an EfficientNet that reads torchvision's state dict.

    Args:
        name: name of the encoder.
        summary: one line on it.
        paper: publication.
        taps: places whose features can be used.
        default_tap: tap that AdaIN takes where none is named.
        stem: channels of the first convolution.
        stages: runs of blocks.
        head: channels of the last convolution.
        checkpoints: files that it reads, in words.
    """

    def build(names: Sequence[str]) -> StagedEncoder:
        return StagedEncoder(_stages(stem, stages, head), names)

    def read(path: Path, names: Sequence[str]) -> StagedEncoder:
        return load_stages(build(names), encoder, read_tensors(path), path)

    encoder = Encoder(
        name=name,
        summary=summary,
        paper=paper,
        taps=taps,
        default_tap=default_tap,
        build=build,
        read=read,
        checkpoints=checkpoints,
    )
    return encoder
