"""The convolutions of a pass that a recipe computes in int8, each with its rounding."""

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
    Step,
    Traced,
    folds_away,
    is_picture,
    output_of,
    source_of,
)


def _activation_rounding(recipe: Int8Recipe) -> FakeQuantize:
    """Return uint8 rounding whose range is taken as the recipe's files take theirs."""
    extremes = recipe.settings.ranges == "min-max"
    observer = MinMaxObserver if extremes else MovingAverageMinMaxObserver
    return FakeQuantize(observer=observer, quant_min=0, quant_max=255, dtype=torch.quint8)


def _weight_rounding(recipe: Int8Recipe) -> FakeQuantize:
    """Return int8 rounding that follows the weights of the moment."""
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
    """One convolution of a pass with its rounding.

    Args:
        source: rounds what it reads, if nothing has yet.
        kernel: rounds its weight.
        result: rounds what it gives.
        activation: what belongs to it. It is computed before the rounding here, and a second time
            by the network, which changes nothing.
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
        """Return the rounding of activations."""
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
        """Return ``torch.conv2d`` of the same arguments, rounded."""
        if self.source is not None:
            input = self.source(input)
        if self.kernel is not None:
            weight = self.kernel(weight)
        output = F.conv2d(input, weight, bias, stride, padding, dilation, groups)
        if self.result is None:
            return output
        return self.result(output if self.activation is None else self.activation(output))


def island_steps(recipe: Int8Recipe, passes: Sequence[Traced]) -> set[Step]:
    """Return the convolutions that a recipe leaves in float.

    Raises:
        UsageError: one of them is not in the network.
    """
    every = (step for traced in passes for step in traced.convolutions)
    steps = [step for step in every if not folds_away(step)]
    return {found for island in recipe.float_layers for found in _found(island, steps, recipe.role)}


def _found(island: FloatLayer, steps: Sequence[Step], role: Role) -> list[Step]:
    # A captured graph numbers its convolutions as they are called: conv2d, conv2d_1, ...
    operation, _, number = island.layer.rpartition("_")
    if island.layer.startswith("conv_transpose2d"):
        return []
    at = int(number) if operation == CONV and number.isdigit() else 0
    numbered = [steps[at]] if CONV in (operation, island.layer) and at < len(steps) else []
    if not island.weight and numbered:
        return numbered
    ends = f".{island.weight}"
    named = [step for step in steps if step.weight and ends.endswith(f".{step.weight}")]
    if not named:
        raise UsageError(
            f"the recipe keeps {island.layer} ({island.weight or 'no weight of its own'}) in "
            f"float, and {role.value} of this network has no such convolution: type a recipe that "
            "was made for this network"
        )
    return numbered if numbered and numbered[0] in named else named


def rounded_convolutions(
    traced: Traced, islands: set[Step], recipe: Int8Recipe, pixel_range: tuple[float, float]
) -> dict[int, RoundedConvolution]:
    """Return call number → convolution with its rounding."""

    def rounds(step: Step) -> bool:
        return bool(step.weight) and step not in islands and not folds_away(step)

    rounded = {output_of(step)[0] for step in traced.convolutions if rounds(step)}
    units: dict[int, RoundedConvolution] = {}
    for number, step in enumerate(traced.convolutions):
        if not rounds(step):
            continue
        source = source_of(step)
        known = source in rounded or is_picture(source, traced.picture)
        output, activation = output_of(step)
        if output is traced.result and activation is None and not step.readers:
            activation = _clamp(pixel_range)
        units[number] = RoundedConvolution(
            None if known else _activation_rounding(recipe),
            _weight_rounding(recipe),
            _activation_rounding(recipe),
            activation,
        )
    return units


def _clamp(limits: tuple[float, float]) -> Activation:
    return lambda picture: picture.clamp(*limits)
