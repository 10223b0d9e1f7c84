"""Networks of the tests of this target."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class Two(nn.Module):
    """Two convolutions with a norm between them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.last = nn.Conv2d(8, 3, 3, padding=1, padding_mode="reflect")

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        """Return a picture, limited to 0..1."""
        x = functional.relu(functional.instance_norm(self.first(content)))
        return torch.clamp(self.last(x) * 0.3 + 0.5, 0.0, 1.0)
