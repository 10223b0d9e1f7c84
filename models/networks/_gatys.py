"""Style transfer by optimization of the picture (Gatys et al., 2016), a step as a static graph.

With features F_l, [C, M] of a picture x at M positions, and Gram matrices G_l = F_l·F_lᵀ / M:

    loss(x) = α/2 · Σ (F_c - P)² / M  +  strength · Σ_l w_l / (4 C²) · Σ (G_l - A_l)²

P are the features of the photograph at one layer, its content target; A_l, the style code, are the
Gram matrices of the painting (equations 1, 4 and 5 of the paper, whose Gram matrices are sums over
positions). The content term is divided by M too, so that the balance holds at every size. Features
are divided by √M before their products, which keeps those in range. The gradient is written out:
models/transforms/backward.py carries each layer's part to the picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from styleexport.core.code_layout import Blending, CodeLayoutFact
from styleexport.models.transforms.backward import Gradient, with_gradient


@dataclass(frozen=True)
class Weights:
    """Weights of a loss.

    Attributes:
        content: α.
        style: w of each style layer, in order.
    """

    content: float
    style: tuple[float, ...]


class GatysNetwork(nn.Module):
    """Loss network of an optimization.

    Args:
        stages: name of a layer → layers from the one before to it, in order; the first one's begin
            at the picture, RGB in 0..1.
        channels: number of channels of each layer of ``stages``.
        content: layer of the content target.
        weights: weights of the loss; all layers but one that is the content's alone are styles.
    """

    def __init__(
        self,
        stages: Mapping[str, nn.Module],
        channels: Sequence[int],
        content: str,
        weights: Weights,
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleDict(stages)
        self.content = content
        self.weights = weights
        widths = dict(zip(stages, channels, strict=True))
        extra = len(widths) - len(weights.style)
        self.styles = {
            name: (widths[name], weight)
            for name, weight in zip(
                [name for name in widths if not (extra and name == content)],
                weights.style,
                strict=True,
            )
        }

    @property
    def code_layout(self) -> CodeLayoutFact:
        """Layout of its style codes: the Gram matrix of each style layer."""
        parts = {f"{name}.gram": (width, width) for name, (width, _) in self.styles.items()}
        return CodeLayoutFact.of(parts, Blending.EXACT)

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [N, ΣC²] of images [N, 3, H, W] in 0..1: Gram matrices."""
        grams, x = list[Tensor](), style
        for name, stage in self.stages.items():
            x = stage(x)
            if name in self.styles:
                rows = _rows(x)
                grams.append((rows @ rows.transpose(1, 2)).flatten(1))
            if len(grams) == len(self.styles):
                break
        return torch.cat(grams, 1)

    def content_target(self, content: Tensor) -> Tensor:
        """Return the content target [N, C·h·w] of images [N, 3, H, W] in 0..1."""
        x = content
        for name, stage in self.stages.items():
            x = stage(x)
            if name == self.content:
                break
        return x.flatten(1)

    def step(
        self, image: Tensor, target: Tensor, code: Tensor, strength: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the loss [1] of one image, and its gradient by the image, [1, 3, H, W].

        Args:
            image: [1, 3, H, W], RGB; 0..1, but not clamped.
            target: content target, [1, C·h·w].
            code: style code, [1, ΣC²].
            strength: [1], factor of the style's term.
        """
        x, loss, start = image, torch.zeros_like(strength), 0
        pulls: list[tuple[Gradient, list[Tensor]]] = []
        for name, stage in self.stages.items():
            x, gradient = with_gradient(stage, x)
            own: list[Tensor] = []
            if name == self.content:
                term, g = _content(x, target, self.weights.content)
                loss = loss + term
                own.append(g)
            if name in self.styles:
                width, weight = self.styles[name]
                gram = code[:, start : start + width**2].reshape(1, width, width)
                start += width**2
                term, g = _style(x, gram, weight)
                loss = loss + strength * term
                own.append(strength.reshape(1, 1, 1, 1) * g)
            pulls.append((gradient, own))
        return loss, _pulled(pulls)


def _pulled(pulls: Sequence[tuple[Gradient, Sequence[Tensor]]]) -> Tensor:
    """Return the gradient by the image: each stage's own, and those of the stages behind it."""
    total: Tensor | None = None
    for gradient, own in reversed(pulls):
        for g in own:
            total = g if total is None else total + g
        assert total is not None
        total = gradient(total)
    assert total is not None
    return total


def _rows(x: Tensor) -> Tensor:
    """Return features [N, C, H, W] as [N, C, H·W], divided by the root of the positions."""
    return x.flatten(2) * (1 / math.sqrt(x.shape[2] * x.shape[3]))


def _content(x: Tensor, target: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Return the content's term [1], and its gradient by the features."""
    scale = weight / (x.shape[2] * x.shape[3])
    difference = x - target.reshape(x.shape)
    return 0.5 * scale * difference.square().sum().reshape(1), scale * difference


def _style(x: Tensor, gram: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Return a style layer's term [1], and its gradient by the features.

    With R = F/√M and D = G - A: ∂/∂R = w/(4C²)·2·(D + Dᵀ)·R.
    """
    rows = _rows(x)
    difference = rows @ rows.transpose(1, 2) - gram
    scale = weight / (4 * x.shape[1] ** 2)
    both = difference + difference.transpose(1, 2)
    g = both @ rows * (2 * scale / math.sqrt(x.shape[2] * x.shape[3]))
    return scale * difference.square().sum().reshape(1), g.reshape(x.shape)
