"""EfficientNet-B5 (Tan and Le, ICML 2019), under torchvision's key names."""

from __future__ import annotations

from styleexport.models.encoders._efficientnet import efficientnet
from styleexport.models.encoders._encoder import Tap
from styleexport.models.encoders._inverted import Stage

STAGES = (
    Stage(1, 3, 1, 24, 3),
    Stage(6, 3, 2, 40, 5),
    Stage(6, 5, 2, 64, 5),
    Stage(6, 3, 2, 128, 7),
    Stage(6, 5, 1, 176, 7),
    Stage(6, 5, 2, 304, 9),
    Stage(6, 3, 1, 512, 3),
)

ENCODER = efficientnet(
    "efficientnet-b5",
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
    stem=48,
    stages=STAGES,
    head=2048,
    checkpoints="torchvision's efficientnet_b5",
)
