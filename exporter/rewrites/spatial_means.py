"""The statistics of a feature map, however a network writes them, as means over height and width.

    mean(x), of x or of x flattened        → μ, [N, C, 1, 1]
    adaptive average pool to 1x1            → μ
    s·Σx                                    → s·H·W·μ
    var(x)                                  → mean((x - μ)²), times n/(n-1) when unbiased
    std(x)                                  → √var(x)
    instance norm                           → (x - μ)·γ/√(var + ε) + β
    x², written as a power                  → x·x

Each result is reshaped to what the network had. A reshape moves behind what follows element by
element, so that a variance and its root stay one pattern, and goes where it undoes another.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.exporter.graph.rewrite import Outcome, add_weight, argument, tensor_of

aten = torch.ops.aten
VARIANCES = (aten.var.dim, aten.var.correction, aten.std.dim, aten.std.correction)
DEVIATIONS = (aten.std.dim, aten.std.correction)
FLATTENED = (aten.view.default, aten.reshape.default, aten.flatten.using_ints)
RESHAPED = (*FLATTENED, aten.unsqueeze.default, aten.squeeze.dim, aten.squeeze.dims)
PRODUCTS = (aten.mul.Tensor, aten.mul.Scalar, aten.div.Tensor, aten.div.Scalar)
BROADCAST = (aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor)
ELEMENTWISE = (
    *BROADCAST,
    aten.add.Scalar,
    aten.mul.Scalar,
    aten.sqrt.default,
    aten.rsqrt.default,
    aten.clamp_min.default,
)


def is_spatial_mean(node: Node) -> bool:
    """Whether a node is a mean over height and width that keeps both axes."""
    if node.target is not aten.mean.dim or not isinstance(node.args[0], Node):
        return False
    axes = {axis % 4 for axis in argument(node, 1, "dim", ()) or ()}  # pyright: ignore
    return axes == {2, 3} and bool(argument(node, 2, "keepdim", False))


def expand_norms(module: GraphModule) -> Outcome:
    """Write instance norms, variances and sums as the means that they are."""
    applied = 0
    for node in list(module.graph.nodes):
        with module.graph.inserting_before(node):
            new = _expanded(module, node)
        if new is None:
            continue
        node.replace_all_uses_with(new)
        module.graph.erase_node(node)
        applied += 1
        if new.target is aten.view.default:
            assert isinstance(new.args[0], Node)
            _sink(module, new, new.args[0])
    module.graph.eliminate_dead_code()
    return Outcome(applied)


def _expanded(module: GraphModule, node: Node) -> Node | None:
    """Return what a node is in means, None where it is no statistic or is one already."""
    new: Node | None = None
    if node.target is aten.instance_norm.default:
        new = _instance_norm(module, node)
    elif node.target in VARIANCES:
        new = _variance(module, node)
    elif node.target is aten.mean.dim and not is_spatial_mean(node):
        x = _map_of(node)
        new = x and _shaped(module, _mean(module, x), node)
    elif _is_pooled_to_one(node):
        new = _mean(module, node.args[0])  # pyright: ignore[reportArgumentType]
    elif node.target in PRODUCTS:
        new = _scaled_sum(module, node)
    elif node.target is aten.square.default or (
        node.target is aten.pow.Tensor_Scalar and node.args[1] == 2
    ):
        new = module.graph.call_function(aten.mul.Tensor, (node.args[0], node.args[0]))
    if new is not None and "val" not in new.meta:
        new.meta["val"] = node.meta.get("val")
    return new


def _is_pooled_to_one(node: Node) -> bool:
    """Whether a node is the mean over height and width, written as a pooling to one element."""
    if node.target is not aten.adaptive_avg_pool2d.default or len(_shape(node)) != 4:
        return False
    size = node.args[1]
    return isinstance(size, list | tuple) and all(side == 1 for side in size)


def _shape(node: object) -> tuple[int, ...]:
    """Return the shape of a node's tensor, () where it has none."""
    value = node.meta.get("val") if isinstance(node, Node) else None
    return tuple(value.shape) if isinstance(value, Tensor) else ()


def _map_of(node: Node) -> Node | None:
    """Return the map, [N, C, H, W], over whose height and width a node reduces, None for others."""
    x = node.args[0]
    rank = len(_shape(x))
    axes = argument(node, 1, "dim", ()) or ()
    axes = {axis % max(rank, 1) for axis in (axes if isinstance(axes, list | tuple) else [axes])}  # pyright: ignore
    if not isinstance(x, Node):
        return None
    if rank == 4 and axes == {2, 3}:
        return x
    source = x.args[0] if rank == 3 and axes == {2} and x.target in FLATTENED else None
    if isinstance(source, Node) and len(_shape(source)) == 4 and _shape(source)[1] == _shape(x)[1]:
        return source
    return None


def _mean(module: GraphModule, x: Node) -> Node:
    mean = module.graph.call_function(aten.mean.dim, (x, [2, 3], True))
    value = x.meta["val"]
    mean.meta["val"] = value.new_empty((*value.shape[:2], 1, 1))
    return mean


def _shaped(module: GraphModule, small: Node, like: Node) -> Node:
    """Return a map of one element a channel in the shape of the node that it stands for."""
    shape = _shape(like)
    small.meta["val"] = like.meta["val"].new_empty((*shape[:2], 1, 1))
    if len(shape) == 4:
        return small
    return module.graph.call_function(aten.view.default, (small, list(shape)))


def _centred(module: GraphModule, x: Node) -> tuple[Node, Node]:
    """Return x - mean(x) and the mean of its square, both over height and width."""
    call = module.graph.call_function
    centred = call(aten.sub.Tensor, (x, _mean(module, x)))
    square = call(aten.mul.Tensor, (centred, centred))
    return centred, call(aten.mean.dim, (square, [2, 3], True))


def _instance_norm(module: GraphModule, node: Node) -> Node | None:
    x, weight, bias = node.args[:3]
    if not isinstance(x, Node) or not argument(node, 5, "use_input_stats", True):
        return None
    call = module.graph.call_function
    centred, variance = _centred(module, x)
    shifted = call(aten.add.Scalar, (variance, argument(node, 7, "eps", 1e-5)))  # pyright: ignore
    ratio = call(aten.reciprocal.default, (call(aten.sqrt.default, (shifted,)),))
    if (value := tensor_of(module, weight)) is not None:
        gamma = add_weight(module, node, value.reshape(1, -1, 1, 1))
        ratio = call(aten.mul.Tensor, (ratio, gamma))
    y = call(aten.mul.Tensor, (centred, ratio))
    if (value := tensor_of(module, bias)) is not None:
        y = call(aten.add.Tensor, (y, add_weight(module, node, value.reshape(1, -1, 1, 1))))
    return y


def _variance(module: GraphModule, node: Node) -> Node | None:
    x = _map_of(node)
    if x is None:
        return None
    by_name = node.target in (aten.var.correction, aten.std.correction)
    correction = node.kwargs.get("correction") if by_name else argument(node, 2, "unbiased", True)
    correction = 1 if correction is None else correction
    count = math.prod(_shape(x)[2:])
    if correction and not isinstance(count, int):  # open sides  # pyright: ignore
        return None
    _, value = _centred(module, x)
    call = module.graph.call_function
    if correction:
        value = call(aten.mul.Tensor, (value, count / (count - correction)))  # pyright: ignore
    if node.target in DEVIATIONS:
        value = call(aten.sqrt.default, (value,))
    return _shaped(module, value, node)


def _scaled_sum(module: GraphModule, node: Node) -> Node | None:
    """Return s·Σx as s·H·W·μ; a sum alone stays one, as that is what the network asks for."""
    total, factor = node.args[:2]
    if not isinstance(total, Node) or not isinstance(factor, int | float):
        return None
    x = _map_of(total) if total.target is aten.sum.dim_IntList else None
    count = math.prod(_shape(x)[2:]) if x is not None else 0
    if x is None or not isinstance(count, int):  # pyright: ignore
        return None
    scale = count / factor if node.target in PRODUCTS[2:] else count * factor
    mean = _mean(module, x)
    if not math.isclose(scale, 1.0, rel_tol=1e-12):
        mean = module.graph.call_function(aten.mul.Tensor, (mean, scale))
    return _shaped(module, mean, node)


def _sink(module: GraphModule, reshaped: Node, small: Node) -> None:
    """Move a reshape of a map of one element a channel behind its readers, or drop it."""
    call = module.graph.call_function
    for user in list(reshaped.users):
        if user.target in RESHAPED:
            if _shape(user) == _shape(small):
                user.replace_all_uses_with(small)
                _drop_expansions(small)
            else:
                _sink(module, user, small)
        elif user.target in ELEMENTWISE and user.all_input_nodes == [reshaped]:
            with module.graph.inserting_before(user):
                moved = user.args[1:] if user.args[0] is reshaped else user.args[:1]
                first = user.args[0] is reshaped
                arguments = (small, *moved) if first else (*moved, small)
                new = call(user.target, arguments, user.kwargs)  # pyright: ignore
                new.meta["val"] = small.meta["val"]
                again = call(aten.view.default, (new, list(_shape(user))))
                again.meta["val"] = user.meta["val"]
            user.replace_all_uses_with(again)
            module.graph.erase_node(user)
            _sink(module, again, new)


def _drop_expansions(small: Node) -> None:
    """Let arithmetic broadcast a map of one element a channel that the network repeated first."""
    for repeated in list(small.users):
        if repeated.target is not aten.expand.default:
            continue
        for user in list(repeated.users):
            others = [item for item in user.all_input_nodes if item is not repeated]
            if user.target in BROADCAST and [_shape(o) for o in others] == [_shape(repeated)]:
                user.replace_input_with(repeated, small)
