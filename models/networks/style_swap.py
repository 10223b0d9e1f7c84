"""style-swap: patches of features are swapped for a style's nearest ones (Chen and Schmidt, 2016).

At relu3_1 of a frozen encoder, with a decoder that mirrors it. Reads the pair of LinearWCT's
release or of Collaborative Distillation, and starts a training from any VGG-19. The bank of patches
has one size: a style is averaged down to a square picture first, of which the encoder makes a map
of that size. The published network keeps the style's own size and has no strength; here strength
blends features after the swap. Its decoder, an inverse of the encoder with batch norms, is not to
be had; a training makes one without them, by the published loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from styleexport.core.code_layout import Blending, CodeLayoutFact
from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.decoders.mirror import MirrorDecoder
from styleexport.models.encoders import cd16x
from styleexport.models.encoders._encoder import find_encoder
from styleexport.models.encoders._vgg import VggEncoder
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._published import (
    load_cd16x_decoder,
    load_linear_pair,
    two_files,
)
from styleexport.models.transforms import patch_match

TAP = "relu3_1"
DEFAULT = "vgg19"
# Encoder → its files and those of its decoder.
PAIRS = {"vgg19": ("vgg_r31.pth", "dec_r31.pth"), "cd16x": ("e3.pth", "d3.pth")}
FILES = "e3.pth and d3.pth, or vgg_r31.pth and dec_r31.pth"
# Height and width of the bank, in features. The largest has scores of 64 MB for a row of 1024
# pixels, and codes of 17 million values.
BANK = 32
LARGEST_BANK = 256
UNBLENDABLE = "each patch of the photograph takes the nearest patch of one style"


class StyleSwapNetwork(nn.Module):
    """Encoder, nearest patches of the style, decoder.

    Args:
        encoder: a VGG with one tap.
        name: name of the encoder.
        bank: height and width of the map of style features.
    """

    def __init__(self, encoder: VggEncoder, name: str, bank: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.encoder_name = name
        self.bank = bank
        self.stride = 2 ** (len(encoder.blocks) - 1)
        self.decoder = MirrorDecoder(encoder.blocks, last_relu=name == "cd16x")

    @property
    def code_layout(self) -> CodeLayoutFact:
        """Layout of its style codes."""
        parts = patch_match.code_parts(self.encoder.widths[0], self.bank)
        return CodeLayoutFact.of(parts, Blending.NONE, UNBLENDABLE)

    def features(self, image: Tensor) -> Tensor:
        """Return the features [N, C, H/4, W/4] of images [N, 3, H, W] in 0..1."""
        return self.encoder(image)[0]

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [N, C·S² + (S - 2)²] of images [N, 3, H, W] in 0..1."""
        return patch_match.style_code(self.features(averaged(style, self.bank * self.stride)))

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the painting, [N, 3, H', W'], H and W rounded up to multiples of the stride.

        Args:
            content: [N, 3, H, W] in 0..1.
            code: style code, [N, C·S² + (S - 2)²].
            strength: [1], 0 (what the decoder makes of the content's features) to 1 (the style).
        """
        return self.decoder(self.restyled(content, code, strength))

    def restyled(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the features that `transfer` decodes, [N, C, H/4, W/4]."""
        return patch_match.apply(self.features(content), code, strength, self.bank)


def averaged(picture: Tensor, side: int) -> Tensor:
    """Return pictures [N, C, H, W] at [N, C, side, side], each value the mean of its area.

    Two products with constant matrices: converters have no resize for every pair of sizes.
    """
    height, width = picture.shape[2:]
    rows, columns = (_area_weights(length, side, picture) for length in (height, width))
    turned = functional.linear(picture, columns).transpose(2, 3)
    return functional.linear(turned, rows).transpose(2, 3)


def _area_weights(length: int, side: int, like: Tensor) -> Tensor:
    """Return how much each of the values of a line counts in the means of its parts."""
    edges = np.arange(side + 1) * (length / side)
    places = np.arange(length)
    overlap = np.minimum(edges[1:, None], places + 1) - np.maximum(edges[:-1, None], places)
    weights = np.clip(overlap, 0, None) * (side / length)
    return torch.tensor(weights.tolist(), dtype=like.dtype, device=like.device)


def settings(module: nn.Module) -> dict[str, str | int]:
    """Return encoder and bank of a module, as `build` takes them."""
    assert isinstance(module, StyleSwapNetwork)
    described = find_encoder(module.encoder_name)
    chosen = {"encoder": module.encoder_name, "bank": module.bank}
    return {**chosen, **described.settings(module.encoder)}


def build(encoder: str = DEFAULT, bank: int = BANK, **variant: str) -> StyleSwapNetwork:
    """Return the network with random weights.

    Raises:
        UsageError: there is no such encoder, it has no decoder, or the bank has another size.
    """
    described = find_encoder(encoder)
    if encoder not in PAIRS:
        raise UsageError(
            f"style-swap has no decoder for encoder {encoder}: expected one of "
            f"{', '.join(PAIRS)}; type --encoder {DEFAULT}"
        )
    check_bank(bank, patch_match.PATCH)
    module = described.build((TAP,), **variant)
    assert isinstance(module, VggEncoder)
    return StyleSwapNetwork(module, encoder, bank)


def check_bank(bank: int, patch: int) -> None:
    """Check the side of a bank of patches.

    Raises:
        UsageError: it holds no patch, or its scores take too much memory.
    """
    if not patch <= bank <= LARGEST_BANK:
        raise UsageError(
            f"a bank of {bank}x{bank} features does not fit: its sides are {patch} (one patch) to "
            f"{LARGEST_BANK}; take {BANK}"
        )


def start(backbone: Path, encoder: str = DEFAULT) -> StyleSwapNetwork:
    """Return the network with the encoder of a file, and a random decoder.

    Raises:
        UsageError: there is no such encoder, or no decoder mirrors it.
        BadCheckpoint: the file is of another encoder or level.
    """
    if encoder == "cd16x":
        read_encoder = cd16x.read_level(backbone)
        if read_encoder.tap_names != (TAP,):
            raise BadCheckpoint(
                f"checkpoint {backbone} is the encoder to {read_encoder.tap_names[0]}, expected "
                f"e3.pth, the one to {TAP}"
            )
    else:
        read_encoder = find_encoder(encoder).read(backbone, (TAP,))
    network = build(encoder, **find_encoder(encoder).settings(read_encoder))  # pyright: ignore
    network.encoder.load_state_dict(read_encoder.state_dict())
    return network


def read(paths: Sequence[Path]) -> StyleSwapNetwork:
    """Return the network from encoder and decoder, their folder, or one file of `train`.

    Raises:
        BadCheckpoint: not such files, or of another level.
    """
    if len(paths) == 1 and paths[0].is_dir():
        paths = [paths[0] / name for name in PAIRS["cd16x"]]
    if len(paths) == 1:
        return _whole(paths[0])
    encoder, decoder = two_files("style-swap", paths, FILES)
    if "conv0.weight" not in read_tensors(encoder):
        network = build()
        load_linear_pair(network.encoder, network.decoder, (encoder, decoder), FILES)
        return network
    network = start(encoder, "cd16x")
    load_cd16x_decoder(network.decoder, network.encoder, decoder)
    return network


def _whole(path: Path) -> StyleSwapNetwork:
    """Return the network from one file of `styleexport train`, whose widths tell the encoder."""
    tensors = read_tensors(path)
    network = build(encoder_of(tensors))
    load_into(network, tensors, path, advice=f"style-swap takes {FILES}, or one file of `train`")
    return network


def encoder_of(tensors: Mapping[str, Tensor]) -> str:
    """Return the name of the VGG whose first layer a state dict of `train` has."""
    first = tensors.get("encoder.features.0.weight")
    narrow = first is not None and first.shape[0] == cd16x.BLOCKS[0][0]
    return "cd16x" if narrow else "vgg19"


NETWORK = StyleNetwork(
    name="style-swap",
    summary="Each 3x3 patch of relu3_1 becomes the style's nearest one; styles do not blend",
    paper="Chen and Schmidt, Fast Patch-based Style Transfer of Arbitrary Style, 2016",
    licence="that of your weights; MIT for those of Collaborative Distillation",
    build=build,
    read=read,
    checkpoints=f"{FILES}, or the folder of e3.pth and d3.pth",
    trains=("decoder.",),
    start=start,
    backbone="VGG-19 of torchvision or of the AdaIN release, or, with --encoder cd16x, e3.pth",
    settings=settings,
    choices=("encoder",),
    encoder=DEFAULT,
    family="Patches",
    objective="inverse",
)
