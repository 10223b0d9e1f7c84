"""adain-convnext-base: of a comparison of encoders for phones (2023).

The comparison states neither taps nor decoders: here features at 1/8 meet the decoder that mirrors
VGG-19 from there, as the published AdaIN network has it.
"""

from __future__ import annotations

from styleexport.models.encoders import vgg19
from styleexport.models.networks._one_encoder import encoder_network, mirror

NETWORK = encoder_network(
    "adain-convnext-base",
    "convnext-base",
    mirror(vgg19.BLOCKS[:4]),
    summary="AdaIN on ImageNet's ConvNeXt-Base to 1/8 (1/16 with --tap), VGG's decoder",
    paper="Huang and Belongie, ICCV 2017, on Liu et al., CVPR 2022",
)
