"""adain-efficientnet-lite0: a small network without gates.

The decoder has one convolution a scale, as adain-mobilenetv2's.
"""

from __future__ import annotations

from styleexport.models.networks._one_encoder import encoder_network, mirror

NETWORK = encoder_network(
    "adain-efficientnet-lite0",
    "efficientnet-lite0",
    mirror(((16,), (32,), (64,), (128,))),
    summary="AdaIN on ImageNet's EfficientNet-Lite0 to 1/8 (1/4, 1/16 with --tap), a small decoder",
    paper="Huang and Belongie, ICCV 2017, on EfficientNet-Lite, 2020",
    shipped=True,
)
