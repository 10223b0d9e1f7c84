"""VGG-19 (Simonyan and Zisserman, 2014), to relu5_4.

Reads torchvision's state dict, whose convolutions were trained with zero padding and keep it, and
three files of the normalised VGG-19, which pads by reflection: vgg_normalised.pth of the public
AdaIN release, whole or cut at a tap; LinearWCT's, whose convolutions are numbered through; and
PytorchWCT's, which names layers and holds the normalisation as buffers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.encoders._backbone import load_backbone
from styleexport.models.encoders._encoder import Encoder
from styleexport.models.encoders._vgg import Padding, VggEncoder, vgg_settings, vgg_taps

BLOCKS = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)
# Positions of the convolutions in the release's nn.Sequential: pads, ReLUs and pools between them.
RELEASE = (2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42, 45, 48, 51)


def build(taps: Sequence[str] = ("relu4_1",), padding: Padding = "reflect") -> VggEncoder:
    """Return VGG-19 up to the last of ``taps``, with random weights."""
    return VggEncoder(BLOCKS, taps, padding)


def read(path: Path, taps: Sequence[str]) -> VggEncoder:
    """Return the encoder with torchvision's weights, or those of the normalised VGG-19.

    Raises:
        BadCheckpoint: the file holds neither.
    """
    tensors = read_tensors(path)
    if any(key.startswith(("features.0.", "conv1_1.")) for key in tensors):
        return load_backbone(build(taps, "zeros"), path)
    encoder = build(taps, "reflect")
    normalise, names = _names(tensors)
    used = names[: len(encoder.conv_indices())]
    places = {
        name: f"features.{index}" for name, index in zip(used, encoder.conv_indices(), strict=True)
    }
    renames = {f"{normalise}{kind}": f"normalise.{kind}" for kind in ("weight", "bias")}
    renames |= {
        f"{k}.{kind}": f"{n}.{kind}" for k, n in places.items() for kind in ("weight", "bias")
    }
    past = [f"{name}." for name in names if name not in places]
    load_into(encoder, tensors, path, renamed=renames, ignore=past)
    return encoder


def layer_names() -> list[str]:
    """Return the names of the convolutions, ``conv1_1`` first."""
    return [f"conv{b}_{i}" for b, widths in enumerate(BLOCKS, 1) for i in range(1, len(widths) + 1)]


def _names(tensors: Mapping[str, Tensor]) -> tuple[str, list[str]]:
    """Return the key of the normalisation, without its last word, and the convolutions' names."""
    if any(key.endswith("preprocess_weight") for key in tensors):
        return "preprocess_", [f"seq.{name}" for name in layer_names()]
    if any(key.endswith("conv1.weight") for key in tensors):
        return "conv1.", [f"conv{place}" for place in range(2, len(RELEASE) + 2)]
    return "0.", [str(place) for place in RELEASE]


ENCODER = Encoder(
    name="vgg19",
    summary="VGG-19: 3x3 convolutions and ReLUs",
    paper="Simonyan and Zisserman, Very Deep Convolutional Networks, ICLR 2015",
    taps=vgg_taps(BLOCKS),
    default_tap="relu4_1",
    build=build,
    read=read,
    checkpoints="torchvision's vgg19, vgg_normalised.pth of the AdaIN release, or LinearWCT's or "
    "PytorchWCT's file of the same weights",
    settings=vgg_settings,
)
