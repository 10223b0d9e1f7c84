"""Loss networks in whose features pictures are compared: the shipped encoder, VGG-16, LPIPS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from styleexport.core.errors import BadCheckpoint
from styleexport.core.perceptual import LossNetwork, Lpips
from styleexport.models.checkpoint import read_tensors
from styleexport.models.encoders import vgg16
from styleexport.models.encoders._backbone import load_backbone
from styleexport.models.encoders._lite import LiteEncoder
from styleexport.models.encoders._vgg import VggEncoder
from styleexport.models.losses.adain import loss_network
from styleexport.models.networks import adain_lite

LPIPS_TAPS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
LPIPS_WIDTHS = (64, 128, 256, 512, 512)


@dataclass(frozen=True)
class EncoderFeatures:
    """An encoder as a `LossNetwork`.

    Attributes:
        name: name of the loss network, for reports.
        encoder: encoder whose taps are compared.
    """

    name: str
    encoder: VggEncoder | LiteEncoder

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of channels of each layer."""
        return self.encoder.widths

    def __call__(self, image: Tensor) -> Sequence[Tensor]:
        """Return the features of [N, 3, H, W] RGB in 0..1, one [N, C, h, w] per layer."""
        return self.encoder(image)


def shipped_loss_network() -> LossNetwork:
    """Return the encoder of the shipped adain-lite: four layers, no download."""
    weights = adain_lite.NETWORK.weights
    assert weights is not None
    encoder = adain_lite.read([weights]).encoder
    return EncoderFeatures("adain-lite encoder", encoder.requires_grad_(False).eval())


def vgg16_loss_network(path: Path) -> LossNetwork:
    """Return VGG-16 with taps at relu1_1 to relu4_1, from ImageNet weights at ``path``.

    Raises:
        BadCheckpoint: the file is not VGG-16.
    """
    return EncoderFeatures("vgg16", loss_network(path))


def read_lpips(backbone: Path, heads: Path) -> Lpips:
    """Return LPIPS with VGG-16 (Zhang et al., CVPR 2018).

    Args:
        backbone: ImageNet VGG-16 weights.
        heads: weights of the linear heads, ``lin0`` to ``lin4`` (or the release's
            ``lin0.model.1.weight``).

    Raises:
        BadCheckpoint: a file is of another network.
    """
    # LPIPS scales -1..1 by its own shift and scale, which are ImageNet's mean and deviation.
    features = load_backbone(vgg16.build(LPIPS_TAPS), backbone).requires_grad_(False).eval()
    tensors = {key.split(".")[0]: value for key, value in read_tensors(heads).items()}
    for index, width in enumerate(LPIPS_WIDTHS):
        head = tensors.get(f"lin{index}")
        if head is None or head.numel() != width:
            held = ", ".join(sorted(tensors)[:6])
            raise BadCheckpoint(
                f"checkpoint {heads} has no lin{index} of {width} values, it holds {held}; "
                "expected the linear heads of LPIPS for VGG-16, lin0 to lin4"
            )
    weights = [tensors[f"lin{index}"].reshape(1, -1, 1, 1) for index in range(len(LPIPS_TAPS))]
    return Lpips(features, weights)
