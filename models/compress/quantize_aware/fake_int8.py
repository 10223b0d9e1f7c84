"""Simulated int8 inference in training: values are rounded, and gradients pass straight through.

Weights are rounded to int8, symmetric; inputs and outputs of convolutions to uint8, between
observed limits (Jacob et al., Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference, CVPR 2018, section 3). Rounding happens where the files do it: a
ReLU or clamp that is the only reader of a convolution belongs to it, padding, pooling and nearest
upsampling only move rounded values, a 1x1 convolution in front of another is folded into it.
Pictures have 8 bits and are not rounded again. A recipe decides the float layers, the granularity
and the kind of ranges; its equalization and weight rounding are recomputed at export, from the
fine-tuned weights.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from styleexport.core.errors import UsageError
from styleexport.core.recipe import Int8Recipe
from styleexport.core.types import Role
from styleexport.models.compress.quantize_aware.rounding import (
    RoundedConvolution,
    float_convolutions,
    rounded_convolutions,
)
from styleexport.models.compress.quantize_aware.trace import TracedPass, trace
from styleexport.models.network import TwoImageModule
from styleexport.models.pixel_modules import ToNetwork
from styleexport.models.pixels import STANDARD, PixelFormat

ENCODE, TRANSFER, CALL = "encode", "transfer", "call"
SAMPLE_SIDE = 64


class _Rounding(TorchFunctionMode):
    """Replaces convolutions of one pass, by the number of their call."""

    def __init__(self, rounded: dict[int, RoundedConvolution]) -> None:
        super().__init__()
        self.rounded = rounded
        self.calls = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """Return what the function, or the rounded convolution in its place, returns."""
        if func is torch.conv2d:
            func = self.rounded.get(self.calls, func)
            self.calls += 1
        return func(*args, **(kwargs or {}))


class FakeInt8(nn.Module):
    """A fixed-style network under the rounding of its int8 files.

    Rounding has three states: ranges are observed and nothing is rounded (after `observe`), ranges
    are observed and values rounded (`round_values`), ranges are fixed (`freeze`, or ``eval()``).

    Args:
        network: float network; its present weights are used at every call.
        recipes: int8 recipes, one per role; a role without one is computed in float.
        pixels: formats of the pictures that the network takes and gives.
        side: side in pixels of the noise that the network is traced on.

    Raises:
        UsageError: a recipe is for a role that the network lacks, or for another network.
    """

    def __init__(
        self,
        network: nn.Module,
        recipes: Sequence[Int8Recipe],
        pixels: tuple[PixelFormat, PixelFormat] = (STANDARD, STANDARD),
        side: int = SAMPLE_SIDE,
    ) -> None:
        super().__init__()
        self.network = network
        self.frozen = False
        self.passes: dict[str, dict[int, RoundedConvolution]] = {}
        traced = traced_passes(network, pixels[0], side)
        for recipe in recipes:
            names = _passes_of(recipe.role, traced)
            if self.passes.keys() & set(names):
                raise UsageError(
                    f"two recipes are for the role {recipe.role.value}: type one --quantize-aware "
                    "per role"
                )
            floats = float_convolutions(recipe, [traced[name] for name in names])
            for name in names:
                self.passes[name] = rounded_convolutions(
                    traced[name], floats, recipe, pixels[1].limits()
                )
        # `units` is its key in checkpoints of trainings.
        self.units = nn.ModuleList(
            convolution for rounded in self.passes.values() for convolution in rounded.values()
        )
        if not any(convolution.kernel for convolution in self._convolutions()):
            raise UsageError(
                "the recipe leaves no convolution in int8: nothing is to be fine-tuned"
            )
        self.to(next(network.parameters()).device)

    def _convolutions(self) -> list[RoundedConvolution]:
        return [each for each in self.units if isinstance(each, RoundedConvolution)]

    def observe(self) -> None:
        """Observe ranges without rounding."""
        self._set(rounds=False)

    def round_values(self) -> None:
        """Observe ranges and round."""
        self._set(rounds=True)

    def freeze(self) -> None:
        """Round with fixed ranges."""
        self.frozen = True
        self._set(rounds=True)

    def _set(self, *, rounds: bool) -> None:
        for convolution in self._convolutions():
            for rounding in (*convolution.activations(), *filter(None, [convolution.kernel])):
                rounding.enable_fake_quant(rounds)
        self.train(self.training)

    def train(self, mode: bool = True) -> FakeInt8:
        """Return itself, observing or not; the network's own mode is left alone."""
        self.training = mode
        for convolution in self._convolutions():
            for rounding in convolution.activations():
                rounding.enable_observer(mode and not self.frozen)
        return self

    @contextmanager
    def _rounded(self, name: str) -> Generator[None]:
        with _Rounding(self.passes.get(name, {})):
            yield

    def forward(self, image: Tensor) -> Tensor:
        """Return the painting of an image [N, 3, H, W] in the network's pixel format."""
        with self._rounded(CALL):
            return self.network(image)


class TwoImageFakeInt8(FakeInt8):
    """A two-image network under the rounding of its int8 files; see `FakeInt8`."""

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [N, K] of images [N, 3, H, W] in the network's pixel format."""
        assert isinstance(self.network, TwoImageModule)
        with self._rounded(ENCODE):
            return self.network.encode(style)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the painting of a content [N, 3, H, W], code [N, K] and strength [1]."""
        assert isinstance(self.network, TwoImageModule)
        with self._rounded(TRANSFER):
            return self.network.transfer(content, code, strength)


def fake_int8(
    network: nn.Module,
    recipes: Sequence[Int8Recipe],
    pixels: tuple[PixelFormat, PixelFormat] = (STANDARD, STANDARD),
    side: int = SAMPLE_SIDE,
) -> FakeInt8:
    """Return a network under the rounding of its int8 files; see `FakeInt8`."""
    kind = TwoImageFakeInt8 if isinstance(network, TwoImageModule) else FakeInt8
    return kind(network, recipes, pixels, side)


def traced_passes(
    network: nn.Module, pixels: PixelFormat, side: int = SAMPLE_SIDE
) -> dict[str, TracedPass]:
    """Return the trace of each pass by its name, in the order in which ``stylize`` runs them.

    Args:
        network: network whose passes are run on noise.
        pixels: format of the pictures that it takes.
        side: side of the noise in pixels.
    """
    device = next(network.parameters()).device
    noise = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    picture = ToNetwork(pixels)(noise).to(device)
    if not isinstance(network, TwoImageModule):
        return {CALL: trace(network, network, picture)[0]}
    encode, code = trace(network, network.encode, picture)
    one = torch.ones(1, device=device)
    transfer, _ = trace(network, network.transfer, picture, code, one)
    return {ENCODE: encode, TRANSFER: transfer}


def _passes_of(role: Role, traced: dict[str, TracedPass]) -> tuple[str, ...]:
    of_role = {Role.ENCODE: (ENCODE,), Role.TRANSFORM: (TRANSFER,), Role.STYLIZE: tuple(traced)}
    if not set(of_role[role]) <= traced.keys():
        raise UsageError(
            f"the recipe is for the role {role.value}, and a fixed-style network has stylize alone"
        )
    return of_role[role]
