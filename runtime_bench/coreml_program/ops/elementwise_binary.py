"""Functions of two tensors, element by element, broadcast as numpy does."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from styleexport.runtime_bench.coreml_program.op import Op

PLAIN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    # Of integers an integer: the interpreter truncates the result.
    "real_div": torch.true_divide,
    "floor_div": torch.floor_divide,
    # The sign is that of the divisor.
    "mod": torch.remainder,
    "pow": torch.pow,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "equal": torch.eq,
    "not_equal": torch.ne,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "less": torch.lt,
    "less_equal": torch.le,
    "logical_and": torch.logical_and,
    "logical_or": torch.logical_or,
    "logical_xor": torch.logical_xor,
}


def _plain(function: Callable[[Tensor, Tensor], Tensor]) -> Op:
    def apply(x: Tensor, y: Tensor) -> Tensor:
        return function(x, y)

    return Op.of(apply)


OPS = {name: _plain(function) for name, function in PLAIN.items()}
