"""Pixelwise fidelity of pictures and style codes: mean squared error and SSIM."""

from __future__ import annotations

import math

import numpy as np

from styleexport.core.arrays import Array

# The constants of SSIM for values in 0..1.
C1 = 0.01**2
C2 = 0.03**2


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

    The mean over channels, Gaussian window of 11 pixels and deviation 1.5, mirrored at the borders
    (Wang et al., IEEE TIP 2004, equation 13).

    Args:
        output: [1, 3, H, W] in 0..1.
        reference: expected picture, of the same shape.
    """
    from scipy.ndimage import gaussian_filter

    def local_mean(values: Array) -> Array:
        blurred = gaussian_filter(values, 1.5, axes=(2, 3), mode="mirror", truncate=3.5)
        return np.asarray(blurred, np.float32)

    mean, expected = local_mean(output), local_mean(reference)
    variance = local_mean(output * output) - mean * mean
    expected_variance = local_mean(reference * reference) - expected * expected
    covariance = local_mean(output * reference) - mean * expected
    luminance = (2 * mean * expected + C1) / (mean * mean + expected * expected + C1)
    structure = (2 * covariance + C2) / (variance + expected_variance + C2)
    return float((luminance * structure).mean())
