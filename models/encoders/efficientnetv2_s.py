"""EfficientNetV2-S (Tan and Le, ICML 2021), under torchvision's key names."""

from __future__ import annotations

from styleexport.models.encoders._efficientnet import efficientnet
from styleexport.models.encoders._encoder import Tap
from styleexport.models.encoders._inverted import Stage

STAGES = (
    Stage(1, 3, 1, 24, 2, fused=True),
    Stage(4, 3, 2, 48, 4, fused=True),
    Stage(4, 3, 2, 64, 4, fused=True),
    Stage(4, 3, 2, 128, 6),
    Stage(6, 3, 1, 160, 9),
    Stage(6, 3, 2, 256, 15),
)

ENCODER = efficientnet(
    "efficientnetv2-s",
    summary="EfficientNetV2-S: full convolutions up to 1/8, inverted residual blocks beyond, SiLU",
    paper="Tan and Le, EfficientNetV2: Smaller Models and Faster Training, ICML 2021",
    taps=(
        Tap("features.1", 24, 2, 11_160),
        Tap("features.2", 48, 4, 314_712),
        Tap("features.3", 64, 8, 903_896),
        Tap("features.5", 160, 16, 5_285_416),
        Tap("features.7", 1280, 32, 20_177_488),
    ),
    default_tap="features.3",
    stem=24,
    stages=STAGES,
    head=1280,
    checkpoints="torchvision's efficientnet_v2_s",
)
