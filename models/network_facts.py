"""Sizes of a network: number of parameters, length and layout of its style code."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from styleexport.core.code_layout import CodeLayoutFact
from styleexport.models.code_layouts import code_layout
from styleexport.models.network import OptimizedModule, StyleNetwork, TwoImageModule


@dataclass(frozen=True)
class NetworkFacts:
    """Sizes of a network in its default variant.

    Attributes:
        parameters: number of parameters.
        code_layout: layout of its style codes; None for a fixed style.
    """

    parameters: int
    code_layout: CodeLayoutFact | None

    @property
    def code_values(self) -> int:
        """Number of values of a style code; 0 for a fixed style."""
        return 0 if self.code_layout is None else self.code_layout.length

    def __str__(self) -> str:
        code = f"a style code has {self.code_values:,} values" if self.code_values else "one style"
        return f"{self.parameters:,} parameters, {code}"


def facts_of(network: StyleNetwork) -> NetworkFacts:
    """Return the sizes of a network, without computing a weight or a feature."""
    side = 2 * network.min_side
    with torch.device("meta"), torch.no_grad():
        module = network.build()
        layout = None
        if isinstance(module, TwoImageModule | OptimizedModule):
            layout = code_layout(module, module.encode(torch.empty(1, 3, side, side)).shape[1])
    return NetworkFacts(sum(p.numel() for p in module.parameters()), layout)
