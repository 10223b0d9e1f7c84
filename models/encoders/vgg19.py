"""VGG-19 (Simonyan and Zisserman, 2014), to relu5_4."""

from __future__ import annotations

from collections.abc import Sequence

from styleexport.models.encoders._vgg import Padding, VggEncoder

BLOCKS = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)


def build(taps: Sequence[str] = ("relu4_1",), padding: Padding = "reflect") -> VggEncoder:
    """Return VGG-19 up to the last of ``taps``, with random weights."""
    return VggEncoder(BLOCKS, taps, padding)
