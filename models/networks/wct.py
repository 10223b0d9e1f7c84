"""wct: whitening and colouring at several levels (Li et al., NeurIPS 2017)."""

from __future__ import annotations

from styleexport.core.code_layout import Blending
from styleexport.models.networks._levels import Kind, description
from styleexport.models.transforms import wct

KIND = Kind("wct", wct.apply, wct.matrix, wct.exact_matrix, Blending.EXACT)
NETWORK = description(
    KIND,
    summary="Whitening and colouring at five levels of compressed VGG-19, or some; exact blends",
    paper="Li et al., Universal Style Transfer via Feature Transforms, NeurIPS 2017",
)
