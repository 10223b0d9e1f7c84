"""Roots of a covariance, and orthogonal factors, by matrix products alone.

Coupled Newton-Schulz iteration (Higham, Functions of Matrices, 2008, equation 6.35) on S + εI, with
ε a share of the mean eigenvalue:

    t = ‖S + εI‖_F    Y = (S + εI)/t    Z = I
    repeat: T = (3I - Z·Y)/2, Y = Y·T, Z = T·Z
    S^(1/2) = √t·Y    S^(-1/2) = Z/√t

An eigenvalue λ of Z·Y goes to λ·((3 - λ)/2)², and so to 1: a small one grows by 2.25 a step, then
the convergence is quadratic. So the steps needed are log_2.25(t/λ_min) and about five. The ridge
bounds t/λ_min, and takes the place of the cutoff of small eigenvalues beside an SVD.

Every shape is fixed and nothing is decomposed, so the graph runs wherever matrices are multiplied.
It is computed in float32: the products in float16 lose what separates small eigenvalues.
[Algebra and figures](../../docs/reference/newton-schulz.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

ITERATIONS = 16
# Of a style's root, which is computed once.
STYLE_ITERATIONS = 20
RIDGE = 1e-6
# Added to the ridge, so that the covariance of one flat colour has roots.
FLOOR = 1e-8
# Steps of an orthogonal factor: of the quintic, which raises a small singular value 3.4 times, and
# of the cubic. Its coefficients are Jordan's (Muon, 2024).
QUINTIC_STEPS = 9
CUBIC_STEPS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)


@dataclass(frozen=True)
class Steps:
    """Numbers of steps of a whitening; an export takes them from its calibration pictures.

    Attributes:
        style: of the root of the style's covariance.
        content: of the roots of the content's.
        factor: of the quintic of an orthogonal factor.
    """

    style: int = STYLE_ITERATIONS
    content: int = ITERATIONS
    factor: int = QUINTIC_STEPS


def covariance(centred: Tensor) -> Tensor:
    """Return the covariance [N, C, C] of centred features [N, C, HW], over HW - 1; 0 of one pixel.

    Features are divided by √(HW - 1) before their product, whose sums could leave float16.
    """
    rows = centred * max(centred.shape[2] - 1, 1) ** -0.5
    return torch.matmul(rows, rows.transpose(1, 2))


def roots(
    matrix: Tensor, *, ridge: float = RIDGE, iterations: int = ITERATIONS
) -> tuple[Tensor, Tensor]:
    """Return the square root and the inverse square root of covariances, [N, C, C] each.

    Args:
        matrix: symmetric and positive semidefinite, [N, C, C].
        ridge: ε as a share of the mean eigenvalue.
        iterations: number of steps.
    """
    size = matrix.shape[1]
    eye = torch.eye(size, dtype=matrix.dtype, device=matrix.device)
    mean = (matrix * eye).sum((1, 2), keepdim=True) / size
    ridged = matrix + eye * (ridge * mean + FLOOR)
    norm = torch.sqrt((ridged * ridged).sum((1, 2), keepdim=True))
    y = ridged / norm
    # The first step from Z = I needs one product: T = (3I - Y)/2 is the new Z.
    z = 1.5 * eye - 0.5 * y
    y = torch.matmul(y, z)
    for _ in range(iterations - 1):
        step = 1.5 * eye - 0.5 * torch.matmul(z, y)
        y, z = torch.matmul(y, step), torch.matmul(step, z)
    root = torch.sqrt(norm)
    return y * root, z / root


def exact_roots(matrix: Tensor, *, ridge: float = RIDGE) -> tuple[Tensor, Tensor]:
    """Return what `roots` converges to, by eigenvalues in float64, [N, C, C] each.

    Without a ridge, an inverse root has directions of no variance multiplied by 0.
    """
    values, vectors = torch.linalg.eigh(matrix.double())
    values = values.clamp(min=0)
    if ridge:
        values = values + ridge * values.mean(1, keepdim=True) + FLOOR
    inverse = torch.where(values > 0, values, torch.inf) ** -0.5
    root, inverse_root = (
        torch.matmul(vectors * each[:, None, :], vectors.transpose(1, 2))
        for each in (values**0.5, inverse)
    )
    return root, inverse_root


def orthogonal_factor(matrix: Tensor, quintic_steps: int = QUINTIC_STEPS) -> Tensor:
    """Return the orthogonal factor U of the polar decomposition A = (A·Aᵀ)^(1/2)·U, [N, C, C].

    A singular value s of A/‖A‖_F goes to s·(a + b·s² + c·s⁴), which takes any to 0.7 to 1.2, and
    then to s·(3 - s²)/2, which converges to 1 quadratically. One below 1e-5 of the norm ends
    between 0 and 1.

    Args:
        matrix: A, [N, C, C].
        quintic_steps: number of steps of the quintic.
    """
    norm = torch.sqrt((matrix * matrix).sum((1, 2), keepdim=True) + FLOOR**2)
    factor = matrix / norm
    a, b, c = QUINTIC
    for _ in range(quintic_steps):
        square = torch.matmul(factor, factor.transpose(1, 2))
        polynomial = b * square + c * torch.matmul(square, square)
        factor = a * factor + torch.matmul(polynomial, factor)
    for _ in range(CUBIC_STEPS):
        square = torch.matmul(factor, factor.transpose(1, 2))
        factor = 1.5 * factor - 0.5 * torch.matmul(square, factor)
    return factor
