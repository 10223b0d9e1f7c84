"""A device that stores tensors in float16."""

from __future__ import annotations

import torch

from styleexport.core.float16 import SMALLEST_NORMAL


class HalfTensors(torch.fx.Interpreter):
    """Rounds every tensor to float16 and flushes what is not normal to zero."""

    def run_node(self, n):
        value = super().run_node(n)
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            value = value.half().float()
            value = torch.where(value.abs() < SMALLEST_NORMAL, torch.zeros_like(value), value)
        return value
