"""Functions of one tensor, element by element."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from styleexport.runtime_bench.coreml_program.op import STORAGE, Op, operations

PLAIN: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs,
    "acos": torch.acos,
    "asin": torch.asin,
    "atan": torch.atan,
    "atanh": torch.atanh,
    "ceil": torch.ceil,
    "cos": torch.cos,
    "cosh": torch.cosh,
    "erf": torch.erf,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "floor": torch.floor,
    "logical_not": torch.logical_not,
    # Half to even: 0.5 becomes 0.
    "round": torch.round,
    "sign": torch.sign,
    "sin": torch.sin,
    "sinh": torch.sinh,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "tan": torch.tan,
    "tanh": torch.tanh,
}


def cast(x: Tensor, dtype: str) -> Tensor:
    """Return x as another type; floats are truncated to integers."""
    return x.to(STORAGE[dtype])


def clip(x: Tensor, alpha: float, beta: float) -> Tensor:
    """Return x, held between alpha and beta."""
    return x.clamp(alpha, beta)


def threshold(x: Tensor, alpha: float) -> Tensor:
    """Return x, held above alpha."""
    return x.clamp(min=alpha)


def inverse(x: Tensor, epsilon: float = 1e-4) -> Tensor:
    """Return 1 / (x + epsilon)."""
    return 1 / (x + epsilon)


def log(x: Tensor, epsilon: float = 1e-45) -> Tensor:
    """Return the natural logarithm of x + epsilon."""
    return torch.log(x + epsilon)


def rsqrt(x: Tensor, epsilon: float = 1e-12) -> Tensor:
    """Return 1 / √(x + epsilon)."""
    return 1 / torch.sqrt(x + epsilon)


def _plain(function: Callable[[Tensor], Tensor]) -> Op:
    def apply(x: Tensor) -> Tensor:
        return function(x)

    return Op.of(apply)


OPS = operations(globals()) | {name: _plain(function) for name, function in PLAIN.items()}
