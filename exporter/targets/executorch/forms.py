"""Operations in the forms that ExecuTorch's XNNPACK delegate takes, so that it takes all of them.

What the delegate leaves to ExecuTorch's own kernels cuts its partition, and each cut copies maps
between memory layouts and threads. Written in other terms, the same numbers:

    pad by reflection or the edge     → slices and a concatenation
    depth to space of a convolution   → a transposed convolution, with no map between the two
    depth to space, alone             → a view, a permutation, a view
    nearest upsampling                → a view, a product with ones, a view
    split                             → slices
    1/√x, 1/x                         → rsqrt(x), a division
    instance norm, variance           → means over height and width
    sums, products of matrices        → see `reductions`

A depth to space of s behind a convolution W of L taps reads, for output line s·j + r, the lines
j … j+L-1 with W[r]. A transposed convolution of stride s, kernel s·L and padding s·(L-1) does that
with K[r + s·(L-1-d)] = W[r, d].
"""

from __future__ import annotations

import operator

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.exporter.graph.graph import RECTIFIERS, captured_shape, operation_of
from styleexport.exporter.graph.rewrite import Outcome, Pass, add_weight, argument, tensor_of
from styleexport.exporter.rewrites import reflection
from styleexport.exporter.rewrites.spatial_means import expand_norms
from styleexport.exporter.targets.executorch.reductions import (
    drop_single_cats,
    multiply_batches,
    reshape_axes,
    spread_sums,
)

aten = torch.ops.aten
SPLITS = ("split", "split_with_sizes", "chunk")
TENSORS = {packet.Scalar: packet.Tensor for packet in (aten.add, aten.sub, aten.mul, aten.div)}


def slice_pads(module: GraphModule) -> Outcome:
    """Write pads by reflection or by copies of the edge as slices."""
    return reflection.rewrite(module, reflection.FIRST_LINES)


def merge_shuffles(module: GraphModule) -> Outcome:
    """Write convolutions with a depth to space behind them as transposed convolutions."""
    applied = 0
    for shuffle in _of(module, "pixel_shuffle"):
        last = shuffle.args[0]
        assert isinstance(last, Node)
        limited = operation_of(last) in RECTIFIERS and len(last.users) == 1
        conv = last.args[0] if limited else last
        assert isinstance(conv, Node)
        weight = tensor_of(module, conv.args[1]) if operation_of(conv) == "conv2d" else None
        if weight is None or len(conv.users) > 1 or _strided(conv):
            continue
        scale = int(shuffle.args[1])  # pyright: ignore[reportArgumentType]
        bias = tensor_of(module, argument(conv, 2, "bias"))
        if bias is not None and not _shared(bias, scale * scale):
            continue
        kernel = add_weight(module, shuffle, transposed_weight(weight, scale))
        shift = None if bias is None else add_weight(module, shuffle, bias[:: scale * scale])
        padding = [scale * (side - 1) for side in weight.shape[2:]]
        with module.graph.inserting_before(shuffle):
            new = module.graph.call_function(
                aten.conv_transpose2d.input,
                (conv.args[0], kernel, shift, [scale, scale], padding),  # pyright: ignore
            )
            new.meta.update(conv.meta, val=shuffle.meta["val"])
            if limited:
                rest = last.args[1:]
                new = module.graph.call_function(last.target, (new, *rest), last.kwargs)  # pyright: ignore
                new.meta.update(last.meta, val=shuffle.meta["val"])
        shuffle.replace_all_uses_with(new)
        applied += 1
    module.graph.eliminate_dead_code()
    return Outcome(applied)


def _shared(bias: Tensor, phases: int) -> bool:
    """Whether the phases of each output have one bias, as a transposed convolution has."""
    apart = bias.unflatten(0, (-1, phases))
    return bool((apart == apart[:, :1]).all())


def transposed_weight(weight: Tensor, scale: int) -> Tensor:
    """Return the weight of the transposed convolution that a depth to space of a convolution is.

    Args:
        weight: [out·s², in, Lh, Lw], the phases of an output beside each other.
        scale: s.

    Returns:
        [in, out, s·Lh, s·Lw].
    """
    phases = weight.unflatten(0, (-1, scale, scale)).flip(4, 5)  # [out, a, b, in, Lh, Lw]
    return phases.permute(3, 0, 4, 1, 5, 2).flatten(4, 5).flatten(2, 3).contiguous()


def _strided(conv: Node) -> bool:
    """Whether a convolution strides, pads, spreads or groups, which no phase convolution does."""
    plain = ((3, "stride", 1), (4, "padding", 0), (5, "dilation", 1), (6, "groups", 1))
    values = [(argument(conv, place, name, one), one) for place, name, one in plain]
    return any(
        item != one
        for value, one in values
        for item in (value if isinstance(value, list | tuple) else [value])
    )


def spread_shuffles(module: GraphModule) -> Outcome:
    """Write what depth to space is left as views and a permutation."""
    found = _of(module, "pixel_shuffle")
    for node in found:
        n, channels, height, width = captured_shape(node.args[0].meta["val"])  # pyright: ignore
        scale = int(node.args[1])  # pyright: ignore[reportArgumentType]
        apart = [n, channels // scale**2, scale, scale, height, width]
        steps = ((aten.view, apart), (aten.permute, [0, 1, 4, 2, 5, 3]))
        _written(module, node, steps)
    return Outcome(len(found))


def spread_upsamplings(module: GraphModule) -> Outcome:
    """Write nearest upsampling by whole numbers as a product with ones, which repeats each value.

    XNNPACK concatenates a map with others alone, never with itself.
    """
    applied, refused = 0, list[str]()
    for node in _of(module, "upsample_nearest2d"):
        n, channels, height, width = captured_shape(node.args[0].meta["val"])  # pyright: ignore
        rows, columns = captured_shape(node.meta["val"])[2:]
        if rows % height or columns % width:
            refused.append(f"{node.name} is by no whole number")
            continue
        apart = [n, channels, height, 1, width, 1]
        ones = torch.ones(1, 1, 1, rows // height, 1, columns // width)
        ones = add_weight(module, node, ones.to(node.meta["val"].dtype))
        _written(module, node, ((aten.view, apart), (aten.mul, ones)))
        applied += 1
    return Outcome(applied, tuple(refused))


def _written(module: GraphModule, node: Node, steps: tuple[tuple[object, object], ...]) -> None:
    """Put operations in the place of a node, and a view of its shape."""
    x = node.args[0]
    shaped = (aten.reshape, list(captured_shape(node.meta["val"])))
    with module.graph.inserting_before(node):
        for operation, value in (*steps, shaped):
            overload = operation.Tensor if operation is aten.mul else operation.default  # pyright: ignore
            x = module.graph.call_function(overload, (x, value))  # pyright: ignore
    assert isinstance(x, Node)
    x.meta["val"] = node.meta["val"]
    node.replace_all_uses_with(x)
    module.graph.erase_node(node)


def slice_splits(module: GraphModule) -> Outcome:
    """Write splits along an axis as slices."""
    found = _of(module, *SPLITS)
    for node in found:
        axis = int(argument(node, 2, "dim", 0))  # pyright: ignore[reportArgumentType]
        parts = [captured_shape(value)[axis] for value in node.meta["val"]]
        starts = [sum(parts[:number]) for number in range(len(parts))]
        for reader in [user for user in node.users if user.target is operator.getitem]:
            number = int(reader.args[1])  # pyright: ignore[reportArgumentType]
            arguments = (node.args[0], axis, starts[number], starts[number] + parts[number])
            with module.graph.inserting_before(reader):
                part = module.graph.call_function(aten.slice.Tensor, arguments)  # pyright: ignore
            part.meta.update(reader.meta)
            reader.replace_all_uses_with(part)
            module.graph.erase_node(reader)
    module.graph.eliminate_dead_code()
    return Outcome(len(found))


def divide(module: GraphModule) -> Outcome:
    """Write reciprocals of roots as reciprocal roots, and others as divisions."""
    found = _of(module, "reciprocal")
    for node in found:
        x = node.args[0]
        assert isinstance(x, Node)
        with module.graph.inserting_before(node):
            if operation_of(x) == "sqrt":
                new = module.graph.call_function(aten.rsqrt.default, x.args)
            else:
                like = node.meta.get("val")
                one = torch.ones([1] * (like.dim() if isinstance(like, Tensor) else 4))
                if isinstance(like, Tensor):
                    one = one.to(like.dtype)
                numerator = add_weight(module, node, one)
                new = module.graph.call_function(aten.div.Tensor, (numerator, x))
        new.meta.update(node.meta)
        node.replace_all_uses_with(new)
        module.graph.erase_node(node)
    module.graph.eliminate_dead_code()
    return Outcome(len(found))


def take_tensors(module: GraphModule) -> Outcome:
    """Write arithmetic with numbers as that with tensors, which is the kind that is delegated.

    Whole numbers become floats: ExecuTorch stores them as int64, and converts them outside.
    """
    applied = 0
    for node in module.graph.nodes:
        if node.target not in (*TENSORS, *TENSORS.values()):
            continue
        numbers = [item for item in node.args if isinstance(item, int)]
        value = node.meta.get("val")
        if numbers and (not isinstance(value, Tensor) or value.is_floating_point()):
            node.args = tuple(float(x) if isinstance(x, int) else x for x in node.args)
        elif node.target not in TENSORS:
            continue
        node.target = TENSORS.get(node.target, node.target)
        applied += 1
    return Outcome(applied)


def _of(module: GraphModule, *operations: str) -> list[Node]:
    """Return the nodes of some operations, in order."""
    return [node for node in module.graph.nodes if operation_of(node) in operations]


FORMS = (
    Pass("merge-shuffles", 0, merge_shuffles),
    Pass("spread-shuffles", 0, spread_shuffles),
    Pass("spread-upsamplings", 0, spread_upsamplings),
    Pass("slice-splits", 0, slice_splits),
    Pass("multiply-batches", 0, multiply_batches),
    Pass("expand-norms", 0, expand_norms),
    Pass("spread-sums", 0, spread_sums),
    Pass("drop-single-cats", 0, drop_single_cats),
    Pass("reshape-axes", 0, reshape_axes),
    Pass("divide", 0, divide),
    Pass("take-tensors", 0, take_tensors),
    Pass("slice-pads", 0, slice_pads),
)
