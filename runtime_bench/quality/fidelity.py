"""How near one picture is to another, pixel by pixel: mean squared error, PSNR, SSIM."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from styleexport.core.arrays import Array
from styleexport.core.psnr import EQUAL_DB


def squared_error(output: Array, reference: Array) -> float:
    """Return the mean squared error as a share of the squared peak; infinite for NaN.

    The peak is 1 for pictures [1, 3, H, W], and the reference's largest absolute value for style
    codes [1, K].
    """
    if not np.isfinite(output).all():
        return math.inf
    peak = 1.0 if reference.ndim == 4 else max(float(np.abs(reference).max()), 1e-12)
    difference = output.astype(np.float64) - reference
    return float(np.mean(difference * difference)) / peak**2


def psnr_from_errors(errors: Sequence[float]) -> float:
    """Return the peak signal-to-noise ratio of pooled errors, 10·log10(1 / mean error), in dB.

    Pooling the error, not the decibels: a picture that is wholly lost is not made up for by others
    that are perfect. 0 where an error is infinite.
    """
    error = sum(errors) / len(errors)
    if error == 0:
        return EQUAL_DB
    return 0.0 if math.isinf(error) else min(EQUAL_DB, -10 * math.log10(error))


def ssim(output: Array, reference: Array) -> float:
    """Return the structural similarity of two pictures [1, 3, H, W] in 0..1; 1 is the same picture.

    The mean over channels, Gaussian window of 11 pixels (Wang et al., IEEE TIP 2004, equation 13),
    as torchmetrics computes it.
    """
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    # Channels last, since that is three times as fast with MKL-DNN.
    pair = [
        torch.from_numpy(image).contiguous(memory_format=torch.channels_last)
        for image in (output, reference)
    ]
    found = structural_similarity_index_measure(pair[0], pair[1], data_range=1.0)
    assert isinstance(found, torch.Tensor)
    return float(found)
