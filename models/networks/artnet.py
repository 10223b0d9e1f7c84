"""artnet: all levels of a classifier at 1/16, swapped between two AdaINs (An et al., 2020).

The features of four levels are averaged down to the deepest one's size and concatenated. On
GoogLeNet with a decoder of inverted Inception modules, or on MobileNetV2 with a plain one. The
publication names no code and no widths of its decoder, which are ours here. Channels that are zero
for every picture leave with `styleexport prune --method zero-channel`. Texture may come of one
style and colour of another: `styleexport stylize ARTIFACT photo.jpg --texture a.jpg --color b.jpg`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from styleexport.core.code_layout import Blending, CodeLayoutFact
from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.decoders.inception import InceptionDecoder
from styleexport.models.encoders._encoder import Encoder, Tap, find_encoder
from styleexport.models.encoders._staged import StagedEncoder, continued
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._one_encoder import mirror
from styleexport.models.networks.style_swap import UNBLENDABLE, averaged, check_bank
from styleexport.models.transforms import patch_match, sandwich

STRIDE = 16
BANK = 16
# The bank of a training's crops of 128 pixels, which would have to be enlarged for 16.
TRAINING_BANK = 8
DEFAULT = "googlenet"
# Encoder → the taps that are concatenated.
TAPS = {
    "googlenet": ("conv1", "conv3", "inception3b", "inception4e"),
    "mobilenetv2": ("features.1", "features.3", "features.6", "features.13"),
}
# Channels of the decoder for MobileNetV2, full size first.
WIDTHS = ((32,), (48, 48), (96, 96), (128, 128))


class ArtNetwork(nn.Module):
    """Encoder, all levels at 1/16, sandwich swap, decoder.

    Args:
        encoder: a classifier with taps at 1/2, 1/4, 1/8 and 1/16.
        described: its description.
        bank: height and width of the map of style features.
    """

    def __init__(self, encoder: StagedEncoder, described: Encoder, bank: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.encoder_name = described.name
        self.bank = bank
        taps = [described.tap(name) for name in encoder.tap_names]
        self.pools = [STRIDE // tap.stride for tap in taps]
        joined = Tap("all", sum(tap.channels for tap in taps), STRIDE, 0)
        plain = described.name != DEFAULT
        self.decoder = mirror(WIDTHS)(joined, "") if plain else InceptionDecoder(joined.channels)

    @property
    def code_layout(self) -> CodeLayoutFact:
        """Layout of its style codes."""
        parts = sandwich.code_parts(self._channels(), self._side)
        return CodeLayoutFact.of(parts, Blending.NONE, UNBLENDABLE)

    def features(self, image: Tensor) -> Tensor:
        """Return the features of all levels, [N, ΣC, ceil(H/16), ceil(W/16)], of [N, 3, H, W]."""
        levels = self.encoder(continued(image, STRIDE))
        pooled = [
            level if size == 1 else functional.avg_pool2d(level, size)
            for level, size in zip(levels, self.pools, strict=True)
        ]
        return torch.cat(pooled, 1)

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [N, K] of images [N, 3, H, W] in 0..1."""
        return sandwich.style_code(self.features(averaged(style, self._side * STRIDE)))

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the painting, [N, 3, H', W'], H and W rounded up to multiples of 16.

        Args:
            content: [N, 3, H, W] in 0..1.
            code: style code, [N, K].
            strength: [1], 0 (what the decoder makes of the content's features) to 1 (the style).
        """
        return self.decoder(sandwich.apply(self.features(content), code, strength, self._side))

    @property
    def _side(self) -> int:
        return min(self.bank, TRAINING_BANK) if self.training else self.bank

    def _channels(self) -> int:
        with torch.no_grad():
            like = next(self.parameters())
            picture = torch.zeros(1, 3, STRIDE, STRIDE, dtype=like.dtype, device=like.device)
            return self.features(picture).shape[1]


def settings(module: nn.Module) -> dict[str, str | int]:
    """Return encoder and bank of a module, as `build` takes them."""
    assert isinstance(module, ArtNetwork)
    chosen = {"encoder": module.encoder_name, "bank": module.bank}
    return {**chosen, **find_encoder(module.encoder_name).settings(module.encoder)}


def build(encoder: str = DEFAULT, bank: int = BANK, **variant: str) -> ArtNetwork:
    """Return the network with random weights.

    Raises:
        UsageError: no decoder fits the encoder, or the bank has another size.
    """
    described = _described(encoder)
    check_bank(bank, patch_match.PATCH)
    module = described.build(TAPS[encoder], **variant)
    assert isinstance(module, StagedEncoder)
    return ArtNetwork(module, described, bank)


def _described(encoder: str) -> Encoder:
    """Return the description of an encoder that has a decoder.

    Raises:
        UsageError: it has none.
    """
    if encoder not in TAPS:
        raise UsageError(
            f"artnet has no decoder for encoder {encoder}: expected one of {', '.join(TAPS)}; type "
            f"--encoder {DEFAULT}"
        )
    return find_encoder(encoder)


def start(backbone: Path, encoder: str = DEFAULT) -> ArtNetwork:
    """Return the network with the encoder of a file, and a random decoder.

    Raises:
        UsageError: no decoder fits the encoder.
        BadCheckpoint: the file is of another encoder.
    """
    described = _described(encoder)
    module = described.read(backbone, TAPS[encoder])
    assert isinstance(module, StagedEncoder)
    return ArtNetwork(module, described, BANK)


def read(paths: Sequence[Path]) -> ArtNetwork:
    """Return the network from one file of `styleexport train`, whose layers tell the encoder.

    Raises:
        BadCheckpoint: not one file, or of another network.
    """
    if len(paths) != 1:
        raise BadCheckpoint(f"artnet takes one checkpoint file, got {len(paths)}")
    tensors = read_tensors(paths[0])
    inception = "encoder.features.conv1.conv.weight" in tensors
    network = build(DEFAULT) if inception else build("mobilenetv2")
    load_into(network, tensors, paths[0], advice="artnet takes one file of `styleexport train`")
    return network


NETWORK = StyleNetwork(
    name="artnet",
    summary="All levels of GoogLeNet or MobileNetV2 at 1/16, patches swapped between two AdaINs",
    paper="An et al., Real-time Universal Style Transfer on High-resolution Images via "
    "Zero-channel Pruning, 2020",
    licence="that of your weights",
    build=build,
    read=read,
    checkpoints="one file from `styleexport train artnet`",
    min_side=2 * STRIDE + 1,  # three places, a patch
    trains=("encoder.features.", "decoder."),
    start=start,
    backbone="torchvision's googlenet; or, with --encoder mobilenetv2, "
    "torchvision's mobilenet_v2 or TensorFlow's with folded norms as .npz",
    settings=settings,
    choices=("encoder",),
    encoder=DEFAULT,
    family="Patches",
)
