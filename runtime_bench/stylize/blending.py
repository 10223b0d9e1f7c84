"""Blends of style codes, where the network's codes can be blended."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from styleexport.core.arrays import Array
from styleexport.core.code_layout import Blending
from styleexport.core.errors import UsageError
from styleexport.core.manifest import NetworkFact

# Prefix of the parts of a code that make textures; the other ones make colours.
TEXTURE = "texture."


def blend_codes(
    codes: Sequence[Array], weights: Sequence[float] = (), network: NetworkFact | None = None
) -> Array:
    """Return the weighted mean of style codes, [1, K].

    One code of a weight above 0 is no blend, and any network takes it.

    Args:
        codes: style codes, [1, K] each.
        weights: weight of each code, 0 or more; () weights them equally.
        network: network of the codes, which may refuse blends; None, and one of an artifact of an
            older version, refuses none.

    Raises:
        UsageError: the number of weights differs, one is negative, or none is above 0; codes of
            different networks; or codes that cannot be blended.
    """
    weights = list(weights) or [1.0] * len(codes)
    if len(weights) != len(codes):
        raise UsageError(
            f"{len(codes)} styles but {len(weights)} weights: type one --style-weight a style"
        )
    if not all(math.isfinite(w) and w >= 0 for w in weights) or sum(weights) <= 0:
        raise UsageError(
            f"style weights {weights} must not be negative, and one must be above 0: type for "
            "example --style-weight 0.7 --style-weight 0.3"
        )
    shapes = {code.shape for code in codes}
    if len(shapes) > 1:
        raise UsageError(
            f"style codes of shapes {', '.join(str(list(shape)) for shape in sorted(shapes))} are "
            "of different networks: blend codes of one"
        )
    used = [(code, weight) for code, weight in zip(codes, weights, strict=True) if weight > 0]
    if len(used) > 1 and network is not None:
        check_blending(network)
    total = sum(weights)
    return np.sum([code * np.float32(weight / total) for code, weight in used], axis=0)


def check_blending(network: NetworkFact) -> None:
    """Check that codes of a network can be blended.

    Raises:
        UsageError: they cannot; the network's reason is named.
    """
    layout = network.code_layout
    if layout is not None and layout.blending is Blending.NONE:
        raise UsageError(
            f"style codes of {network.name} cannot be blended: {layout.reason}; use one style"
        )


def textured(texture: Array, colour: Array, network: NetworkFact) -> Array:
    """Return the code of one style's texture and another's colours, [1, K].

    Args:
        texture: style code whose parts ``texture.…`` are taken, [1, K].
        colour: style code whose other parts are taken, [1, K].
        network: network of both codes.

    Raises:
        UsageError: its codes have no such parts.
    """
    layout = network.code_layout
    taken = [part.name.startswith(TEXTURE) for part in layout.parts] if layout is not None else []
    if layout is None or not any(taken):
        raise UsageError(
            f"style codes of {network.name} have no parts for texture and colour: leave out "
            "--texture and --color, and name one STYLE"
        )
    mask = np.repeat(taken, [part.length for part in layout.parts])
    return np.where(mask, texture, colour)


def approximation(network: NetworkFact) -> str:
    """Return why a blend of a network's codes is approximate, as a line; "" where it is not."""
    layout = network.code_layout
    if layout is None or layout.blending is not Blending.APPROXIMATE:
        return ""
    return f"the blend is approximate: {layout.reason}"
