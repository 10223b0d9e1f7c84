"""photo-wct: photorealistic transfer by two auto-encoders distilled by PCA (PCA-KD, CVPR 2022).

A photograph takes the colours and the light of another and stays a photograph: features are
whitened and coloured at the deepest level and again behind each block of the decoder, which is
given the detail that each block of the encoder loses.

Two sets of weights, the file says which: a MobileNet of 52,742 parameters and a VGG of 283,236. The
file holds the variables of the release's two checkpoints, under ``sencoder/`` and ``sdecoder/``.
Where sides are no multiples of 16, or of 8, the release scales the picture; here they are rounded
up and cropped. The release's demonstration smooths the result by a guided filter of the photograph:
that is no part of the network. At strength 0 photographs come back at 28 to 35 dB (ten of them at
512 pixels, both networks).

At 256 pixels, in dB from the network (ONNX, Core ML, TFLite): the MobileNet 125, 127, 116 in fp32
and 66, 59, 67 in fp16; the VGG 118, 120, 113 and 61, 55, 65. int8 and int8-weights are refused
under the default budget of 35 dB (ONNX): the MobileNet 31.7 and 32.7, the VGG 29.9 and 31.9. Every
level divides by the deviations of what the layers before it give, their rounding with it, and no
few layers in float make up for that: take fp16.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from styleexport.core.code_layout import Blending, CodeLayoutFact
from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.decoders import detail
from styleexport.models.encoders import _distilled
from styleexport.models.network import StyleNetwork
from styleexport.models.transforms import ridged_wct

DEFAULT = "mobilenet"
FILES = "pca_kd_mobilenet.npz or pca_kd_vgg.npz: the release's variables, HWIO, by their names"
# Variables of the release without a part in the transfer: they map channels to the teacher's.
UNUSED = (
    "sencoder/conv_aux",
    "sencoder/eigenbases",
    "sencoder/save_counter",
    "sdecoder/save_counter",
)
# The kernel of features and detail, which here are two convolutions; a name for that of the detail.
PICTURE = "sdecoder/btnecks/0/layer_with_weights-0/kernel"
SHARP = f"{PICTURE}/detail"
# The VGG's convolution of colours: the MobileNet has no weights before its first layer.
VGG_ONLY = "encoder.blocks.0.0.weight"
PARTS = {
    "mobilenet": (_distilled.mobilenet, detail.mobilenet, _distilled.MOBILENET_WIDTHS),
    "vgg": (_distilled.vgg, detail.vgg, _distilled.VGG_WIDTHS),
}


class PhotoWctNetwork(nn.Module):
    """Encoder, and a decoder whose blocks each read whitened and coloured features.

    Args:
        encoder: ``mobilenet`` or ``vgg``.
        widths: number of channels that each of its blocks gives.
    """

    def __init__(self, encoder: str, widths: Sequence[int]) -> None:
        super().__init__()
        encoder_of, decoder_of, _ = PARTS[encoder]
        self.encoder_name = encoder
        self.encoder = encoder_of(widths)
        self.decoder = decoder_of(widths)
        for layer in self.modules():  # features that vanish from layer to layer have no covariance
            if isinstance(layer, nn.Conv2d) and layer.out_channels > 3:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    @property
    def code_layout(self) -> CodeLayoutFact:
        """Layout of its style codes: of each block, the deepest first, a mean and a root."""
        parts: dict[str, tuple[int, ...]] = {}
        for number, width in reversed(list(enumerate(self.encoder.widths, 1))):
            parts |= {f"block{number}.mean": (width,), f"block{number}.root": (width, width)}
        return CodeLayoutFact.of(parts, Blending.EXACT)

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [N, Σ(C + C²)] of images [N, 3, H, W] in 0..1."""
        features, _ = self.encoder(style)
        return torch.cat([ridged_wct.style_code(level) for level in reversed(features)], 1)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the photograph in the style's colours, [N, 3, H, W].

        Args:
            content: [N, 3, H, W] in 0..1.
            code: style code, [N, Σ(C + C²)].
            strength: [1], 0 (the photograph as the auto-encoder rebuilds it) to 1 (the style).
        """
        features, details = self.encoder(content)
        x, start = features[-1], 0
        for block, lost in zip(reversed(self.decoder.blocks), reversed(details), strict=True):
            width = x.shape[1]
            part = code[:, start : start + width + width**2]
            start += part.shape[1]
            x = block(ridged_wct.apply(x, part, strength), lost)
        return x


def settings(module: nn.Module) -> dict[str, str | int]:
    """Return the encoder of a module, as `build` takes it."""
    assert isinstance(module, PhotoWctNetwork)
    return {"encoder": module.encoder_name}


def build(encoder: str = DEFAULT) -> PhotoWctNetwork:
    """Return the network of one encoder, ``mobilenet`` or ``vgg``, with random weights.

    Raises:
        UsageError: there is no such encoder.
    """
    if encoder not in PARTS:
        raise UsageError(
            f"photo-wct has no encoder {encoder!r}: expected one of {', '.join(PARTS)}; "
            f"type {DEFAULT}"
        )
    return PhotoWctNetwork(encoder, PARTS[encoder][2])


def read(paths: Sequence[Path]) -> PhotoWctNetwork:
    """Return the network of one file; which of the two encoders, its names say.

    Raises:
        BadCheckpoint: not one file, or one of another network.
    """
    if len(paths) != 1:
        raise BadCheckpoint(
            f"photo-wct takes one checkpoint file, got {len(paths)}: type --checkpoint with {FILES}"
        )
    tensors = read_tensors(paths[0])
    advice = f"photo-wct takes {FILES}"
    names = tensors.keys()
    if not any(name.startswith("sencoder/") for name in names):
        network = build("vgg" if VGG_ONLY in names else DEFAULT)
        load_into(network, tensors, paths[0], advice=advice)
        return network
    network = build("vgg" if any(x.startswith("sencoder/btnecks/") for x in names) else DEFAULT)
    ours = {name: _oihw(name, value) for name, value in tensors.items()}
    if PICTURE in ours and ours[PICTURE].dim() == 4:
        features = ours[PICTURE].shape[1] - 3
        ours[SHARP] = ours[PICTURE][:, features:]
        ours[PICTURE] = ours[PICTURE][:, :features]
    load_into(network, ours, paths[0], renamed=_renames(network), ignore=UNUSED, advice=advice)
    return network


def _oihw(name: str, value: Tensor) -> Tensor:
    """Return a variable in torch's order of axes."""
    if value.dim() != 4:
        return value
    # [height, width, in, out], or of a convolution of each channel alone [height, width, in, 1].
    return value.permute(2, 3, 0, 1) if "depthwise" in name else value.permute(3, 2, 0, 1)


def _renames(network: PhotoWctNetwork) -> dict[str, str]:
    """Return variable of the release → key of the module.

    The MobileNet's layers are numbered through, all others from block to block.
    """
    renames: dict[str, str] = {}
    through = network.encoder_name == "mobilenet"
    for part in ("encoder", "decoder"):
        counts: dict[str, int] = {}
        for name, layer in network.get_submodule(part).named_modules(prefix=part):
            if not isinstance(layer, nn.Conv2d):
                continue
            if name.endswith("sharp"):
                renames[SHARP] = f"{name}.weight"
                continue
            block = name.split(".")[2]
            group = "se_model" if part == "encoder" and through else f"btnecks/{block}"
            number = counts[group] = counts.get(group, -1) + 1
            alone = "depthwise_" if layer.groups > 1 else ""
            variable = f"s{part}/{group}/layer_with_weights-{number}"
            renames |= {
                f"{variable}/{alone}kernel": f"{name}.weight",
                f"{variable}/bias": f"{name}.bias",
            }
    return renames


NETWORK = StyleNetwork(
    name="photo-wct",
    summary="Photographs in another's colours: PCA-KD's MobileNet or VGG of few channels",
    paper="Chiu and Gurari, PCA-Based Knowledge Distillation Towards Lightweight and Content-Style "
    "Balanced Photorealistic Style Transfer Models, CVPR 2022",
    licence="MIT (published weights)",
    build=build,
    read=read,
    checkpoints=FILES,
    min_side=32,
    settings=settings,
    family="Covariances",
)
