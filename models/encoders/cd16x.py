"""VGG-19 compressed 16 times by Collaborative Distillation (Wang et al., CVPR 2020).

Five encoders were published, one per level: level n ends at relu n_1. Level 1 is wider than the
first layer of the others (24 channels against 16).
"""

from __future__ import annotations

from styleexport.models.encoders._vgg import VggEncoder

BLOCKS = ((16,) * 2, (32,) * 2, (64,) * 4, (128,) * 4, (128,))
LEVEL_1_BLOCKS = ((24,),)
LEVELS = (1, 2, 3, 4, 5)


def build(level: int = 4) -> VggEncoder:
    """Return the encoder of one level (1 to 5), with random weights."""
    return VggEncoder(LEVEL_1_BLOCKS if level == 1 else BLOCKS, (f"relu{level}_1",), "reflect")
