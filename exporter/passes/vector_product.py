"""Products with a vector as products of matrices: x·v = (x·V)[…, 0], V the vector as a column.

``matmul`` takes vectors on either side, and converters do not: v·X = (Vᵀ·X)[…, 0, :], with the
vector as a row on the left.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.exporter.graph.rewrite import Outcome, Pass, add_weight, tensor_of

aten = torch.ops.aten


def _is_vector(node: object) -> bool:
    value = node.meta.get("val") if isinstance(node, Node) else None
    return isinstance(value, Tensor) and value.dim() == 1


def _as_matrix(module: GraphModule, vector: Node, axis: int, before: Node) -> Node:
    """Return the node of a vector with an axis of one element more."""
    weight = tensor_of(module, vector)
    if weight is not None:
        return add_weight(module, before, weight.unsqueeze(axis))
    return module.graph.call_function(aten.unsqueeze.default, (vector, axis))


def rewrite(module: GraphModule) -> Outcome:
    """Rewrite every ``matmul`` and ``mv`` one of whose sides is a vector."""
    applied = 0
    for node in list(module.graph.nodes):
        if node.target not in (aten.matmul.default, aten.mv.default):
            continue
        left, right = node.args[:2]
        assert isinstance(left, Node)
        assert isinstance(right, Node)
        row, column = _is_vector(left), _is_vector(right)
        if not row and not column:
            continue
        with module.graph.inserting_before(node):
            left = _as_matrix(module, left, 0, node) if row else left
            right = _as_matrix(module, right, -1, node) if column else right
            result = module.graph.call_function(aten.matmul.default, (left, right))
            for axis in ([-1] if column else []) + ([-1 if column else -2] if row else []):
                result = module.graph.call_function(aten.squeeze.dim, (result, axis))
        node.replace_all_uses_with(result)
        module.graph.erase_node(node)
        applied += 1
    return Outcome(applied)


PASS = Pass("vector-product", 0, rewrite)
