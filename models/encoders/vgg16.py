"""VGG-16 (Simonyan and Zisserman, 2014), to relu5_3."""

from __future__ import annotations

from collections.abc import Sequence

from styleexport.models.encoders._vgg import Padding, VggEncoder

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def build(taps: Sequence[str] = ("relu4_1",), padding: Padding = "zeros") -> VggEncoder:
    """Return VGG-16 up to the last of ``taps``, with random weights."""
    return VggEncoder(BLOCKS, taps, padding)
