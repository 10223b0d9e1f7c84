"""A graph as its int8 file computes it, in torch: rounding where a file rounds.

Weights are rounded to int8, symmetric, one scale an output channel or one in all; activations to
uint8 between two limits. Sums are exact, as they are in int32. It serves what must run the network
many times or look inside; what is promised to users is measured on files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.core.recipe import Range
from styleexport.exporter.graph.rewrite import add_weight, tensor_of
from styleexport.exporter.quantize.blocks import QuantizedBlock, moves, nodes_by_name, phases_of

LEVELS = 255
WEIGHT_LEVELS = 127
SMALLEST_SCALE = 1e-12


def scale_and_zero_point(limits: Range, levels: int = LEVELS) -> tuple[float, int]:
    """Return scale and zero point of uint8 values, or of more levels, for a range that holds 0."""
    scale = max((limits.high - limits.low) / levels, SMALLEST_SCALE)
    return scale, min(levels, max(0, round(-limits.low / scale)))


def weight_scales(
    weight: Tensor, *, transposed: bool, per_channel: bool, phases: int = 1
) -> Tensor:
    """Return the scales of a weight, shaped to divide it: one an output channel, or one.

    Args:
        weight: [out, in, kh, kw], or [in, out, kh, kw] where it is transposed.
        transposed: whether it is that of a transposed convolution.
        per_channel: whether each output channel has its own.
        phases: number of output channels, one after the other, that share one.
    """
    if not per_channel:
        scales = weight.abs().max().reshape([1] * weight.dim())
    else:
        axis = 1 if transposed else 0
        others = [i for i in range(weight.dim()) if i != axis]
        scales = weight.abs().amax(others, keepdim=True)
        if phases > 1:
            scales = scales.unflatten(0, (-1, phases)).amax(1).repeat_interleave(phases, 0)
    scales = scales / WEIGHT_LEVELS
    return torch.where(scales < SMALLEST_SCALE, torch.ones_like(scales), scales)


def rounded_weight(
    weight: Tensor, *, transposed: bool, per_channel: bool, phases: int = 1
) -> Tensor:
    """Return a weight whose values are those that int8 can hold; see `weight_scales`."""
    scales = weight_scales(weight, transposed=transposed, per_channel=per_channel, phases=phases)
    return (weight / scales).round().clamp(-WEIGHT_LEVELS, WEIGHT_LEVELS) * scales


def simulate(
    module: GraphModule,
    blocks: Sequence[QuantizedBlock],
    ranges: Mapping[str, Range],
    *,
    per_channel: bool = True,
    levels: int = LEVELS,
    weights: bool = True,
    activations: bool = True,
    segmented: Collection[str] = (),
    share_phase_scales: bool = False,
) -> None:
    """Make a module, in place, round what an int8 file with these blocks would round.

    Args:
        module: a captured module, float32.
        blocks: blocks computed in int8.
        ranges: ranges of their sources and outputs.
        per_channel: whether weights have one scale an output channel.
        levels: number of steps of an activation's range.
        weights: whether weights are rounded.
        activations: whether activations are.
        segmented: convolutions whose output has steps too fine to count.
        share_phase_scales: whether channels that depth to space joins have one weight scale.
    """
    by_name = nodes_by_name(module)
    if weights:
        for block in blocks:
            node = by_name[block.layer]
            value = tensor_of(module, node.args[1])
            assert value is not None
            rounded = rounded_weight(
                value,
                transposed=block.transposed,
                per_channel=per_channel,
                phases=phases_of(node) if share_phase_scales else 1,
            )
            node.update_arg(1, add_weight(module, node, rounded))
    if activations:
        outputs = {block.output for block in blocks if block.layer not in segmented}
        layers = {by_name[block.layer] for block in blocks}
        for name in outputs:
            _round_output(by_name[name], ranges[name], list(by_name[name].users), levels)
        for name in {block.source for block in blocks} - outputs:
            node = by_name[name]
            readers = [r for r in node.users if leads_to(r, layers)]
            _round_output(node, ranges[name], readers, levels)
    module.graph.lint()
    module.recompile()


def leads_to(node: Node, layers: set[Node]) -> bool:
    """Whether a node is one of some convolutions, or only moves values on to one of them."""
    if node in layers:
        return True
    return moves(node) and any(leads_to(reader, layers) for reader in node.users)


def _round_output(node: Node, limits: Range, readers: Sequence[Node], levels: int) -> None:
    steps = (*scale_and_zero_point(limits, levels), 0, levels)
    with node.graph.inserting_after(node):
        rounded = node.graph.call_function(torch.fake_quantize_per_tensor_affine, (node, *steps))
    rounded.meta = dict(node.meta)
    for reader in readers:
        reader.replace_input_with(node, rounded)
