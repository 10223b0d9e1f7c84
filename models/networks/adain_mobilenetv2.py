"""adain-mobilenetv2: the phone-sized sibling of adain-vgg16.

The decoder has one convolution a scale. The taps are behind projections, whose features are signed:
no activation follows them, and none is needed in front of AdaIN.
"""

from __future__ import annotations

from styleexport.models.networks._one_encoder import encoder_network, mirror

NETWORK = encoder_network(
    "adain-mobilenetv2",
    "mobilenetv2",
    mirror(((16,), (32,), (64,), (128,))),
    summary="AdaIN on ImageNet's MobileNetV2 to 1/8 (1/16 with --tap), a small decoder",
    paper="Huang and Belongie, ICCV 2017, on Sandler et al., CVPR 2018",
    shipped=True,
)
