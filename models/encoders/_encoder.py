"""Description of encoders: name, taps, normalisation and weights; found by their folder.

Each public file of this folder exposes ``ENCODER``. Networks, training and the command line know an
encoder by its description alone, so that a new one is a new file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from styleexport.core import plugins
from styleexport.core.errors import UsageError
from styleexport.models.pixels import IMAGENET_MEAN, IMAGENET_STD

ENCODERS = "styleexport.models.encoders"

Settings = Mapping[str, str | int]


class EncoderModule(nn.Module):
    """An encoder: a normalising 1x1 convolution, then ``features``, tapped at named places.

    ``forward`` maps [N, 3, H, W] RGB in 0..1 to one [N, C, ceil(H/s), ceil(W/s)] tensor per tap, in
    the order of ``tap_names``.
    """

    normalise: nn.Conv2d
    features: nn.Sequential
    tap_names: tuple[str, ...]


@dataclass(frozen=True)
class Tap:
    """Place in an encoder whose features are used.

    Attributes:
        name: name of the layer, as ``--tap`` takes it.
        channels: number of channels of its features.
        stride: height and width of the picture over those of the features.
        parameters: number of parameters of ``features`` up to here.
    """

    name: str
    channels: int
    stride: int
    parameters: int

    def __str__(self) -> str:
        return f"{self.name} ({self.channels} channels at 1/{self.stride})"


def deepest_stride(taps: Sequence[Tap], names: Sequence[str]) -> int:
    """Return the largest stride of some taps by their names; 1 where none is known."""
    return max((tap.stride for tap in taps if tap.name in names), default=1)


@dataclass(frozen=True)
class Encoder:
    """Description of an encoder.

    Attributes:
        name: name that ``--encoder`` takes.
        summary: one line on it.
        paper: publication.
        taps: places whose features can be used, the shallowest first.
        default_tap: tap that AdaIN takes where none is named.
        build: returns the encoder up to the last of some taps, with random weights; its keywords,
            if any, choose a variant.
        read: returns the encoder with the weights of a file, up to the last of some taps; raises
            BadCheckpoint.
        checkpoints: files that ``read`` takes, in words.
        mean: mean of its pictures, RGB in 0..1.
        std: deviation of its pictures.
        settings: returns the keywords with which ``build`` makes the same variant as a module.
    """

    name: str
    summary: str
    paper: str
    taps: tuple[Tap, ...]
    default_tap: str
    build: Callable[..., EncoderModule]
    read: Callable[[Path, Sequence[str]], EncoderModule]
    checkpoints: str
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    settings: Callable[[nn.Module], Settings] = lambda _: {}

    def tap(self, name: str = "") -> Tap:
        """Return a tap by its name, the default one for "".

        Raises:
            UsageError: there is none of that name; the taps are listed.
        """
        wanted = name or self.default_tap
        for tap in self.taps:
            if tap.name == wanted:
                return tap
        raise UsageError(
            f"encoder {self.name} has no tap {name!r}: expected one of "
            f"{', '.join(map(str, self.taps))}"
            + plugins.suggestion(name, [tap.name for tap in self.taps])
        )


def encoder_names() -> tuple[str, ...]:
    """Return the names of the encoders."""
    return plugins.names(ENCODERS)


def find_encoder(name: str) -> Encoder:
    """Return the description of an encoder.

    Raises:
        UsageError: there is none of that name; the nearest one is suggested.
    """
    encoder = plugins.load(ENCODERS, name, "ENCODER")
    assert isinstance(encoder, Encoder)
    return encoder


def set_normalisation(
    conv: nn.Conv2d, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD
) -> None:
    """Set a 1x1 convolution of RGB pictures to (x - mean) / std, in place."""
    scale, shift = (torch.tensor(values, dtype=conv.weight.dtype) for values in (std, mean))
    with torch.no_grad():
        conv.weight.copy_(torch.diag(1 / scale).reshape(3, 3, 1, 1))
        assert conv.bias is not None
        conv.bias.copy_(-shift / scale)
