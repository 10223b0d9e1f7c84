"""optimal-wct: optimal transport of features at several levels (Lu et al., ICCV 2019)."""

from __future__ import annotations

from styleexport.core.code_layout import Blending
from styleexport.models.networks._levels import Kind, description
from styleexport.models.transforms import optimal

KIND = Kind(
    "optimal-wct",
    optimal.apply,
    optimal.exact,
    Blending.APPROXIMATE,
    "the transport to a mean of covariance roots is not the mean of the transports",
    has_factor=True,
)
NETWORK = description(
    KIND,
    summary="Optimal transport of features at five levels of compressed VGG-19, or some",
    paper="Lu et al., A Closed-form Solution to Universal Style Transfer, ICCV 2019",
)
