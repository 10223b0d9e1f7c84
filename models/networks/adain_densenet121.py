"""adain-densenet121: AdaIN on DenseNet-121, of a report on DenseNet for AdaIN (2022).

To transition2, at 1/16; the report's network goes to transition3. Its "simpler decoder" is the kind
``single``; the default has half its convolutions.
"""

from __future__ import annotations

from styleexport.core.errors import UsageError
from styleexport.models.decoders.dense import DenseMirrorDecoder
from styleexport.models.encoders._encoder import Tap
from styleexport.models.encoders.densenet121 import BLOCKS, GROWTH
from styleexport.models.networks._one_encoder import encoder_network

KINDS = ("paired", "single")
FITTING = ("pool0", "transition1", "transition2", "transition3")


def decoder(tap: Tap, kind: str) -> DenseMirrorDecoder:
    """Return the decoder that mirrors DenseNet from a tap.

    Raises:
        UsageError: it does not mirror that tap, or there is no such kind.
    """
    if tap.name not in FITTING:
        raise UsageError(
            f"the decoder mirrors DenseNet from {', '.join(FITTING)} and does not fit {tap}: type "
            "--tap with one of those"
        )
    kind = kind or KINDS[0]
    if kind not in KINDS:
        raise UsageError(f"decoder {kind!r}: adain-densenet121 has {' and '.join(KINDS)}")
    return DenseMirrorDecoder(BLOCKS[: FITTING.index(tap.name)], GROWTH, kind)


NETWORK = encoder_network(
    "adain-densenet121",
    "densenet121",
    decoder,
    summary="AdaIN on ImageNet's DenseNet-121 to 1/16 (others with --tap), its own decoder",
    paper="Huang and Belongie, ICCV 2017, on Huang et al., CVPR 2017",
    choices=("tap", "decoder"),
    min_side=33,
)
