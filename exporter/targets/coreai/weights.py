"""Compressed weights of a graph, as operations that make them from integers.

    int8:      weight = blockwise_shift_scale(integers, scale), a scale for each output channel
    palette:   weight = lut_to_dense(indices, table), one table for a whole weight
    palette4-int8: weight = blockwise_shift_scale(lut_to_dense(indices, table of int8), scale), a
        table for each group of output channels

Symmetric: scale = max|w| / 127. A palette is the k-means of a weight's values, which in one
dimension are intervals of the sorted values.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.core.manifest import FloatIslandFact, QuantizationFact
from styleexport.core.types import Precision
from styleexport.exporter.graph.graph import operation_of
from styleexport.exporter.graph.rewrite import tensor_of
from styleexport.exporter.quantize.blocks import CONV, TRANSPOSED
from styleexport.exporter.quantize.simulate import WEIGHT_LEVELS, weight_scales
from styleexport.exporter.quantize.weight_rounding import PALETTE, palette_groups
from styleexport.runtime_bench.formats._coreai import tested_betas

with tested_betas():  # registers the operations
    import coreai_torch._compression.custom_layers as _operations  # noqa: F401 # pyright: ignore

ops = torch.ops.coreai
BITS = {Precision.PALETTE4: 4, Precision.PALETTE6: 6, Precision.PALETTE8: 8}
WEIGHTED = (CONV, TRANSPOSED, "linear")
# Weights of fewer elements are left as they are: their scales would take what they save.
SMALLEST = 512
# Rounds of k-means, and bins of the histogram that it starts from.
ROUNDS, BINS = 300, 64


def compress(module: GraphModule, precision: Precision) -> QuantizationFact:
    """Store the large weights of a module compressed, in place, and return how.

    Args:
        module: captured module; its arithmetic stays as it is.
        precision: int8-weights or a palette.
    """
    for node in list(module.graph.nodes):
        weight = tensor_of(module, node.args[1]) if operation_of(node) in WEIGHTED else None
        if weight is None or weight.numel() < SMALLEST:
            continue
        if precision is Precision.INT8_WEIGHTS:
            store_integers(module, node, per_channel=True)
        else:
            indices, table = kmeans(weight.float(), 2 ** BITS[precision])
            table = table.to(weight.dtype).reshape(*[1] * weight.dim(), -1, 1)
            node.update_arg(1, _looked_up(module, node, indices, table))
    module.graph.eliminate_dead_code()
    module.recompile()
    linear = precision is Precision.INT8_WEIGHTS
    return QuantizationFact(
        scheme="weights-only" if linear else "palette",
        weight_dtype="int8" if linear else f"uint{BITS[precision]}",  # pyright: ignore
        activation_dtype=None,
        per_channel=linear,
        calibration=None,
        float_islands=(
            FloatIslandFact(ops=("conv2d",), reason="only the weights are stored compressed"),
        ),
    )


def store_integers(
    module: GraphModule, node: Node, *, per_channel: bool, palettes: bool = False
) -> None:
    """Store the weight of a convolution as int8, in place.

    Args:
        module: module of the convolution.
        node: convolution, whose weight is stored.
        per_channel: whether there is one scale an output channel.
        palettes: whether integers of at most 16 values in a group of output channels are stored as
            indices of them.
    """
    weight = tensor_of(module, node.args[1])
    assert weight is not None, node
    transposed = operation_of(node) == TRANSPOSED
    scales = weight_scales(weight.double(), transposed=transposed, per_channel=per_channel)
    scales = scales.to(weight.dtype)
    steps = (weight.double() / scales.double()).round()
    integers = steps.clamp(-WEIGHT_LEVELS, WEIGHT_LEVELS).to(torch.int8)
    found = _palettes(integers) if palettes else None
    data = (
        _stored(module, node, "data", integers)
        if found is None
        else _looked_up(module, node, *found)
    )
    scale = _stored(module, node, "scale", scales)
    with module.graph.inserting_before(node):
        whole = module.graph.call_function(
            ops.constexpr_blockwise_shift_scale.default,
            (data, scale, None, None, torch.int8, None),
        )
    node.update_arg(1, whole)


def _palettes(integers: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return indices and tables of 16 values for each group; None where one has more values."""
    groups = integers.chunk(palette_groups(len(integers)))
    found = [group.unique(return_inverse=True) for group in groups]
    if max(len(values) for values, _ in found) > PALETTE:
        return None
    tables = [values[torch.arange(PALETTE).clamp_max(len(values) - 1)] for values, _ in found]
    indices = torch.cat([inverse for _, inverse in found]).to(torch.uint8)
    return indices, torch.stack(tables).reshape(len(found), *[1] * (integers.dim() - 1), -1, 1)


def kmeans(weight: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the index of each value's nearest of some values, and these, rising.

    They start where the cube root of the values' density has equal shares, which is best for many
    values (Panter and Dite 1951).

    Args:
        weight: any shape.
        count: how many values a table has.
    """
    values, order = weight.double().flatten().sort()
    edges = np.linspace(float(values[0]), float(values[-1]), BINS + 1)
    density = np.histogram(values.numpy(), edges)[0] ** (1 / 3)
    shares = np.concatenate([[0.0], density.cumsum() / density.sum()])
    start = np.interp((np.arange(count) + 0.5) / count, shares, edges)
    table = torch.from_numpy(start)
    total = torch.nn.functional.pad(values.cumsum(0), (1, 0))
    for _ in range(ROUNDS):
        ends = torch.searchsorted(values, (table[1:] + table[:-1]) / 2)
        cuts = torch.cat([ends.new_zeros(1), ends, ends.new_full((1,), len(values))])
        numbers = cuts.diff()
        means = (total[cuts[1:]] - total[cuts[:-1]]) / numbers.clamp_min(1)
        moved = torch.where(numbers > 0, means, table)
        if torch.equal(moved, table):
            break
        table = moved.sort().values
    nearest = torch.bucketize(values, (table[1:] + table[:-1]) / 2)
    indices = torch.empty_like(nearest)
    indices[order] = nearest
    return indices.reshape(weight.shape).to(torch.uint8), table


def _looked_up(module: GraphModule, node: Node, indices: Tensor, table: Tensor) -> Node:
    """Return the node of a weight that is looked up in a table."""
    # The converter knows the two by these names.
    parts = [_stored(module, node, name, x) for name, x in (("indices", indices), ("lut", table))]
    with module.graph.inserting_before(node):
        return module.graph.call_function(ops.lut_to_dense.default, (*parts, 0))


def _stored(module: GraphModule, node: Node, name: str, value: Tensor) -> Node:
    """Return the node of a new constant of a convolution."""
    module.register_buffer(f"{node.name}_{name}", value.contiguous())
    with module.graph.inserting_before(node):
        return module.graph.get_attr(f"{node.name}_{name}")
