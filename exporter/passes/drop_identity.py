"""Drop operations that return their input: f(x) = x.

Dropout at inference, copies and aliases, conversions to the type at hand, slices of everything,
pads of nothing, reshapes to the same shape, x·1, x/1, x + 0, x - 0.
"""

from __future__ import annotations

import torch
from torch.fx import GraphModule, Node

from styleexport.exporter.graph.rewrite import Outcome, Pass, argument

aten = torch.ops.aten
COPIES = (
    aten.clone.default,
    aten.alias.default,
    aten.detach.default,
    aten.detach_.default,
    aten.contiguous.default,
    aten.lift_fresh_copy.default,
)
DROPOUTS = (aten.dropout.default, aten.feature_dropout.default, aten.alpha_dropout.default)
RESHAPES = (aten.view.default, aten.reshape.default, aten.expand.default)
CONVERSIONS = (aten.to.dtype, aten.to.dtype_layout, aten.to.device, aten._to_copy.default)
PADS = (aten.pad.default, aten.constant_pad_nd.default, aten.reflection_pad2d.default)
NEUTRAL = {
    aten.mul.Tensor: 1,
    aten.div.Tensor: 1,
    aten.add.Tensor: 0,
    aten.sub.Tensor: 0,
}


def _returns_its_input(node: Node, source: Node) -> bool:
    if node.target in COPIES:
        return True
    if node.target in DROPOUTS:
        return not argument(node, 2, "train", False)
    if node.target in PADS:
        pads = argument(node, 1, "pad", [1])
        return isinstance(pads, list | tuple) and all(pad == 0 for pad in pads)
    before, after = source.meta.get("val"), node.meta.get("val")
    if not isinstance(before, torch.Tensor) or not isinstance(after, torch.Tensor):
        return False
    unchanged = before.dtype == after.dtype and _lengths(before) == _lengths(after)
    if node.target in RESHAPES or node.target in CONVERSIONS:
        return unchanged
    if node.target in NEUTRAL:
        value = node.args[1]
        return isinstance(value, int | float) and value == NEUTRAL[node.target] and unchanged  # pyright: ignore
    if node.target is aten.slice.Tensor:
        whole = argument(node, 2, "start", 0) in (0, None) and argument(node, 4, "step", 1) == 1
        return whole and unchanged
    return False


def _lengths(tensor: torch.Tensor) -> list[str]:
    """Return the lengths of the axes as written: open ones by expression, not by today's value."""
    return [
        str(length.node.expr if isinstance(length, torch.SymInt) else length)
        for length in tensor.shape
    ]


def rewrite(module: GraphModule) -> Outcome:
    """Hand every such operation's input to its users."""
    applied = 0
    for node in list(module.graph.nodes):
        source = node.args[0] if node.op == "call_function" and node.args else None
        if isinstance(source, Node) and _returns_its_input(node, source):
            node.replace_all_uses_with(source)
            module.graph.erase_node(node)
            applied += 1
    return Outcome(applied)


PASS = Pass("drop-identity", 0, rewrite)
