"""Simulated int8 rounding of the convolutions of a pass, as a recipe asks for it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.ao.quantization import (
    FakeQuantize,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
)
from torch.nn import functional as F

from styleexport.core.errors import UsageError
from styleexport.core.recipe import FloatLayer, Int8Recipe
from styleexport.core.types import Role
from styleexport.models.compress.quantize_aware.trace import (
    CONV,
    Activation,
    TracedCall,
    TracedPass,
    is_folded,
    is_picture,
    output_of,
    source_of,
)


def _activation_rounding(recipe: Int8Recipe) -> FakeQuantize:
    """Return uint8 rounding with the range observer that corresponds to the recipe's."""
    extremes = recipe.settings.ranges == "min-max"
    observer = MinMaxObserver if extremes else MovingAverageMinMaxObserver
    return FakeQuantize(observer=observer, quant_min=0, quant_max=255, dtype=torch.quint8)


def _weight_rounding(recipe: Int8Recipe) -> FakeQuantize:
    """Return int8 rounding whose scales follow the present weights."""
    if recipe.settings.weights == "per-channel":
        return FakeQuantize(
            observer=MovingAveragePerChannelMinMaxObserver,
            quant_min=-127,
            quant_max=127,
            dtype=torch.qint8,
            qscheme=torch.per_channel_symmetric,
            ch_axis=0,
            averaging_constant=1.0,
        )
    return FakeQuantize(
        observer=MovingAverageMinMaxObserver,
        quant_min=-127,
        quant_max=127,
        dtype=torch.qint8,
        qscheme=torch.per_tensor_symmetric,
        averaging_constant=1.0,
    )


class RoundedConvolution(nn.Module):
    """A convolution with simulated int8 rounding.

    Args:
        source: rounding of its input; None where that is rounded already.
        kernel: rounding of its weight.
        result: rounding of its output.
        activation: activation that the output is rounded behind. It is computed here before the
            rounding, and a second time by the network, which changes nothing.
    """

    def __init__(
        self,
        source: FakeQuantize | None,
        kernel: FakeQuantize | None,
        result: FakeQuantize | None,
        activation: Activation | None,
    ) -> None:
        super().__init__()
        self.source = source
        self.kernel = kernel
        self.result = result
        self.activation = activation

    def activations(self) -> tuple[FakeQuantize, ...]:
        """Return the rounding of input and output."""
        return tuple(x for x in (self.source, self.result) if x is not None)

    def forward(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | tuple[int, ...] = 1,
        padding: str | int | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
    ) -> Tensor:
        """Return ``torch.conv2d`` of the same arguments, rounded, [N, O, H', W']."""
        if self.source is not None:
            input = self.source(input)
        if self.kernel is not None:
            weight = self.kernel(weight)
        output = F.conv2d(input, weight, bias, stride, padding, dilation, groups)
        if self.result is None:
            return output
        return self.result(output if self.activation is None else self.activation(output))


def float_convolutions(recipe: Int8Recipe, passes: Sequence[TracedPass]) -> set[TracedCall]:
    """Return the convolutions that a recipe leaves in float.

    Raises:
        UsageError: one of them is not in the network.
    """
    every = (call for traced in passes for call in traced.convolutions)
    calls = [call for call in every if not is_folded(call)]
    return {call for layer in recipe.float_layers for call in _calls_of(layer, calls, recipe.role)}


def _calls_of(layer: FloatLayer, calls: Sequence[TracedCall], role: Role) -> list[TracedCall]:
    """Return the calls of one float layer of a recipe."""
    # A captured graph numbers its convolutions as they are called: conv2d, conv2d_1, ...
    operation, _, number = layer.layer.rpartition("_")
    if layer.layer.startswith("conv_transpose2d"):
        return []
    at = int(number) if operation == CONV and number.isdigit() else 0
    numbered = [calls[at]] if CONV in (operation, layer.layer) and at < len(calls) else []
    if not layer.weight and numbered:
        return numbered
    weight = f".{layer.weight}"
    named = [call for call in calls if call.weight and weight.endswith(f".{call.weight}")]
    if not named:
        raise UsageError(
            f"the recipe keeps {layer.layer} ({layer.weight or 'no weight of its own'}) in "
            f"float, and {role.value} of this network has no such convolution: type a recipe that "
            "was made for this network"
        )
    return numbered if numbered and numbered[0] in named else named


def rounded_convolutions(
    traced: TracedPass,
    floats: set[TracedCall],
    recipe: Int8Recipe,
    pixel_range: tuple[float, float],
) -> dict[int, RoundedConvolution]:
    """Return the convolutions to round, by the number of their call.

    Args:
        traced: trace of the pass.
        floats: convolutions that stay in float.
        recipe: int8 recipe of the role.
        pixel_range: lowest and highest value of the network's images; the output is clamped to it.
    """

    def is_rounded(call: TracedCall) -> bool:
        return bool(call.weight) and call not in floats and not is_folded(call)

    outputs = {output_of(call)[0] for call in traced.convolutions if is_rounded(call)}
    rounded: dict[int, RoundedConvolution] = {}
    for number, call in enumerate(traced.convolutions):
        if not is_rounded(call):
            continue
        source = source_of(call)
        known = source in outputs or is_picture(source, traced.picture)
        output, activation = output_of(call)
        if output is traced.result and activation is None and not call.readers:
            activation = _clamp(pixel_range)
        rounded[number] = RoundedConvolution(
            None if known else _activation_rounding(recipe),
            _weight_rounding(recipe),
            _activation_rounding(recipe),
            activation,
        )
    return rounded


def _clamp(limits: tuple[float, float]) -> Activation:
    return lambda picture: picture.clamp(*limits)
