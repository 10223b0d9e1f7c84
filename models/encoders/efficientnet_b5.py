"""EfficientNet-B5 (Tan and Le, ICML 2019), under torchvision's key names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from styleexport.models.checkpoint import read_tensors
from styleexport.models.encoders._backbone import load_stages
from styleexport.models.encoders._efficientnet import efficientnet_stages
from styleexport.models.encoders._encoder import Encoder, Tap
from styleexport.models.encoders._inverted import Stage
from styleexport.models.encoders._staged import StagedEncoder

STAGES = (
    Stage(1, 3, 1, 24, 3),
    Stage(6, 3, 2, 40, 5),
    Stage(6, 5, 2, 64, 5),
    Stage(6, 3, 2, 128, 7),
    Stage(6, 5, 1, 176, 7),
    Stage(6, 5, 2, 304, 9),
    Stage(6, 3, 1, 512, 3),
)


def build(taps: Sequence[str]) -> StagedEncoder:
    """Return EfficientNet-B5 up to the last of ``taps``, with random weights."""
    return StagedEncoder(efficientnet_stages(48, STAGES, 2048), taps)


def read(path: Path, taps: Sequence[str]) -> StagedEncoder:
    """Return the encoder with torchvision's weights.

    Raises:
        BadCheckpoint: the file is of another network.
    """
    return load_stages(build(taps), ENCODER, read_tensors(path), path)


ENCODER = Encoder(
    name="efficientnet-b5",
    summary="EfficientNet-B5: inverted residual blocks with gates, SiLU",
    paper="Tan and Le, EfficientNet: Rethinking Model Scaling for CNNs, ICML 2019",
    taps=(
        Tap("features.1", 24, 2, 6_744),
        Tap("features.2", 40, 4, 129_590),
        Tap("features.3", 64, 8, 459_104),
        Tap("features.5", 176, 16, 5_377_912),
        Tap("features.8", 2048, 32, 28_340_784),
    ),
    default_tap="features.3",
    build=build,
    read=read,
    checkpoints="torchvision's efficientnet_b5",
)
