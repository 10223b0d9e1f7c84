"""Pixelwise fidelity of pictures and style codes: mean squared error and SSIM."""

from __future__ import annotations

import math

import numpy as np

from styleexport.core.arrays import Array


def relative_squared_error(output: Array, reference: Array) -> float:
    """Return the mean squared error as a share of the squared peak; infinite for NaN.

    Args:
        output: pictures [1, 3, H, W] in 0..1, whose peak is 1; or style codes [1, K], whose peak is
            the reference's largest absolute value.
        reference: expected values, of the same shape.
    """
    if not np.isfinite(output).all():
        return math.inf
    peak = 1.0 if reference.ndim == 4 else max(float(np.abs(reference).max()), 1e-12)
    difference = output.astype(np.float64) - reference
    return float(np.mean(difference * difference)) / peak**2


def ssim(output: Array, reference: Array) -> float:
    """Return the structural similarity of two pictures, at most 1, which is the same picture.

    The mean over channels, Gaussian window of 11 pixels (Wang et al., IEEE TIP 2004, equation 13),
    as torchmetrics computes it.

    Args:
        output: [1, 3, H, W] in 0..1.
        reference: expected picture, of the same shape.
    """
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    # Channels last, since that is three times as fast with MKL-DNN.
    pair = [
        torch.from_numpy(image).contiguous(memory_format=torch.channels_last)
        for image in (output, reference)
    ]
    similarity = structural_similarity_index_measure(pair[0], pair[1], data_range=1.0)
    assert isinstance(similarity, torch.Tensor)
    return float(similarity)
