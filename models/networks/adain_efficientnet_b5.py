"""adain-efficientnet-b5: of a comparison of encoders for phones (2023).

The comparison states neither taps nor decoders: here 64 channels at 1/8 meet a decoder that
mirrors VGG-19 at half its width.
"""

from __future__ import annotations

from styleexport.models.networks._one_encoder import encoder_network, mirror

NETWORK = encoder_network(
    "adain-efficientnet-b5",
    "efficientnet-b5",
    mirror(((32,) * 2, (64,) * 2, (128,) * 4, (256,) * 4)),
    summary="AdaIN on ImageNet's EfficientNet-B5 to 1/8 (1/16 with --tap), half of VGG's decoder",
    paper="Huang and Belongie, ICCV 2017, on Tan and Le, ICML 2019",
)
