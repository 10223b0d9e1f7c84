"""Modules of the AdaIN networks: encoder × AdaIN × decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from styleexport.core.code_layout import Blending, CodeLayoutFact
from styleexport.models.decoders.lite import LiteDecoder
from styleexport.models.decoders.mirror import MirrorDecoder
from styleexport.models.encoders._encoder import EncoderModule
from styleexport.models.encoders._lite import LiteEncoder
from styleexport.models.encoders._vgg import VggEncoder
from styleexport.models.transforms import adain

E = TypeVar("E", bound=EncoderModule)
D = TypeVar("D", bound=nn.Module)


# Height and width of a picture that every encoder takes, in pixels.
SMALL = 64


def statistics_layout(encoder: nn.Module, names: Sequence[str]) -> CodeLayoutFact:
    """Return the layout of `adain.style_code` of an encoder's features.

    AdaIN is linear in the code (Huang and Belongie, equation 15), so codes blend exactly.

    Args:
        encoder: gives one or more feature maps [N, C, H, W].
        names: prefix of the parts of each feature map, such as ``quarter.``.
    """
    weight = next(encoder.parameters())
    with torch.no_grad():
        levels = encoder(weight.new_zeros(1, 3, SMALL, SMALL))
    parts: dict[str, tuple[int, ...]] = {}
    for name, level in zip(names, levels, strict=True):
        parts |= {f"{name}mean": (level.shape[1],), f"{name}deviation": (level.shape[1],)}
    return CodeLayoutFact.of(parts, Blending.EXACT)


class OneTapAdainNetwork(nn.Module, Generic[E, D]):
    """AdaIN once, on the features at an encoder's only tap (Huang and Belongie, ICCV 2017)."""

    def __init__(self, encoder: E, decoder: D) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    @property
    def code_layout(self) -> CodeLayoutFact:
        """Layout of its style codes."""
        return statistics_layout(self.encoder, ("",))

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [N, 2C] of images [N, 3, H, W] in 0..1."""
        return adain.style_code(self.encoder(style), unbiased=True)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the painting, [N, 3, H', W'], H and W rounded up to multiples of the stride.

        Args:
            content: [N, 3, H, W] in 0..1.
            code: style code, [N, 2C].
            strength: [1], 0 (the content) to 1 (the style).
        """
        (features,) = self.encoder(content)
        return self.decoder(adain.apply(features, code, strength, unbiased=True))


class AdainNetwork(OneTapAdainNetwork[VggEncoder, MirrorDecoder]):
    """AdaIN on the deepest features of a VGG, with the decoder that mirrors it."""


class EncoderAdainNetwork(OneTapAdainNetwork[EncoderModule, nn.Module]):
    """AdaIN on the features of any encoder.

    Args:
        encoder: encoder with one tap.
        decoder: maps [N, C, h, w] to an image [N, 3, h·s, w·s], s the stride of the tap.
        settings: keywords with which the network is built.
    """

    def __init__(
        self, encoder: EncoderModule, decoder: nn.Module, settings: Mapping[str, str | int]
    ) -> None:
        super().__init__(encoder, decoder)
        self.settings = dict(settings)


class MultiLevelAdainNetwork(nn.Module):
    """AdaIN at every decoder level, with the statistics of the encoder level that it mirrors."""

    def __init__(
        self, encoder: LiteEncoder | None = None, decoder: LiteDecoder | None = None
    ) -> None:
        super().__init__()
        self.encoder = LiteEncoder() if encoder is None else encoder
        self.decoder = LiteDecoder() if decoder is None else decoder

    @property
    def code_layout(self) -> CodeLayoutFact:
        """Layout of its style codes."""
        return statistics_layout(self.encoder, [f"{name}." for name in self.encoder.level_names])

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [N, 2·ΣC] of images [N, 3, H, W] in 0..1.

        It holds each level's mean and standard deviation, full size first.
        """
        return adain.style_code(self.encoder(style), unbiased=False)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the painting, [N, 3, H', W'], H and W rounded up to multiples of 8.

        Args:
            content: [N, 3, H, W] in 0..1.
            code: style code, [N, 2·ΣC].
            strength: [1], 0 (the content) to 1 (the style).
        """
        features = self.encoder(content)
        own = adain.style_code(features, unbiased=False)
        mixed = own + strength * (code - own)
        levels = mixed.split([2 * level.shape[1] for level in features], dim=1)
        return self.decoder(self.encoder.deepest(features), levels)
