"""Per-channel gains between two tensors that hold the same layer."""

from __future__ import annotations

import numpy as np

from styleexport.core.arrays import Array


def with_least_squares_gains(tensor: Array, reference: Array) -> Array:
    """Return the tensor with each channel scaled to fit the reference best.

    The gain of a channel is Σ tensor·reference / Σ tensor², the least-squares solution, and 0 where
    that is negative: a gain never turns a sign.

    Args:
        tensor: [N, C, ...], float32.
        reference: the same shape.
    """
    axes = tuple(axis for axis in range(tensor.ndim) if axis != 1)
    squares = np.maximum((tensor**2).sum(axes, keepdims=True), np.float32(1e-30))
    gains = np.maximum((reference * tensor).sum(axes, keepdims=True) / squares, 0)
    return np.asarray(tensor * gains, np.float32)
