"""Proofs of rewrites in float64 on small pictures, where a graph takes them as well as its own.

Operations of a captured graph look at values, not at sizes, but for what was written into it: a
view, a table of positions, the number of pixels of a mean. A graph whose operations run at a
smaller size, and whose output follows the input there, is a program of that size too, and a rewrite
of it is proven there at a fraction of the time. What a size could hide (a number of pixels that
only one of both graphs holds) shows in float32 at the graph's own size, where both are compared
too: see `apply_passes`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from torch import Tensor

from styleexport.core.manifest import Axis, TensorFact
from styleexport.core.types import Size

# A side keeps its remainder by this, so that no stride, pool or cut meets another edge.
STRIDES = 64
SMALLEST_SIDE = 96
# Of the pixels: a size that saves less is not worth a second comparison.
WORTH = 0.5
SIZED = ("image", "style_code", "strength")


def small_size(inputs: Sequence[TensorFact], size: Size, min_side: int) -> Size | None:
    """Return the smaller size that rewrites of a graph are proven at; None where there is none.

    Args:
        inputs: facts of its inputs.
        size: its own size.
        min_side: smallest side that the network takes, in pixels.
    """
    if any(fact.kind not in SIZED for fact in inputs):
        return None
    least = max(SMALLEST_SIDE, min_side)
    sides = [min(side, least + (side - least) % STRIDES) for side in (size.height, size.width)]
    small = Size(*sides)
    return small if small.height * small.width <= WORTH * size.height * size.width else None


def resized(facts: Sequence[TensorFact], size: Size, small: Size) -> tuple[TensorFact, ...]:
    """Return the facts of tensors of a graph of one size, at another."""
    sides: dict[tuple[int, Axis], int] = {
        (2, size.height): small.height,
        (3, size.width): small.width,
    }
    return tuple(
        msgspec.structs.replace(
            fact, shape=tuple(sides.get((i, n), n) for i, n in enumerate(fact.shape))
        )
        if fact.kind == "image"
        else fact
        for fact in facts
    )


def follows(
    outputs: Sequence[Tensor], facts: Sequence[TensorFact], size: Size, small: Size
) -> bool:
    """Whether outputs at a small size have the shapes of a graph's own, reduced as its inputs are.

    Args:
        outputs: at the small size.
        facts: of the graph's outputs.
        size: its own size.
        small: the small size.
    """
    return len(outputs) == len(facts) and all(
        _follows(tuple(output.shape), fact, size, small)
        for output, fact in zip(outputs, facts, strict=True)
    )


def _follows(shape: tuple[int, ...], fact: TensorFact, size: Size, small: Size) -> bool:
    if fact.kind != "image":
        return shape == fact.shape
    *first, height, width = fact.shape
    own = (size.height, size.width)
    return list(shape[:-2]) == first and all(
        isinstance(axis, int) and axis * reduced == side * whole
        for axis, side, whole, reduced in zip(
            (height, width), shape[-2:], own, (small.height, small.width), strict=True
        )
    )
