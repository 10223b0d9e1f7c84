"""Activations."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from styleexport.runtime_bench.coreml_program.op import operations


def relu(x: Tensor) -> Tensor:
    """Return max(x, 0)."""
    return F.relu(x)


def relu6(x: Tensor) -> Tensor:
    """Return min(max(x, 0), 6)."""
    return F.relu6(x)


def leaky_relu(x: Tensor, alpha: float) -> Tensor:
    """Return x where it is positive, alpha·x elsewhere."""
    return torch.where(x >= 0, x, alpha * x)


def clamped_relu(x: Tensor, alpha: float, beta: float) -> Tensor:
    """Return min(beta, x) where x is positive, min(beta, alpha·x) elsewhere."""
    return leaky_relu(x, alpha).clamp(max=beta)


def thresholded_relu(x: Tensor, alpha: float) -> Tensor:
    """Return x where it is at least alpha, 0 elsewhere."""
    return torch.where(x >= alpha, x, torch.zeros_like(x))


def prelu(x: Tensor, alpha: Tensor) -> Tensor:
    """Return x where it is positive, alpha·x elsewhere, one alpha a channel."""
    return torch.where(x > 0, x, _per_channel(alpha, x) * x)


def elu(x: Tensor, alpha: float) -> Tensor:
    """Return x where it is positive, alpha·(eˣ - 1) elsewhere."""
    return torch.where(x > 0, x, alpha * torch.expm1(x))


def gelu(x: Tensor, mode: str = "EXACT") -> Tensor:
    """Return x·Φ(x), or one of its two approximations.

    Raises:
        ValueError: the mode is none of the three.
    """
    if mode == "EXACT":
        return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
    if mode == "TANH_APPROXIMATION":
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    if mode == "SIGMOID_APPROXIMATION":
        return x * torch.sigmoid(1.702 * x)
    raise ValueError(f"mode is {mode}, expected EXACT, TANH_ or SIGMOID_APPROXIMATION")


def sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + e⁻ˣ)."""
    return torch.sigmoid(x)


def sigmoid_hard(x: Tensor, alpha: float, beta: float) -> Tensor:
    """Return alpha·x + beta, clipped to 0..1."""
    return (alpha * x + beta).clamp(0, 1)


def silu(x: Tensor) -> Tensor:
    """Return x·sigmoid(x)."""
    return F.silu(x)


def softplus(x: Tensor) -> Tensor:
    """Return log(1 + eˣ)."""
    return torch.logaddexp(x, torch.zeros_like(x))


def softplus_parametric(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Return alpha·log(1 + e^(beta·x)), one alpha and beta a channel."""
    return _per_channel(alpha, x) * softplus(_per_channel(beta, x) * x)


def softsign(x: Tensor) -> Tensor:
    """Return x / (1 + |x|)."""
    return x / (1 + x.abs())


def scaled_tanh(x: Tensor, alpha: float, beta: float) -> Tensor:
    """Return alpha·tanh(beta·x)."""
    return alpha * torch.tanh(beta * x)


def linear_activation(x: Tensor, alpha: float, beta: float) -> Tensor:
    """Return alpha·x + beta."""
    return alpha * x + beta


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Return eˣ divided by its sum over an axis."""
    return torch.softmax(x, axis)


def _per_channel(values: Tensor, x: Tensor) -> Tensor:
    return values.reshape(1, -1, *[1] * (x.dim() - 2))


OPS = operations(globals())
