"""Split an operation that returns a variance (or deviation) and a mean into the two.

    var_mean(x) → var(x), mean(x)        std_mean(x) → std(x), mean(x)

Core ML's converter has no operation of two results, and what makes statistics safe in float16 knows
the two alone.
"""

from __future__ import annotations

import operator

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.exporter.graph.rewrite import Outcome, Pass, argument

aten = torch.ops.aten
SPREADS = {
    aten.var_mean.default: aten.var.default,
    aten.var_mean.dim: aten.var.dim,
    aten.var_mean.correction: aten.var.correction,
    aten.std_mean.default: aten.std.default,
    aten.std_mean.dim: aten.std.dim,
    aten.std_mean.correction: aten.std.correction,
}


def rewrite(module: GraphModule) -> Outcome:
    """Put a variance and a mean in the place of each such operation."""
    applied = 0
    for node in list(module.graph.nodes):
        if node.target not in SPREADS:
            continue
        for user in list(node.users):
            assert user.target is operator.getitem
            with module.graph.inserting_before(user):
                new = _spread(module, node) if user.args[1] == 0 else _mean(module, node)
            new.meta["val"] = user.meta["val"]
            user.replace_all_uses_with(new)
            module.graph.erase_node(user)
        module.graph.erase_node(node)
        applied += 1
    return Outcome(applied)


def _spread(module: GraphModule, node: Node) -> Node:
    return module.graph.call_function(SPREADS[node.target], node.args, node.kwargs)  # pyright: ignore


def _mean(module: GraphModule, node: Node) -> Node:
    source = node.args[0]
    assert isinstance(source, Node)
    call = module.graph.call_function
    if node.target in (aten.var_mean.default, aten.std_mean.default):
        return call(aten.mean.default, (source,))
    by_name = node.target in (aten.var_mean.correction, aten.std_mean.correction)
    keeps = node.kwargs.get("keepdim", False) if by_name else argument(node, 3, "keepdim", False)
    axes = argument(node, 1, "dim")
    if axes is None:
        value = source.meta["val"]
        assert isinstance(value, Tensor)
        axes = list(range(value.dim()))
    return call(aten.mean.dim, (source, axes, keeps))  # pyright: ignore


PASS = Pass("split-var-mean", 0, rewrite)
