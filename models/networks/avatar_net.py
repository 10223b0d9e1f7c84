"""avatar-net: patches of whitened features, and AdaIN on the way up (Sheng et al., CVPR 2018).

At relu4_1 of a frozen VGG. A style is averaged down to a square picture, so that its bank has one
size; covariance, bank and statistics all come of that picture. The decoder reconstructs pictures
from their own features and statistics, and is trained for that alone.

After 1,500 steps from cd16x's decoder it reconstructs at 20 to 23 dB. Of that network at 256 pixels
ONNX fp32 is 119 dB from PyTorch, Core ML 125, TFLite 96; fp16 files have an SSIM of 0.995 and more.
int8 has 0.84 to 0.88 and is refused under the default 0.9, since whitening raises the rounding of
weak directions: `--budget "ssim>=0.84, style<=+5%"` takes it, with the style 2 % further.
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
from styleexport.models.decoders.hourglass import HourglassDecoder
from styleexport.models.decoders.mirror import MirrorDecoder
from styleexport.models.encoders import cd16x
from styleexport.models.encoders._encoder import find_encoder
from styleexport.models.encoders._vgg import VggEncoder
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._published import load_cd16x_decoder
from styleexport.models.networks.style_swap import UNBLENDABLE, averaged, check_bank, encoder_of
from styleexport.models.transforms import adain, decorator

LEVELS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
STRIDE = 8
DEFAULT = "cd16x"
ENCODERS = ("cd16x", "vgg19")
BANK = 32
PAIR = ("e4.pth", "d4.pth")


class AvatarNetwork(nn.Module):
    """Encoder, style decorator, hourglass decoder.

    Args:
        encoder: a VGG with taps at relu1_1 to relu4_1.
        name: name of the encoder.
        bank: height and width of the map of style features.
    """

    def __init__(self, encoder: VggEncoder, name: str, bank: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.encoder_name = name
        self.bank = bank
        self.decoder = HourglassDecoder(encoder.blocks)
        self.decoder.initialise()
        for layer in encoder.modules():  # features that vanish from layer to layer have no roots
            if isinstance(layer, nn.Conv2d) and layer.kernel_size[0] > 1:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    @property
    def code_layout(self) -> CodeLayoutFact:
        """Layout of its style codes: of the decorator, then the statistics of each level."""
        parts = decorator.code_parts(self.encoder.widths[-1], self.bank)
        for level, width in zip(LEVELS[-2::-1], self.decoder.level_widths, strict=True):
            parts |= {f"{level}.mean": (width,), f"{level}.deviation": (width,)}
        return CodeLayoutFact.of(parts, Blending.NONE, UNBLENDABLE)

    def levels(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the features of images [N, 3, H, W] at each level, [N, C, h, w] each."""
        return self.encoder(image)

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [N, K] of images [N, 3, H, W] in 0..1."""
        *levels, deepest = self.encoder(averaged(style, self.bank * STRIDE))
        return torch.cat([decorator.style_code(deepest), _statistics(levels)], 1)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the painting, [N, 3, H', W'], H and W rounded up to multiples of 8.

        Args:
            content: [N, 3, H, W] in 0..1.
            code: style code, [N, K].
            strength: [1], 0 (whitening and colouring, no patch of the style) to 1 (its patches).
        """
        count = 2 * sum(self.decoder.level_widths)
        parts = code.split([code.shape[1] - count, count], 1)
        features = decorator.apply(self.encoder(content)[-1], parts[0], strength, self.bank)
        return self._decoded(features, parts[1])

    def reconstruct(self, image: Tensor) -> Tensor:
        """Return images [N, 3, H, W] as the decoder makes them of their own features."""
        *levels, deepest = self.encoder(image)
        return self._decoded(deepest, _statistics(levels))

    @torch.no_grad()
    def adapt(self, images: Tensor) -> None:
        """Prepare a decoder that was trained without AdaIN for it, in place, in the mean.

        Args:
            images: pictures to take statistics of, [N, 3, H, W] in 0..1.
        """
        *levels, deepest = self.encoder(images)
        self.decoder.adapt(deepest, levels[::-1])

    def _decoded(self, features: Tensor, statistics: Tensor) -> Tensor:
        widths = [2 * width for width in self.decoder.level_widths]
        return self.decoder(features, statistics.split(widths, 1))


def _statistics(levels: Sequence[Tensor]) -> Tensor:
    """Return channel means and deviations of maps, the deepest first, [N, 2·ΣC]."""
    return adain.style_code(levels[::-1], unbiased=False)


def settings(module: nn.Module) -> dict[str, str | int]:
    """Return encoder and bank of a module, as `build` takes them."""
    assert isinstance(module, AvatarNetwork)
    chosen = {"encoder": module.encoder_name, "bank": module.bank}
    return {**chosen, **find_encoder(module.encoder_name).settings(module.encoder)}


def build(encoder: str = DEFAULT, bank: int = BANK, **variant: str) -> AvatarNetwork:
    """Return the network with random weights.

    Raises:
        UsageError: there is no such encoder, no decoder mirrors it, or the bank has another size.
    """
    if encoder not in ENCODERS:
        raise UsageError(
            f"avatar-net has no decoder for encoder {encoder}: expected one of "
            f"{', '.join(ENCODERS)}; type --encoder {DEFAULT}"
        )
    check_bank(bank, decorator.PATCH)
    if encoder == "cd16x":
        return AvatarNetwork(VggEncoder(cd16x.BLOCKS, LEVELS, "reflect"), encoder, bank)
    module = find_encoder(encoder).build(LEVELS, **variant)
    assert isinstance(module, VggEncoder)
    return AvatarNetwork(module, encoder, bank)


def start(backbone: Path, encoder: str = DEFAULT) -> AvatarNetwork:
    """Return the network with the encoder of a file; see `NETWORK.backbone`.

    With the folder of cd16x, the decoder starts as the release's, which has the same layers without
    AdaIN; `AvatarNetwork.adapt` makes it expect AdaIN. Else it is random.

    Raises:
        BadCheckpoint: the file is of another encoder or level.
        UsageError: no decoder mirrors the encoder.
    """
    described = find_encoder(encoder)
    pair = [backbone / name for name in PAIR] if backbone.is_dir() else [backbone]
    module = described.read(pair[0], LEVELS[-1:] if encoder == "cd16x" else LEVELS)
    network = build(encoder, **described.settings(module))  # pyright: ignore[reportArgumentType]
    network.encoder.load_state_dict(module.state_dict())
    if len(pair) > 1:
        decoder = MirrorDecoder(network.encoder.blocks)
        load_cd16x_decoder(decoder, network.encoder, pair[1])
        _widen_last(decoder, network.decoder)
        network.decoder.load_state_dict(decoder.state_dict())
    return network


def _widen_last(decoder: MirrorDecoder, like: MirrorDecoder) -> None:
    """Surround the window of a decoder's last convolution with zeros, in place.

    The picture stays the same: a reflection by 3 pixels begins as one by 1 does.
    """
    place = decoder.conv_indices()[-1]
    layer, wide = decoder.layers[place], like.layers[place]
    assert isinstance(layer, nn.Conv2d) and isinstance(wide, nn.Conv2d)
    border = (wide.kernel_size[0] - layer.kernel_size[0]) // 2
    layer.weight = nn.Parameter(functional.pad(layer.weight.detach(), (border,) * 4))


def read(paths: Sequence[Path]) -> AvatarNetwork:
    """Return the network from one file of `styleexport train`, whose widths tell the encoder.

    Raises:
        BadCheckpoint: not one file, or of another network.
    """
    if len(paths) != 1:
        raise BadCheckpoint(f"avatar-net takes one checkpoint file, got {len(paths)}")
    path, tensors = paths[0], read_tensors(paths[0])
    network = build(encoder_of(tensors))
    load_into(network, tensors, path, advice="avatar-net takes one file of `styleexport train`")
    return network


NETWORK = StyleNetwork(
    name="avatar-net",
    summary="Patches of whitened features of relu4_1, AdaIN in the decoder; styles do not blend",
    paper="Sheng et al., Avatar-Net: Multi-scale Zero-shot Style Transfer by Feature Decoration, "
    "CVPR 2018",
    licence="that of your weights",
    build=build,
    read=read,
    checkpoints="one file from `styleexport train avatar-net`",
    trains=("decoder.",),
    start=start,
    backbone="the folder of e4.pth and d4.pth, or e4.pth alone; or, with --encoder vgg19, VGG-19 "
    "of torchvision or of the AdaIN release",
    settings=settings,
    choices=("encoder",),
    encoder=DEFAULT,
    family="Patches",
    objective="reconstruction",
)
